"""For pytest alone: each test runs in a directory of its own, as under trial, so that `mktemp` leaves nothing here."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
