"""The arithmetic of the bench report, on made-up samples with known answers."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from bench.growth import Entry, Series, Spread, growth, ratio, spread
from bench.report import cell, line, markdown, number, target
from bench.sample import Sample


def entry(
    rounds: int,
    series: str,
    point: str,
    node_s: float,
    *,
    server: str = "chatsrv",
    units: int = 1_000_000,
    generator_s: float = 1.0,
    figures: dict[str, float] | None = None,
) -> Entry:
    """A sample of two seconds, in which Redis used half a second."""
    sample = Sample(
        workload=series,
        point=point,
        unit="message",
        units=units,
        seconds=2.0,
        node_s=node_s,
        redis_s=0.5,
        generator_s=generator_s,
        peak_mib=64.0,
        latencies_ms={"p50": 1.0, "p99": 2.0, "p99.9": 3.0},
        figures=figures or {},
        server=server,
    )
    return Entry(rounds, series, sample)


def cpu(sample: Sample) -> float:
    return sample.cpu_per_million


def report(entries: Iterable[Entry], failure: str = "") -> str:
    return markdown({"commit": "abc"}, list(entries), failure)


def row(text: str, start: str) -> list[str]:
    """The cells of the only table row whose first cell begins so."""
    (found,) = (each for each in text.splitlines() if each.startswith(f"| {start}"))
    return [each.strip() for each in found.strip("|").split("|")]


class Arithmetic(SynchronousTestCase):
    def test_the_cost_is_of_node_and_redis_per_million_units(self) -> None:
        sample = entry(1, "W2", "p", 1.5, units=500_000).sample
        self.assertEqual((sample.cpu_per_million, sample.rate), (4.0, 250_000.0))

    def test_a_spread_is_least_median_and_most(self) -> None:
        self.assertEqual(spread([9.0, 1.0, 4.0]), Spread(1.0, 4.0, 9.0))
        self.assertEqual(spread([4.0, 2.0]), Spread(2.0, 3.0, 4.0))

    def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_of_the_medians(self) -> None:
        """The machine was half as fast in round 2; the ratios are 2, 2 and 5, the medians' ratio is 2.5."""
        self.assertEqual(ratio({1: 20.0, 2: 40.0, 3: 50.0}, {1: 10.0, 2: 20.0, 3: 10.0}), 2.0)

    def test_a_round_that_lacks_one_of_them_does_not_count(self) -> None:
        self.assertEqual(ratio({1: 20.0, 2: 90.0}, {1: 10.0, 3: 1.0}), 2.0)
        self.assertIsNone(ratio({1: 20.0}, {2: 10.0}))

    def test_growth_is_the_last_point_in_terms_of_the_first_within_each_round(self) -> None:
        costs = {1: (1.5, 2.5), 2: (3.5, 7.5), 3: (0.5, 3.5)}  # with Redis: 2 to 3, 4 to 8, 1 to 4
        entries = [
            entry(round_, "W5 pairs", point, cost)
            for round_, both in costs.items()
            for point, cost in zip(("10", "100"), both, strict=True)
        ]
        series = Series(entries, "W5 pairs")
        self.assertEqual(growth(series, "chatsrv", series.points("chatsrv"), cpu), 2.0)
        self.assertIsNone(growth(series, "chatsrv", ["10"], cpu))

    def test_the_most_of_a_round_is_over_its_points(self) -> None:
        entries = [entry(1, "W1", "a", 1.0, units=10), entry(1, "W1", "b", 1.0, units=30)]
        entries += [entry(2, "W1", "a", 1.0, units=20), entry(2, "W2", "a", 1.0, units=99)]
        self.assertEqual(Series(entries, "W1").most("chatsrv", lambda s: s.rate), {1: 15.0, 2: 10.0})

    def test_a_series_keeps_its_servers_and_points_apart(self) -> None:
        entries = [entry(1, "W1", "a", 1.5, server="floor"), entry(1, "W1", "a", 3.5)]
        entries += [entry(1, "W1", "b", 5.5), entry(1, "W2", "c", 9.5)]
        series = Series(entries, "W1")
        self.assertEqual(series.servers, ["floor", "chatsrv"])
        self.assertEqual(series.points("chatsrv"), ["a", "b"])
        self.assertEqual(series.values("chatsrv", "a", cpu), {1: 4.0})
        self.assertEqual(series.values("floor", "a", cpu), {1: 2.0})


class Text(SynchronousTestCase):
    def test_numbers_have_the_digits_that_mean_something(self) -> None:
        values = (0.123, 9.876, 12.34, 123.4, 9_876.0, 12_345.0, 2_345_678.0)
        written = ["0.12", "9.88", "12.3", "123", "9,876", "12k", "2.35M"]
        self.assertEqual([number(value) for value in values], written)

    def test_a_cell_of_equal_rounds_is_one_number(self) -> None:
        self.assertEqual(cell(Spread(1.0, 2.0, 3.5)), "1.00 / 2.00 / 3.50")
        self.assertEqual(cell(Spread(2.001, 2.002, 2.003)), "2.00")

    def test_a_line_has_round_series_server_point_rate_and_cost(self) -> None:
        words = line(entry(3, "W2", "500 pairs", 1.5, server="floor")).split()
        for word in ("3", "W2", "floor", "pairs", "500k/s", "2.00", "50%"):
            self.assertIn(word, words)

    def test_a_target_is_reached_at_its_value_and_missed_above(self) -> None:
        self.assertIn("reached", target("kib_per_connection", 14.0))
        self.assertIn("missed", target("kib_per_connection", 14.1))
        self.assertEqual(target("pings_per_connection", 1.0), "")


class Report(SynchronousTestCase):
    def test_each_point_has_the_spread_of_its_rounds(self) -> None:
        text = report(entry(n, "W2", "500 pairs", cost) for n, cost in ((1, 3.5), (2, 1.5), (3, 2.5)))
        cells = row(text, "500 pairs (message)")
        self.assertEqual(cells[1:5], ["500k", "1.50 / 2.50 / 3.50", "0.50", "2.00 / 3.00 / 4.00"])
        self.assertEqual(cells[5:], ["1.00", "2.00", "3.00", "64.0", "0.50"])

    def test_beside_a_floor_stands_the_median_of_the_rounds_ratios(self) -> None:
        costs = {1: (1.5, 0.5), 2: (3.5, 1.5), 3: (9.5, 0.5)}  # with Redis: 2 and 1, 4 and 2, 10 and 1
        entries = [
            entry(n, "W1", "5,000/s", cost, server=server)
            for n, both in costs.items()
            for server, cost in zip(("chatsrv", "C floor"), both, strict=True)
        ]
        text = report([*entries, entry(1, "W1", "9,000/s", 1.0, units=4_000_000)])
        self.assertEqual(row(text, "5,000/s | "), ["5,000/s", "4.00", "1.00", "2.00"])
        self.assertEqual(row(text, "most a second")[1:], ["500k", "500k", "1.00"])
        self.assertNotIn("| 9,000/s | ", text)  # the floor has no such point

    def test_growth_over_its_target_is_said(self) -> None:
        flat = [entry(1, "W5 pairs", "10", 1.5), entry(1, "W5 pairs", "100", 2.0)]
        steep = [entry(1, "W5 members", "10", 1.5), entry(1, "W5 members", "100", 2.5)]
        self.assertIn("**1.25** (at most 1.3: reached)", report(flat))
        self.assertIn("**1.50** (at most 1.3: **missed**)", report(steep))

    def test_a_busy_generator_is_flagged(self) -> None:
        calm = report([entry(1, "W1", "p", 1.0, generator_s=1.8)])
        busy = report([entry(1, "W1", "p", 1.0, generator_s=1.7), entry(2, "W1", "p", 1.0, generator_s=1.9)])
        self.assertNotIn("(!)", calm)
        self.assertEqual(row(busy, "p (message)")[-1], "0.85 / 0.90 / 0.95 (!)")
        self.assertIn("the generator may be what is measured", busy)

    def test_figures_stand_with_their_targets_in_a_column_per_point(self) -> None:
        entries = [
            entry(n, "W3", point, 1.0, figures={"core_percent": percent, "pings": 1.0})
            for n, point, percent in ((1, "few", 1.0), (2, "few", 2.0), (1, "many", 3.5))
        ]
        text = report(entries)
        reached, missed = "(at most 3: reached)", "(at most 3: **missed**)"
        self.assertEqual(row(text, " | few | many"), ["", "few", "many"])
        self.assertEqual(row(text, "core percent")[1:], [f"1.00 / 1.50 / 2.00 {reached}", f"3.50 {missed}"])
        self.assertEqual(row(text, "pings")[1:], ["1.00", "1.00"])

    def test_a_run_that_failed_says_so_with_what_it_has(self) -> None:
        text = report([entry(1, "W2", "p", 1.0)], failure="W4: lost")
        self.assertIn("W4: lost", text)
        self.assertIn("| p (message)", text)
        self.assertNotIn("Failed", report([entry(1, "W2", "p", 1.0)]))

    def test_the_header_stands_on_top(self) -> None:
        self.assertEqual(row(report([]), "commit"), ["commit", "abc"])
