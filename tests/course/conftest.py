"""The sample chapter's checks are found like those of the course."""

import pytest

from causalrec_lib.course import attempts, checks

from .form import SAMPLE


@pytest.fixture(autouse=True)
def sample_checks(monkeypatch):
    """Let `causalrec_lib.course.checks.sample_01` be imported from the sample's folder."""
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(SAMPLE / "checks")])


@pytest.fixture(autouse=True)
def no_tries_yet(monkeypatch):
    """Let every test begin with an empty log of tries."""
    monkeypatch.setattr(attempts, "LOG", {})
