"""Building the site: quick when nothing changed, refused when a chapter is missing, failed, edited or unproven."""

from __future__ import annotations

import html
import json
import re
import shutil
import time
from pathlib import Path

import pytest

from causalrec_lib.course import site as builder
from causalrec_lib.course.notebook import lab_name, load
from causalrec_lib.course.repository import Repository
from causalrec_lib.course.site_exercises import exercise_page, exercises
from causalrec_lib.course.site_layout import Layout
from causalrec_lib.course.site_outputs import tables
from causalrec_lib.course.site_pages import SiteError, buttons
from causalrec_lib.course.site_start import in_colab, map_of_parts, picture
from causalrec_lib.plots import COLORS

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = "concepts/01_sample"


def build(where: Layout) -> Path:
    return builder.build_site(where.profile, root=where.root, build=where.build, book=where.book)


@pytest.fixture
def copy(sample: Layout, tmp_path: Path) -> Layout:
    """The sample's folders without the built site, to be broken."""
    for folder in (sample.root, sample.build):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("_build", "_extra"))
    return Layout(tmp_path / "course", tmp_path / "course" / "book", tmp_path / "build", "ci")


def test_nothing_changed_nothing_built(sample: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "jupyter_book", lambda where: pytest.fail("Jupyter Book ran again"))
    began = time.perf_counter()
    assert build(sample) == sample.html / "index.html"
    assert time.perf_counter() - began < 2


def test_one_page_changed_one_page_written(copy: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "jupyter_book", lambda where: None)
    build(copy)
    pages = copy.book / "chapters"
    before = {p: p.stat().st_mtime_ns for p in pages.rglob("*") if p.is_file()}
    path = copy.executed("weighting/01_sample")
    shown = load(path)
    shown["cells"][-1]["outputs"][0]["data"] = {"text/markdown": "Recorded **43**."}
    path.write_text(json.dumps(shown), encoding="utf-8")
    build(copy)
    assert [p.stem for p, at in before.items() if p.stat().st_mtime_ns != at] == ["01_sample"]


def test_missing_chapter_is_named_and_nothing_is_built(copy: Layout) -> None:
    copy.executed(CHAPTER).unlink()
    with pytest.raises(SiteError, match=f"{CHAPTER} has not run, or its run failed"):
        build(copy)
    assert not copy.html.exists()


def test_edited_chapter_is_named(copy: Layout) -> None:
    source = copy.root / "notebooks" / f"{CHAPTER}.py"
    source.write_text(
        source.read_text(encoding="utf-8").replace("PROFILE = ", "LEVEL = 1\nPROFILE = "), encoding="utf-8"
    )
    with pytest.raises(SiteError, match=f"{CHAPTER} was edited after its last run"):
        build(copy)


def test_error_in_a_run_is_named(copy: Layout) -> None:
    path = copy.executed(CHAPTER)
    shown = load(path)
    code = next(c for c in reversed(shown["cells"]) if c["cell_type"] == "code")
    code["outputs"] = [{"output_type": "error", "ename": "ZeroDivisionError", "evalue": "by zero", "traceback": []}]
    path.write_text(json.dumps(shown), encoding="utf-8")
    with pytest.raises(SiteError, match=f"{CHAPTER}: the run stopped with ZeroDivisionError: by zero"):
        build(copy)


def test_number_that_nobody_recorded_is_named(copy: Layout) -> None:
    (copy.build / "records" / "ci" / f"{CHAPTER}.json").unlink()
    with pytest.raises(SiteError, match=CHAPTER):
        build(copy)


def test_command_says_what_is_wrong(
    copy: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    copy.executed(CHAPTER).unlink()
    monkeypatch.setattr(builder, "layout", lambda *given: copy)
    assert builder.main(["--profile", "ci"]) == 1
    assert CHAPTER in capsys.readouterr().err


def test_buttons_need_a_target(sample: Layout) -> None:
    labels = [b.label for b in buttons(sample, Repository(), CHAPTER)]
    assert labels == ["Lab notebook", "Solved notebook", "Script"]
    there = buttons(sample, Repository("https://github.com/owner/course"), CHAPTER)
    assert [b.label for b in there] == ["Open in Colab", "Lab notebook", "Solved notebook", "Script", "Source"]
    assert there[0].href.endswith(f"/owner/course/blob/gh-pages/labs/{lab_name(CHAPTER, 'student')}")
    elsewhere = buttons(sample, Repository("https://example.org/owner/course"), CHAPTER)
    assert "Open in Colab" not in [b.label for b in elsewhere]


def test_start_page_has_picture_map_and_a_way_to_colab(sample: Layout) -> None:
    assert "<svg" in picture(sample)
    parts = map_of_parts(sample)
    assert "</chapters/concepts/01_sample>" in parts
    assert parts.split("Planned: ")[1].count("**: ") == 8
    assert parts.count("<div>") == 2
    assert "colab.research.google.com" in in_colab(sample, Repository("https://github.com/owner/course"))
    assert "http" not in in_colab(sample, Repository())


def test_all_exercises_are_listed_with_task_kind_and_lab(sample: Layout) -> None:
    page = exercise_page(sample, Repository())
    for source in sample.sources():
        chapter = sample.chapter(source)
        headings = re.findall(r"^# ### Exercise (\d+: .+)$", source.read_text(encoding="utf-8"), re.M)
        links = re.findall(rf'<a href="../../chapters/{chapter}.html#exercise-[^"]+">([^<]+)</a>', page)
        assert [html.unescape(link) for link in links] == headings
        assert (sample.lab(chapter, "student").name in page) == bool(headings)
    rows = re.findall(r"^\| <a .*</a> \| (.+) \| (planted error|write it) \|$", page, re.M)
    assert rows and page.count("\n| <a ") == len(rows)
    there = exercise_page(sample, Repository("https://github.com/owner/course"))
    assert "colab.research.google.com" in there and "colab" not in page


@pytest.mark.parametrize(
    ("heading", "said"),
    [("Exercise 1.1: weights", "must read 'Exercise 2: title'"), ("Exercise 99: weights", "concepts/01.99")],
)
def test_an_exercise_that_no_check_answers_is_named(heading: str, said: str) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": f"### {heading}"},
        {"cell_type": "code", "metadata": {"tags": ["exercise"]}, "source": "..."},
    ]
    with pytest.raises(ValueError, match=said):
        exercises(CHAPTER, {"cells": cells})


@pytest.mark.parametrize("name", ["logo.svg", "favicon.svg"])
def test_sign_has_the_colours_of_the_figures(name: str) -> None:
    used = set(re.findall(r"#[0-9a-f]{6}", (ROOT / "book" / "_static" / name).read_text(encoding="utf-8")))
    assert used
    assert used <= set(COLORS.values())


def test_headings_of_a_table_stand_on_one_line() -> None:
    head = "<tr><th></th><th>shown</th><th>what</th></tr><tr><th>item</th><th></th><th></th></tr>"
    body = "<tr><th>3</th><td>1,748</td><td>a review</td></tr><tr><th>4</th><td>\u22120.5</td><td>NaN</td></tr>"
    frame = f'<table border="1" class="dataframe"><thead>{head}</thead><tbody>{body}</tbody></table>'
    shown = tables(frame)
    assert '<thead><tr><th>item</th><th>shown</th><th class="cr-word">what</th></tr></thead>' in shown
    assert '<td>1,748</td><td class="cr-word">a review</td>' in shown
    assert r'process">\(1-y\)</span>' in tables(frame.replace("a review", "non-purchases, $1-y$"))
    assert "process" not in tables(frame.replace("a review", "from $5 to $6"))
    named = frame.replace("<tr><th></th>", "<tr><th>group</th>")
    assert tables(named).count("<tr>") == 4, "a name of the columns keeps its line"


def test_set_up_is_folded_into_one_cell(sample: Layout) -> None:
    page = load(sample.book / "chapters" / f"{CHAPTER}.ipynb")
    folded = [c for c in page["cells"] if "set-up" in c["metadata"].get("tags", [])]
    assert len(folded) == 1
    assert folded[0]["source"].startswith("PROFILE = ")
    assert "course.start(" in folded[0]["source"]
