"""The documents say what is so: tables, links, settings, files, scripts, commands' examples."""

import importlib
import re
import tempfile
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatsrv import config
from chatsrv.store.scripts import all_scripts
from chatsrv.wire import spec
from chatsrv.wire.codes import CloseCode, ErrorCode

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETTING_WORDS = re.compile(r"^[a-z]+(_[a-z0-9]+)+$")

#: Words in code style that look like settings (lower case, with an underscore) and are something else.
NO_SETTINGS = {
    *("chat_id", "chat_ids", "edited_at", "expires_at", "friend_ids", "message_id", "owner_id", "reply_to"),
    *("retry_after_ms", "sender_id", "sent_at", "session_id", "server_time", "add_users", "remove_users"),
    *("user_id", "user_ids", "on_news", "maxmemory_policy", "failure_of", "when_drained", "blockers_among"),
    *("key_ops", "give_up"),
}


def text_of(path):
    return path.read_text(encoding="utf-8")


def prose_of(path):
    """The document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)


def anchors_of(path):
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_in(path):
    """What stands between single backticks."""
    return re.findall(r"`([^`\n]+)`", prose_of(path))


class Protocol(SynchronousTestCase):
    document = ROOT / "docs/protocol.md"

    def test_the_tables_are_those_of_the_code(self):
        text = text_of(self.document)
        self.assertEqual(
            text, spec.rewritten(text), "run: python -m chatsrv.wire.spec docs/protocol.md, and look at it"
        )

    def test_a_block_that_is_missing_twice_there_or_unknown_is_an_error(self):
        text = text_of(self.document)
        block = "<!-- generated: errors -->\n<!-- end: errors -->\n"
        for broken in (text.replace("errors -->", "eros -->"), text + block, text.replace("end: errors", "")):
            self.assertRaises(ValueError, spec.rewritten, broken)

    def test_what_is_outside_the_blocks_stays(self):
        blocks = "".join(
            f"<!-- generated: {name} -->\nold\n<!-- end: {name} -->\nkept\n" for name in spec.BLOCKS
        )
        rewritten = spec.rewritten(blocks)
        self.assertEqual(rewritten.count("kept\n"), len(spec.BLOCKS))
        self.assertNotIn("old", rewritten)

    def test_the_command_rewrites_a_file_in_place(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "protocol.md"
        text = text_of(self.document)
        path.write_text(text.replace("| `bad_json` | no |", "| `bad_json` | perhaps |"), encoding="utf-8")
        self.assertEqual(spec.main([str(path)]), 0)
        self.assertEqual(text_of(path), text)

    def test_the_command_without_a_file_is_refused(self):
        self.assertEqual(spec.main([]), 2)

    def test_a_close_code_or_error_code_in_the_text_exists(self):
        numbers = {
            int(number) for number in re.findall(r"\b(10\d\d|44\d\d)\b(?! bytes)", prose_of(self.document))
        }
        self.assertLessEqual(numbers, {close.code for close in CloseCode})
        self.assertLessEqual({error.code for error in ErrorCode}, set(code_in(self.document)))

    def test_example_frames_have_the_members_of_the_tables(self):
        known = set(re.findall(r"`(?:[a-z.\[\]]+\.)?([a-z_]+)`", spec.frames() + spec.requests()))
        for line in re.findall(r'^(?:[→←] )?(\{"op".*)$', text_of(self.document), re.MULTILINE):
            members = set(re.findall(r'"([a-z_]+)":', line)) - {"op", "t", "d", "id"}
            self.assertLessEqual(members, known, line)


class News(SynchronousTestCase):
    def test_every_fragment_is_one_that_towncrier_takes(self):
        name = re.compile(r"[0-9]+\.(feature|bugfix|doc|removal|misc)(\.[0-9]+)?\.md")
        for path in (ROOT / "newsfragments").iterdir():
            self.assertTrue(name.fullmatch(path.name) or path.name == "README.md", path.name)


class Documents(SynchronousTestCase):
    def test_every_relative_link_leads_somewhere(self):
        for path in DOCUMENTS:
            for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(path)):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, anchor = target.partition("#")
                file = path.parent / name if name else path
                self.assertTrue(file.exists(), f"{path.name}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors_of(file), f"{path.name}: {target}")

    def test_every_setting_named_exists(self):
        """Whatever looks like a setting is one, or a known other thing."""
        others = NO_SETTINGS | set(all_scripts()) | {code.code for code in ErrorCode}
        others |= set(re.findall(r"`(?:[a-z.\[\]]+\.)?([a-z_]+)`", spec.frames() + spec.requests()))
        for path in DOCUMENTS:
            words = {word for word in code_in(path) if SETTING_WORDS.match(word)}
            self.assertLessEqual(words - others, set(config.names()), path.name)

    def test_every_environment_variable_named_is_a_setting(self):
        known = {f"CHATSRV_{name.upper()}" for name in (*config.names(), "config")}
        for path in DOCUMENTS:
            found = set(re.findall(r"\bCHATSRV_[A-Z0-9_]*[A-Z0-9]", text_of(path)))
            self.assertLessEqual(found, known, path.name)

    def test_every_option_of_the_server_named_exists(self):
        from chatsrv.tap import Options

        known = set(Options().longOpt) | {option.rstrip("=") for option in Options().longOpt}
        for path in DOCUMENTS:
            for line in text_of(path).splitlines():
                if re.search(r"twistd .*chatsrv ", line):
                    options = re.findall(r" --([a-z-]+)", line.split("chatsrv ", 1)[1])
                    self.assertLessEqual(set(options), known, line)

    def test_every_file_named_exists(self):
        pattern = re.compile(r"(?:chatsrv|twisted|tests|docs|etc|newsfragments|\.ci)/[\w./-]*")
        for path in DOCUMENTS:
            named = {name for name in code_in(path) if pattern.fullmatch(name)}
            missing = {name for name in named if not (ROOT / name).exists()}
            self.assertEqual(missing, set(), path.name)

    def test_the_example_in_the_readme_is_the_program_in_the_examples(self):
        (program,) = re.findall(r"```python\n(.*?)```", text_of(ROOT / "README.md"), re.DOTALL)
        self.assertEqual(program, text_of(ROOT / "docs/examples/two_users.py"))

    def test_no_place_of_a_developers_machine_is_named(self):
        for path in DOCUMENTS:
            self.assertNotRegex(text_of(path), r"/tmp/|/home/", path.name)


class Architecture(SynchronousTestCase):
    document = ROOT / "docs/architecture.md"

    def test_it_names_every_script_once_in_its_table(self):
        table = text_of(self.document).split("| script | keys of |")[1].split("\n\n")[0]
        found = Counter(name for name in re.findall(r"`(\w+)`", table) if name in all_scripts())
        wrong = set(all_scripts()) ^ {name for name, times in found.items() if times == 1}
        self.assertEqual(wrong, set())

    def test_it_names_every_module_of_the_stages_a_message_passes(self):
        folders = [ROOT / "chatsrv" / name for name in ("session", "actors", "store", "bus")]
        files = [file for folder in folders for file in folder.glob("*.py") if file.name != "__init__.py"]
        there = {str(file.relative_to(ROOT)) for file in files}
        self.assertEqual(
            there - set(code_in(self.document)), set(), "say in docs/architecture.md what it is for"
        )

    def test_the_map_of_the_package_names_every_stage(self):
        import chatsrv

        listed = set(re.findall(r"([a-z_]+)(?:/|\.py)(?=\s)", chatsrv.__doc__ or ""))
        there = {
            entry.name.removesuffix(".py")
            for entry in (ROOT / "chatsrv").iterdir()
            if entry.suffix in ("", ".py") and entry.name not in ("__init__.py", "__pycache__")
        }
        self.assertLessEqual(there, listed)


class Reliability(SynchronousTestCase):
    """Every row of the catalogue is there, and is a test, or says why there is none."""

    document = ROOT / "docs/reliability.md"
    rows = {
        *(f"H{number}" for number in range(1, 17)),
        *(f"B{number}" for number in range(1, 7)),
        *(f"J{number}" for number in range(1, 9)),
        *(f"S{number}" for number in range(1, 10)),
        *(f"P{number}" for number in range(1, 14)),
        *(f"L{number}" for number in range(1, 25)),
        *(f"F{number}" for number in (25, 26, 27, 28, 29, 31, 32, 33, 34, 35, 42, 45)),
        *(f"A{number}" for number in range(1, 12)),
        *(f"W{number}" for number in range(1, 7)),
    }

    def cells(self):
        """The rows of all tables, as lists of cells."""
        lines = re.findall(r"^\| (.*) \|$", text_of(self.document), re.MULTILINE)
        return [line.split(" | ") for line in lines if not line.startswith("---")]

    def test_every_row_is_there_once(self):
        found = Counter(cells[0] for cells in self.cells() if re.fullmatch(r"[A-Z]\d+", cells[0]))
        self.assertEqual(found, Counter(self.rows))

    def test_every_row_names_a_test_or_says_why_there_is_none(self):
        headings = {"id", "command", "what"}
        for cells in self.cells():
            of_figures = len(cells) == 10  # what `make hostile` wrote
            if cells[0] not in headings and not cells[0].startswith("`make ") and not of_figures:
                self.assertEqual(len(cells), 4, cells)
                self.assertRegex(cells[3], r"^(`tests/\S+::\S+`(, )?)+$|^no test: .", cells[0])

    def test_every_test_named_exists(self):
        named = re.findall(r"`(tests/[\w/]+)\.py::(\w+)::(test_\w+)`", text_of(self.document))
        self.assertEqual(len(named), text_of(self.document).count("::test_"))
        for path, case, test in named:
            module = importlib.import_module(path.replace("/", "."))
            self.assertTrue(hasattr(getattr(module, case, None), test), f"{path}.py::{case}::{test}")
