"""What all suites of broken twins share."""

from collections.abc import Iterable


def first_failure(checks: Iterable[tuple[str, bool]]) -> str | None:
    """Return the first check that fails; a twin that crashes proves nothing, so errors stay errors."""
    return next((check for check, good in checks if not good), None)
