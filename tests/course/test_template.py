"""A new chapter runs and is refused only for what its author has to replace."""

import ast
import importlib.util
import subprocess
import sys

import jupytext
import pytest

from causalrec_lib.course import checks, labs, template
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.check import check, load

from . import form, form_code, form_glue, form_tasks, form_text  # noqa: F401  (importing them registers their rules)
from .kernel import verdicts

PART, NAME = "frontier", "97_a_new_chapter"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The three files of a new chapter, its checks where `check` finds them."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "references.bib").write_text((form.ROOT / "book" / "references.bib").read_text())
    shop = tmp_path / "notebooks" / "concepts" / "01_why_causal.py"
    shop.parent.mkdir(parents=True)
    shop.write_text((form.ROOT / shop.relative_to(tmp_path)).read_text())
    files = template.new_chapter(PART, NAME, tmp_path)
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(files[1].parent)])
    return files


def problems(chapter):
    """All problems of a chapter by rule."""
    found = {name: rule(chapter) for name, rule in {**form.SHARED_RULES, **form.CHAPTER_RULES}.items()}
    return {name: said for name, said in found.items() if said}


def test_it_writes_three_files_that_parse(written, tmp_path):
    assert [str(p.relative_to(tmp_path)) for p in written] == [
        "notebooks/frontier/97_a_new_chapter.py",
        "causalrec_lib/course/checks/frontier_97.py",
        "tests/course/wrong_answers/frontier_97.py",
    ]
    for path in written:
        ast.parse(path.read_text())
        assert "@" not in path.read_text().replace("@exercise", "")


def test_it_becomes_a_notebook(written):
    notebook = jupytext.read(written[0])
    assert notebook.metadata["course"]["kind"] == "chapter"
    assert len([c for c in notebook.cells if c.cell_type == "code"]) > 10


def test_it_is_refused_for_its_placeholders_only(written):
    found = problems(Chapter(written[0]))
    assert set(found) == {"finished"}
    assert len(found["finished"]) >= 25
    assert all("placeholder left" in p for p in found["finished"])


def test_it_passes_once_the_placeholders_are_replaced(written):
    written[0].write_text(written[0].read_text().replace("REPLACE:", "Say"))
    assert problems(Chapter(written[0])) == {}


def test_it_records_enough_for_a_baseline(written):
    names, dynamic = form_glue.recorded_names(Chapter(written[0]))
    assert len(names) >= 8
    assert not dynamic


@pytest.mark.parametrize("name", [NAME, "97_" + "x" * 47])
@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
@pytest.mark.parametrize("part", ["dags", "recommenders"])
def test_what_is_written_is_linted_and_formatted(tmp_path, part, name, command):
    for path in template.new_chapter(part, name, tmp_path):
        asked = ["ruff", *command, "--no-cache", "--stdin-filename", str(path.relative_to(tmp_path)), "-"]
        found = subprocess.run(
            [sys.executable, "-m", *asked], input=path.read_text(), capture_output=True, text=True, cwd=form.ROOT
        )
        assert found.returncode == 0, f"{path.name}: {found.stdout}{found.stderr}"


def test_its_labs_run_and_its_answers_are_accepted(written, tmp_path):
    chapter = Chapter(written[0])
    context = labs.context_of(chapter, tmp_path, lambda key: key)
    student, solved = (labs.lab(chapter, role, context) for role in labs.ROLES)
    found = verdicts(student, solved, tmp_path, paths=[written[1].parent])
    assert found.open == ["unanswered"] * 3
    assert found.solved == ["passed"] * 3


def test_its_wrong_answers_are_refused(written):
    spec = importlib.util.spec_from_file_location("wrong_of_the_template", written[2])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.WRONG) == {f"{PART}/97.{k}" for k in (1, 2, 3)}
    for exercise_id, answers in module.WRONG.items():
        said = [check(exercise_id, a) for a in answers]
        assert [r.verdict for r in said] == ["wrong", "wrong"]
        assert said[0].message != said[1].message
        assert "REPLACE" in load(exercise_id)[0]


@pytest.mark.parametrize(
    ("part", "name", "words"),
    [
        ("cooking", "01_soup", "part must be"),
        ("trees", "soup", "two digits"),
        ("trees", "01_Soup", "two digits"),
        ("trees", "01_" + "s" * 48, "at most 50"),
    ],
)
def test_bad_names_are_refused(tmp_path, part, name, words):
    with pytest.raises(ValueError, match=words):
        template.new_chapter(part, name, tmp_path)


def test_nothing_is_overwritten(written, tmp_path):
    before = {p: p.read_text() for p in written}
    for name in (NAME, "97_another"):
        with pytest.raises(FileExistsError, match="Nothing was written"):
            template.new_chapter(PART, name, tmp_path)
    assert {p: p.read_text() for p in written} == before
    assert len(list(tmp_path.rglob(f"*{NAME[:2]}*.py"))) == 3
