"""For pytest alone, what is so under trial: a directory for each test, so that `mktemp` leaves nothing here, and
failures that can be cleaned of their traceback, which pytest-twisted prevents."""

from pathlib import Path

import pytest
from twisted.python.failure import Failure

#: Twisted's own: this file is read before pytest-twisted puts one there that does nothing.
_clean_failure = Failure.cleanFailure


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def failures_that_can_be_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failure, "cleanFailure", _clean_failure)
