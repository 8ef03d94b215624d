"""The report of a run in Markdown: a table per series and server, and what chatsrv costs beside the others.

Called by ``__main__`` with all entries; the arithmetic is in :mod:`growth`. A cell holds the least, the median and the
most of the rounds, or one number where they are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.growth import Entry, Series, Spread, Value, growth, ratio, spread
from bench.sample import Sample

OWN = "chatsrv"
BUSY = 0.9  # load of the generator's core from which on the generator may be what is measured
GROWTH = 1.3
TITLES = {
    "W1": "W1 fan-out: a group of 100, one sender, texts of 128 bytes, open loop",
    "W2": "W2 pairs: private chats, ping-pong with one message outstanding, closed loop",
    "W3 opening": "W3 idle: authenticated connections that do nothing, being opened",
    "W3 at rest": "W3 idle: the same, being there",
    "W4": "W4 mixed: users at human rates",
    "W5 members": "W5 growth: W1 with more members at the same rate of deliveries",
    "W5 pairs": "W5 growth: W2 with more pairs",
    "W5 history": "W5 growth: pages of history of longer chats",
    "W5 catch-up": "W5 growth: catch-up in longer chats",
    "W6 fan-out": "W6 two nodes of one Redis: W1",
    "W6 pairs": "W6 two nodes of one Redis: W2",
}
TARGETS = {"kib_per_connection": 14.0, "cpu_ms_per_connection": 0.6, "core_percent": 3.0}  # of W3, at most
COLUMNS: dict[str, Value] = {
    "a second": lambda s: s.rate,
    "node": lambda s: s.node_s / s.units * 1e6,
    "Redis": lambda s: s.redis_s / s.units * 1e6,
    "**both**": lambda s: s.cpu_per_million,
    "p50": lambda s: s.latencies_ms["p50"],
    "p99": lambda s: s.latencies_ms["p99"],
    "p99.9": lambda s: s.latencies_ms["p99.9"],
    "MiB": lambda s: s.peak_mib,
    "generator": lambda s: load(s),
}


def line(entry: Entry) -> str:
    """A sample as it comes, for the terminal."""
    s = entry.sample
    latencies = " ".join(f"{name} {number(ms)}" for name, ms in s.latencies_ms.items())
    return (
        f"{entry.round}  {entry.series:11} {s.server:12} {s.point:36} {number(s.rate):>6}/s  "
        f"{number(s.cpu_per_million):>6} s/M  generator {load(s):.0%}"
        + (f"  {latencies} ms" if latencies else "")
    )


def load(sample: Sample) -> float:
    """Which share of its core the generator used."""
    return sample.generator_s / sample.seconds


def markdown(header: Mapping[str, str], entries: Sequence[Entry], failure: str = "") -> str:
    """The whole report; ``failure`` says why it is not whole."""
    parts = ["# Results", _table(["", ""], [[name, text] for name, text in header.items()])]
    if failure:
        parts.append(f"**Failed, so these are not all: {failure}**")
    parts.append(
        "Cells: least / median / most of the rounds. CPU seconds (user and system) are per million units of the "
        "first column, of the node, of its Redis and of both; latencies in ms; MiB resident at most, node and "
        "Redis; generator: the load of its core."
    )
    for name in dict.fromkeys(entry.series for entry in entries):
        parts += section(name, Series(entries, name))
    return "\n\n".join(parts) + "\n"


def section(name: str, series: Series) -> list[str]:
    """Heading, tables and remarks of one series."""
    servers = sorted(series.servers, key=lambda server: server != OWN)  # chatsrv first, the rest as measured
    parts = [f"## {TITLES.get(name, name)}"]
    for server in servers:
        parts += [f"### {server}"] if len(servers) > 1 else []
        parts.append(costs(series, server))
        parts += figures(series, server)
    if len(servers) > 1 and OWN in servers:
        parts += [
            "### CPU seconds per million, and what chatsrv costs in terms of the others",
            beside(series),
        ]
    if name.startswith("W5"):
        parts.append(grown(series))
    if any(load(sample) > BUSY for sample in _all(series)):
        parts.append(
            f"(!): over {BUSY:.0%} of the generator's core, so the generator may be what is measured."
        )
    return parts


def costs(series: Series, server: str) -> str:
    """Every point of one server with all columns."""
    points = series.points(server)
    rows = [[_unit(series, server, point), *_cells(series, server, point)] for point in points]
    return _table(["", *COLUMNS], rows)


def _unit(series: Series, server: str, point: str) -> str:
    return f"{point} ({series.samples(server, point)[0].unit})"


def _cells(series: Series, server: str, point: str) -> Iterable[str]:
    samples = series.samples(server, point)
    for name, value in COLUMNS.items():
        if name.startswith("p") and not all(sample.latencies_ms for sample in samples):
            yield ""
            continue
        of_rounds = spread(value(sample) for sample in samples)
        yield cell(of_rounds) + (" (!)" if name == "generator" and of_rounds.high > BUSY else "")


def figures(series: Series, server: str) -> list[str]:
    """What else the workload told, where it did: a row per figure and a column per point that has any."""
    spreads = {
        point: {name: spread(s.figures[name] for s in samples) for name in samples[0].figures}
        for point in series.points(server)
        if (samples := series.samples(server, point))[0].figures
    }
    names = dict.fromkeys(name for told in spreads.values() for name in told)
    rows = [
        [name.replace("_", " "), *(_with_target(name, told.get(name)) for told in spreads.values())]
        for name in names
    ]
    return [_table(["", *spreads], rows)] if rows else []


def _with_target(name: str, of_rounds: Spread | None) -> str:
    if of_rounds is None:
        return ""
    return cell(of_rounds) + target(name, of_rounds.middle)


def target(name: str, value: float) -> str:
    """What a figure may be at most, and whether it is; empty where nothing is said."""
    if name not in TARGETS:
        return ""
    return f" (at most {TARGETS[name]:g}: {'reached' if value <= TARGETS[name] else '**missed**'})"


def beside(series: Series) -> str:
    """The medians of all servers side by side, and the median of the rounds' ratios of chatsrv to each."""
    others = [server for server in series.servers if server != OWN]
    head = ["", OWN, *others, *(f"{OWN} / {other}" for other in others)]
    rows = [_beside(series, others, point) for point in series.points(OWN)]
    return _table(head, [row for row in rows if any(row[2:])] + [_most(series, others)])


def _beside(series: Series, others: Sequence[str], point: str) -> list[str]:
    costs_of = {
        server: series.values(server, point, lambda s: s.cpu_per_million) for server in (OWN, *others)
    }
    middles = [number(spread(costs.values()).middle) if costs else "" for costs in costs_of.values()]
    ratios = [ratio(costs_of[OWN], costs_of[other]) for other in others]
    return [point, *middles, *("" if each is None else number(each) for each in ratios)]


def _most(series: Series, others: Sequence[str]) -> list[str]:
    most = {server: series.most(server, lambda s: s.rate) for server in (OWN, *others)}
    middles = [number(spread(rates.values()).middle) for rates in most.values()]
    ratios = [ratio(most[OWN], most[other]) or 0.0 for other in others]
    return ["most a second (more is better)", *middles, *map(number, ratios)]


def grown(series: Series) -> str:
    """The ratio last/first of the cost per unit, with its target."""
    points = series.points(OWN)
    factor = growth(series, OWN, points, lambda s: s.cpu_per_million)
    if factor is None:
        return "Growth: no second point."
    verdict = "reached" if factor <= GROWTH else "**missed**"
    return f"Last/first, CPU per unit: **{number(factor)}** (at most {GROWTH}: {verdict})."


def cell(of: Spread) -> str:
    low, middle, high = map(number, of)
    return middle if low == high else f"{low} / {middle} / {high}"


def number(value: float) -> str:
    """Three digits that mean something; whole from 100 on."""
    if value >= 1_000_000:
        return f"{value / 1e6:.2f}M"
    if value >= 10_000:
        return f"{value / 1e3:.0f}k"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _all(series: Series) -> Iterable[Sample]:
    for server in series.servers:
        for point in series.points(server):
            yield from series.samples(server, point)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
