"""The course's own Sphinx extension: no script that needs a server, addresses from one setting."""

from __future__ import annotations

import os
import re
from pathlib import Path

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.config import Config

from causalrec_lib.course import records
from causalrec_lib.course.repository import repository
from causalrec_lib.course.site_layout import Layout

_ICONS = re.compile(r'<script defer src="[^"]*scripts/fontawesome\.js[^"]*"></script>\s*')
_MENDED = (
    ('<summary aria-label="Toggle hidden content">', "<summary>"),  # hides the prompt, such as "Solution"
    (
        '<summary><span class="toctree-toggle"',
        '<summary aria-label="Pages of this section"><span class="toctree-toggle"',
    ),
    ('<div role="list" class="citation-list">', '<div class="citation-list">'),  # its children are no list items
)
"""What the theme says to screen readers, put right."""
_SUMMARY = ("SHOW_SEARCH_SUMMARY: true", 'SHOW_SEARCH_SUMMARY: location.protocol !== "file:"')
"""Search quotes the pages that it finds, which a browser forbids where they are files."""


def _addresses(app: Sphinx, config: Config) -> None:
    """Take the site's address from the one setting of the course."""
    root = Path(os.environ.get("CAUSALREC_ROOT", Path(app.srcdir).parent))
    repo = repository(root)
    config["ogp_site_url"] = repo.site
    config["html_baseurl"] = repo.site


def _numbers(app: Sphinx, page: str, source: list[str]) -> None:
    """Put recorded numbers into pages that are no notebooks."""
    if page.startswith("chapters/") or "CAUSALREC_PROFILE" not in os.environ:
        return
    where = Layout(
        Path(os.environ["CAUSALREC_ROOT"]),
        Path(app.srcdir),
        Path(os.environ["CAUSALREC_BUILD"]),
        os.environ["CAUSALREC_PROFILE"],
    )
    for key in records.glue_keys(source[0]):
        chapter = key.rpartition("::")[0]
        if chapter and chapter != "ledger":
            app.env.note_dependency(str(records.record_path(chapter, where.profile, where.build)))
    source[0] = records.Resolver(where.profile, where.build).resolve(source[0], page)


def _formulas(app: Sphinx, doctree: nodes.document) -> None:
    """Load MathJax also where the only formulas stand in the HTML output of a cell."""
    if any("mathjax_process" in raw.astext() for raw in doctree.findall(nodes.raw)):
        app.env.domaindata["math"]["has_equations"][app.env.docname] = True


def _slim(app: Sphinx, error: Exception | None) -> None:
    """Drop the icon script (the style sheet brings the same icons) and what only developers of the theme need."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for path in out.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        slim = _ICONS.sub("", text)
        for old, new in _MENDED:
            slim = slim.replace(old, new)
        if slim != text:
            path.write_text(slim, encoding="utf-8")
    options = out / "_static" / "documentation_options.js"
    options.write_text(options.read_text(encoding="utf-8").replace(*_SUMMARY), encoding="utf-8")
    for pattern in ("*.map", "fontawesome.js*", "*.ttf"):
        for path in (out / "_static").rglob(pattern):
            path.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The build.

    Returns
    -------
    dict of str to bool
        It may read and write in parallel.
    """
    for name in ("comments_config", "thebe_config"):
        app.add_config_value(name, {}, "")  # Jupyter Book sets them for extensions that are not loaded
    app.connect("config-inited", _addresses, priority=900)
    app.connect("source-read", _numbers)
    app.connect("doctree-read", _formulas)
    app.connect("build-finished", _slim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
