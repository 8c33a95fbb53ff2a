"""Which optional parts of the library a lab needs in Colab."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from causalrec_lib.course.chapters import imported

_PLUMBING = ("causalrec_lib.course", "causalrec_lib.data")
EXTRAS = {"causal": ("dowhy", "econml", "semopy")}


def extras(sources: Iterable[str]) -> list[str]:
    """Return the optional parts of the library that code needs beyond what Colab has.

    Parameters
    ----------
    sources : iterable of str
        Python code. Modules of the library that it imports are followed, course and data plumbing excepted.

    Returns
    -------
    list of str
        Names of extras in pyproject.toml.
    """
    found: set[str] = set()
    queue = [name for source in sources for name in imported(source)]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found.add(name)
        if name.startswith("causalrec_lib.") and not name.startswith(_PLUMBING):
            path = _library_file(name)
            queue += imported(path.read_text(encoding="utf-8")) if path else ()
    tops = {name.split(".")[0] for name in found}
    return [extra for extra, packages in EXTRAS.items() if tops & set(packages)]


def _library_file(name: str) -> Path | None:
    """Return the file of a module of the library, or None if the name is an attribute of one."""
    spec = importlib.util.find_spec("causalrec_lib")
    if spec is None or not spec.submodule_search_locations:
        return None
    base = Path(spec.submodule_search_locations[0]).joinpath(*name.split(".")[1:])
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
