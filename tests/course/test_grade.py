"""Grading: the answers of handed-in notebooks, without the rest of them, and with a limit on time."""

import csv
import json

import pytest
from typer.testing import CliRunner

from causalrec_lib.course import chapters, grade, labs, notebook, submission
from causalrec_lib.course.cli import app

from . import form

CHAPTER = chapters.get("weighting/01", form.ROOT)
IDS = [f"weighting/01.{k}" for k in (1, 2, 3, 4)]
KNOWN = grade.wanted(form.ROOT)
WRONG = "def hajek_ate(y, t, e):\n    return y.mean()\n"
CRASH = "def effect_on_the_rest(y, t, e):\n    y = y + 0\n    return y['a']\n"
ENDLESS = """def hajek_ate(y, t, e):
    while True:
        try:
            pass
        except BaseException:
            pass
"""


def lab(role):
    """A lab of the chapter, with numbers left out."""
    context = labs.context_of(CHAPTER, form.ROOT, lambda key: "(number)")
    return json.loads(labs.dumps(labs.lab(CHAPTER, role, context)))


def with_cells(book, changes):
    """Replace exercise cells by position; lines as a notebook file has them."""
    at = [c for c in book["cells"] if "exercise" in notebook.tags(c)]
    for k, source in changes.items():
        at[k]["source"] = source.splitlines(keepends=True)
    return book


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """Five notebooks: right, wrong, endless, open, and none at all."""
    folder = tmp_path_factory.mktemp("handed-in")
    right = lab("solution")
    for cell in right["cells"]:
        cell["source"] = [line.replace(notebook.NOBODY, "=Ann") for line in cell["source"]]
    books = {
        "ann": right,
        "ben": with_cells(lab("solution"), {0: WRONG, 2: CRASH, 3: "def broken(:\n"}),
        "cem": with_cells(lab("solution"), {0: ENDLESS, 1: "def thinner_group(t, e, least):\n    raise SystemExit"}),
        "dan": lab("student"),
    }
    for name, book in books.items():
        (folder / name).mkdir()
        (folder / name / "lab.ipynb").write_text(json.dumps(book))
    (folder / "eve.ipynb").write_text("my answers")
    return folder


def test_each_notebook_gets_its_row(handed_in, tmp_path):
    out = tmp_path / "grades.csv"
    done = CliRunner().invoke(app, ["grade", str(handed_in), "--csv", str(out), "--limit", "2"])
    assert done.exit_code == 0, done.output
    rows = {row["file"].split("/")[0]: row for row in csv.DictReader(out.open())}
    verdicts = {name: [row[e] for e in IDS] for name, row in rows.items()}
    assert verdicts["ann"] == ["passed"] * 4 and rows["ann"]["passed"] == rows["ann"]["of"] == "4"
    assert rows["ann"]["name"] == "'=Ann", "a name is no formula"
    assert verdicts["ben"] == ["wrong", "passed", "wrong", "wrong"]
    assert "in line 3: `return y['a']`" in rows["ben"]["notes"]
    assert "no function 'estimate_and_error'" in rows["ben"]["notes"]
    assert verdicts["cem"] == ["timeout", "wrong", "passed", "passed"]
    assert verdicts["dan"] == ["open"] * 4 and rows["dan"]["name"] == ""
    assert rows["eve.ipynb"]["of"] == "0" and "not a notebook" in rows["eve.ipynb"]["notes"]
    assert "Download" in rows["eve.ipynb"]["notes"] and str(handed_in) not in rows["eve.ipynb"]["notes"]


def read(tmp_path, book):
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(book))
    return submission.read(path, tmp_path, KNOWN)


def test_the_answer_in_the_exercise_cell_counts_and_brings_what_it_needs(tmp_path):
    book = with_cells(
        lab("solution"),
        {0: "%time 1\nC = 2\ndef helper(x):\n    return C * x\ndef hajek_ate(y, t, e):\n    return helper(y)"},
    )
    book["cells"].append(
        {
            "cell_type": "code",
            "id": "x",
            "metadata": {},
            "source": "def hajek_ate(y, t, e):\n    return 'old'",
            "outputs": [],
            "execution_count": None,
        }
    )
    found = read(tmp_path, book)
    names = {n for s in found.statements for n in s.binds}
    assert {"C", "helper", "hajek_ate", "np", "thinner_group"} <= names
    assert not {"run", "world", "plots", "log"} & names, "the chapter itself is not run"
    assert sum("hajek_ate" in s.binds for s in found.statements) == 1
    assert all("'old'" not in found.sources[s.cell] for s in found.statements)


def test_without_tags_and_metadata_names_decide(tmp_path):
    book = lab("solution")
    book["metadata"] = {}
    for cell in book["cells"]:
        cell["metadata"] = {}
    found = read(tmp_path, book)
    assert found.answers == submission.checked(CHAPTER.notebook) and len(found.answers) == 4
    for cell in book["cells"]:
        if "check(" in "".join(cell["source"]):
            cell["source"] = []
    assert "no exercise found" in read(tmp_path, book).problem


def test_a_folder_without_notebooks_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["grade", str(tmp_path)])
    assert done.exit_code == 1 and "no notebook lies below" in done.output
