"""The parts of the start page that depend on the chapters: one picture, and the map of the course."""

from __future__ import annotations

import re

from causalrec_lib.course import notebook
from causalrec_lib.course.notebook import Notebook
from causalrec_lib.course.repository import Repository
from causalrec_lib.course.site_layout import PARTS, Layout
from causalrec_lib.course.site_outputs import figures

ABOUT = {
    "concepts": "What a log can't say, and the way from raw events to a causal table.",
    "dags": "Assumptions as pictures: what to adjust for, and what never to.",
    "weighting": "Make the people who got it look like the people who did not.",
    "trees": "Effects that differ from user to user, and whom to act on.",
    "latent": "Instruments, factors, and the causes that nobody measured.",
    "discovery": "How much of the graph the data themselves can tell.",
    "recommenders": "Exposure, off-policy evaluation, experiments on a ranking.",
    "language": "Text in four roles; the language model as a recommender.",
    "domains": "Shops, news, video, social networks, finance, health, travel.",
    "frontier": "Streams, attacks, many media, and how such a system is run.",
}
"""One sentence a part."""
_TITLE = re.compile(r"^# (.+)$", re.M)
_FIGURE = re.compile(r'<figure class="cr-figure">.*?</figure>', re.S)


def title(source: Notebook) -> str:
    """Return the title of a notebook.

    Parameters
    ----------
    source : dict
        An nbformat 4 notebook.

    Returns
    -------
    str
        Its first heading.

    Raises
    ------
    ValueError
        If there is none.
    """
    for cell in source["cells"]:
        found = _TITLE.search(notebook.text(cell)) if cell["cell_type"] == "markdown" else None
        if found:
            return found[1].strip()
    raise ValueError("the notebook has no title; its first markdown cell must start with '# '.")


def picture(where: Layout) -> str:
    """Return the first figure of the first chapter that has one, as HTML.

    Parameters
    ----------
    where : Layout
        The folders.

    Returns
    -------
    str
        A figure; empty if no chapter has any.
    """
    for source in where.sources():
        for cell in notebook.load(where.executed(where.chapter(source)))["cells"]:
            for output in cell.get("outputs", []):
                found = _FIGURE.search("".join(output.get("data", {}).get("text/html", "")))
                if found:
                    return figures(re.sub(r"\n\s*\n", "\n", found[0])) + "\n"
    return ""


def map_of_parts(where: Layout) -> str:
    """Return the parts of the course as cards with their chapters.

    Parameters
    ----------
    where : Layout
        The folders.

    Returns
    -------
    str
        Markdown: a card for each part with chapters, and one sentence on the parts that are planned.
    """
    cards, planned = [], []
    for part, name in PARTS.items():
        rows = []
        for chapter in (where.chapter(s) for s in where.sources() if s.parent.name == part):
            source = notebook.load(where.executed(chapter))
            minutes = notebook.settings(source).get("reading_minutes")
            time = f' <span class="cr-time">{minutes} min</span>' if minutes else ""
            rows.append(f"- {{doc}}`{title(source)} </chapters/{chapter}>`{time}")
        if rows:
            cards.append("\n\n".join(["<div>", f"**{name}.** {ABOUT[part]}", "\n".join(rows), "</div>"]))
        else:
            planned.append(f"**{name}**: {ABOUT[part][0].lower()}{ABOUT[part][1:].rstrip('.')}")
    shown = ['<div class="cr-grid">', *cards, "</div>", ""]
    return "\n".join([*shown, f"Planned: {'; '.join(planned)}.", ""] if planned else shown)


def in_colab(where: Layout, repo: Repository) -> str:
    """Return how to begin in Colab, or why this copy of the site has no button for it.

    Parameters
    ----------
    where : Layout
        The folders.
    repo : Repository
        Where the course is published.

    Returns
    -------
    str
        One paragraph of Markdown.
    """
    chapters = [c for c in map(where.chapter, where.sources()) if where.lab(c, "student").is_file()]
    if repo.slug and chapters:
        address = repo.colab(f"labs/{where.lab(chapters[0], 'student').name}")
        return (
            f"Or without installing anything: [open the first lab in Colab]({address}). Its first cell installs the "
            "library and fetches the data; every chapter has such a button at its head.\n"
        )
    return (
        "Each chapter has a lab at its head, a notebook with exercises that check themselves; it runs in any Jupyter "
        "in which the library is installed. The button for Colab appears in a copy of this site whose repository has "
        "a public address.\n"
    )
