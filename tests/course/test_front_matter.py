"""Front matter: citation file, licences, tools page and class plan agree with the course and with themselves."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from causalrec_lib.course import chapters, notebook
from causalrec_lib.course.site_layout import PARTS

PART = {title: folder for folder, title in PARTS.items()}
ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    "PyTorch",
    "TensorFlow",
    "Transformers",
    "TensorBoard",
    "Weights&Biases",
    "Colab",
    "dowhy",
    "econml",
    "causallib",
    "causal-learn",
    "obp",
    "scikit-uplift",
    "JupyterBook",
    "jupytext",
    "papermill",
    "nbval",
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading, header and rule left out."""
    after = page[page.index(heading) :]
    table = re.search(r"((?:^\|.*\|\n)+)", after, flags=re.M)
    assert table is not None
    return [[c.strip() for c in line.strip("|").split("|")] for line in table[1].splitlines()[2:]]


def test_citation_file_agrees_with_the_package() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"] == "MIT"
    assert [a["name"] for a in citation["authors"]] == [a["name"] for a in project["authors"]]


def test_licences_say_which_covers_what() -> None:
    assert text("LICENSE").startswith("MIT License")
    page = text("LICENSE-TEXT.md")
    for needed in ("creativecommons.org/licenses/by/4.0", "(LICENSE)", "causalrec_lib/", "book/", "data/cards/"):
        assert needed in page


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_page_has_the_tool_and_its_trap(tool: str) -> None:
    page = text("book/tools.md")
    found = {
        row[0].removeprefix("Google ").replace(" ", ""): row[-1]
        for heading in ("## What the course runs on", "## What the outline", "## Others you")
        for row in rows(page, heading)
    }
    assert len(found[tool]) > 20


def test_afternoon_fits_three_hours() -> None:
    minutes = [int(row[0]) for row in rows(text("book/classroom.md"), "### Three hours")]
    assert minutes[0] == 0
    assert minutes[-1] == 180
    assert minutes == sorted(set(minutes))
    assert max(b - a for a, b in itertools.pairwise(minutes)) <= 20


def test_rubric_adds_up() -> None:
    page = text("book/classroom.md")
    grid = rows(page, "## The open task")
    assert all(len(row) == 5 and all(row) for row in grid)
    assert len(grid) * 3 == 18
    assert "Eighteen points" in page


def test_semester_covers_all_parts() -> None:
    plan = rows(text("book/classroom.md"), "## A semester")
    assert [int(row[0]) for row in plan] == list(range(1, 15))
    taught = " ".join(row[1] for row in plan).lower()
    for part in (
        "concepts",
        "causal graphs",
        "weighting",
        "matching",
        "trees",
        "latent",
        "discovery",
        "recommenders",
        "language models",
        "domains",
        "frontier",
    ):
        assert part in taught


def test_semester_says_what_is_planned() -> None:
    """A part without a chapter is planned in all its weeks; a part with chapters has a week that links to one."""
    written = {c.source.parent.name for c in chapters.find(ROOT) if not c.is_page}
    weeks: dict[str, list[str]] = {}
    for row in rows(text("book/classroom.md"), "## A semester"):
        weeks.setdefault(row[1].split(":")[0], []).append(row[2])
    linked = {PART[title] for title, cells in weeks.items() if any("<chapters/" in cell for cell in cells)}
    assert linked == written, "add the part's chapter to the semester plan, or take it out"
    for title, cells in weeks.items():
        assert all("<chapters/" in cell or cell == "planned" for cell in cells), title


def test_afternoon_names_exercises_that_exist() -> None:
    page = text("book/classroom.md")
    plan = page[page.index("### Three hours") : page.index("### Groups")]
    labs = re.findall(r"<chapters/(\w+/\d\d_\w+)>", plan)
    named = re.findall(r"lab (\d), exercise (\d) \(\*(.+?)\*\)", plan)
    assert len(labs) == 4 and len(named) >= 6
    for lab, number, title in named:
        chapter = chapters.get(labs[int(lab) - 1], ROOT).notebook
        assert f"Exercise {number}: {title}" in dict(notebook.exercises(chapter)).values(), (lab, number, title)
    headings = " ".join(notebook.text(c) for lab in labs for c in chapters.get(lab, ROOT).notebook["cells"])
    for section in re.findall(r"chapter \d, \*(.+?)\*|show \*(.+?)\*", plan):
        assert f"## {''.join(section)}\n" in headings, section


def test_ten_references_are_answered() -> None:
    table = rows(text("book/reading.md"), "## The outline's ten references")
    assert [row[0] for row in table] == [str(k) for k in range(1, 11)]
    for number, _, answer in table:
        assert ("Not found" in answer) == (number in ("4", "9"))
        assert "Not found" in answer or "{cite:t}" in answer
