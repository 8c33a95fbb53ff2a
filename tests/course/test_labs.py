"""Labs: they run, their open checks say what to do, and no MyST shows."""

import ast
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from causalrec_lib.course import labs, labs_cells, labs_setup, notebook, runner, second
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.labs_colab import extras
from causalrec_lib.course.labs_glossary import Glossary
from causalrec_lib.course.labs_markdown import Context, flatten, leftovers, page_title
from causalrec_lib.course.labs_references import Bibliography
from causalrec_lib.course.labs_setup import cautions, setup_cell, version
from causalrec_lib.course.records import Resolver, record_path
from causalrec_lib.course.repository import NOWHERE, Repository, public_url, repository

from . import form
from .form_gate import LABS, need_form
from .form_tasks import tasks
from .kernel import verdicts

CHAPTERS = [c for c in form.course_files() if not c.is_page]
EVERY = [form.sample(), *CHAPTERS]
REPO = Repository("https://example.org/ann/course", "v1")
BIB = r"""
@article{one, author={H{\'a}jek, Jaroslav}, title={On {P}oisson sampling}, journal={J. \& K.}, year={1971},
         doi={10.1/abc}}
@article{two, author={Rubin, Donald B. and van der Laan, Mark}, title={Two}, journal={J}, year={1983},
         eprint={1234.5678}}
@book{three, author={Ann, A. and Ben, B. and Cem, C.}, title={Three}, publisher={P}, year={2020},
      url={https://e.org}}
"""


def context(chapter="sample/01_top_shelf"):
    """A context in which numbers show their keys."""
    return Context(chapter, lambda key: f"[{key}]", lambda target: f"title of {target}", Bibliography(BIB))


def of_course(chapter):
    """A context that reads the course's own pages and references, with keys for numbers."""
    return labs.context_of(chapter, form.ROOT, lambda key: "(number)")


def both(chapter):
    """Student and solution notebook; skipped where the chapter's form says already why there can be none."""
    need_form(chapter, *LABS)
    return [labs.lab(chapter, role, of_course(chapter), REPO) for role in labs.ROLES]


def ids(chapters):
    """Ids for parametrize."""
    return [c.id for c in chapters]


# --- every chapter ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chapter", CHAPTERS, ids=ids(CHAPTERS))
def test_the_lab_of_today_ran_with_open_and_with_solved_exercises(chapter):
    """The second run stops unless every check says "open" to the stubs and "passed" to the solutions."""
    need_form(chapter, *LABS)
    ran = form.ROOT / "build" / "second" / "ci" / f"{chapter.id}.ipynb"
    assert ran.with_suffix(".ok").is_file(), f"{chapter.id} has no second run that went well: make second-run"
    first = notebook.load(runner.paths(chapter, "ci", form.ROOT / "build")["executed"])
    assert notebook.load(ran) == second.notebook_of(chapter, first, form.ROOT), "the lab has changed: make second-run"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=ids(CHAPTERS))
def test_every_code_cell_of_both_labs_is_in_the_second_run(chapter):
    need_form(chapter, *LABS)
    first = notebook.load(runner.paths(chapter, "ci", form.ROOT / "build")["executed"])
    ran = iter([c["source"] for c in second.notebook_of(chapter, first, form.ROOT)["cells"]])
    student, solved = both(chapter)
    wanted = [c["source"] for c in student["cells"][1:] if c["cell_type"] == "code"]
    wanted += [c["source"] for c in solved["cells"] if {"exercise", "check"} & set(notebook.tags(c))]
    assert [source for source in wanted if source not in ran] == [], "left out, or in another order"


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_both_notebooks_differ_in_their_exercise_cells_only(chapter):
    student, solved = both(chapter)
    assert len(student["cells"]) == len(solved["cells"])
    differ = [a for a, b in zip(student["cells"], solved["cells"], strict=True) if a["source"] != b["source"]]
    assert len(differ) == len(tasks(chapter)) >= 3
    assert all("exercise" in notebook.tags(c) for c in differ)


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_no_solution_and_no_output_reaches_a_student(chapter):
    student, solved = both(chapter)
    for cell in student["cells"]:
        assert "SOLUTION" not in cell["source"]
        if "exercise" in notebook.tags(cell):
            assert 'raise NotImplementedError("Exercise ' in cell["source"]
    exercises = [c for c in solved["cells"] if "exercise" in notebook.tags(c)]
    assert not any("NotImplementedError" in c["source"] or "SOLUTION" in c["source"] for c in exercises)
    code = [c for nb in (student, solved) for c in nb["cells"] if c["cell_type"] == "code"]
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_no_myst_is_left_showing(chapter):
    for nb in both(chapter):
        for cell in nb["cells"]:
            if cell["cell_type"] == "markdown":
                assert leftovers(cell["source"]) == []


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_a_lab_is_a_valid_notebook_and_the_same_bytes_each_time(chapter):
    first, again = (list(map(labs.dumps, both(Chapter(chapter.source)))) for _ in range(2))
    assert first == again
    for text in first:
        nbformat.validate(nbformat.reads(text, as_version=4))
        cell_ids = [c["id"] for c in json.loads(text)["cells"]]
        assert len(set(cell_ids)) == len(cell_ids)


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_a_lab_starts_with_its_set_up_and_fetches_what_the_chapter_declares(chapter):
    student, _ = both(chapter)
    setup, *_, references, _, report = student["cells"]
    call = ast.parse(setup["source"]).body[-1].value
    source, wanted, data = (ast.literal_eval(a) for a in call.args)
    assert source == f"causalrec-lib{wanted} @ git+{REPO.url}@{REPO.ref}"
    assert data == chapter.data()
    assert references["source"].startswith("## References\n")
    assert "report" in notebook.tags(report)
    assert 'PROFILE = "ci"' in next(c["source"] for c in student["cells"] if "parameters" in notebook.tags(c))
    quizzes = [c for c in student["cells"] if "quiz" in notebook.tags(c)]
    assert quizzes
    assert all(c["metadata"]["cellView"] == "form" for c in quizzes)


@pytest.mark.parametrize("chapter", form.course_files(), ids=ids(form.course_files()))
def test_every_glued_number_is_in_the_records_of_the_build(chapter):
    path = record_path(chapter.id, "ci")
    if not path.is_file() or path.stat().st_mtime < chapter.source.stat().st_mtime:
        pytest.skip(f"{chapter.id} has not run since it was edited; make test runs it first")
    need_form(chapter, "glue")
    numbers = Resolver("ci")
    for cell in chapter.notebook.cells:
        if cell.cell_type == "markdown":
            assert "{glue:text}" not in numbers.resolve(cell.source, chapter.id)


# --- the sample ---------------------------------------------------------------------------------------------------


def test_the_sample_runs(tmp_path):
    found = verdicts(*both(form.sample()), tmp_path, paths=[form.SAMPLE / "checks"])
    assert found.open == ["unanswered"] * 3
    assert found.said[0] == "Return the difference in means. (Exercise 1: the naive difference)"
    assert found.solved == ["passed"] * 3


def test_a_wrong_solution_is_caught_by_the_run(tmp_path):
    student, solved = both(form.sample())
    cell = next(c for c in solved["cells"] if "exercise" in notebook.tags(c))
    cell["source"] = "def difference(y, t):\n    return y.mean()"
    with pytest.raises(Exception, match="CheckFailed"):
        verdicts(student, solved, tmp_path, paths=[form.SAMPLE / "checks"])


def test_labs_are_written_with_the_numbers_of_the_build(tmp_path, monkeypatch):
    from causalrec_lib.course import records

    root = tmp_path / "root"
    folder = root / "notebooks" / "concepts"
    folder.mkdir(parents=True)
    source = form.sample().source.read_text().replace("sample/01", "concepts/01")
    (folder / "01_top_shelf.py").write_text(source)
    (root / "book").mkdir()
    (root / "book" / "references.bib").write_text((form.ROOT / "book" / "references.bib").read_text())
    with pytest.raises(FileNotFoundError, match="run the chapter first"):
        labs.build_labs("ci", root, tmp_path)
    row = {"effect": records.Record(1.013, truth=1.0, naive=-2.25)}
    records.write(records.record_path("concepts/01_top_shelf", "ci", tmp_path), {}, row)
    stale = tmp_path / "labs" / "concepts" / "01_old_student.ipynb"
    stale.parent.mkdir(parents=True, exist_ok=True)
    stale.write_text("{}")
    student, solution, exercises = labs.build_labs("ci", root, tmp_path)
    assert student == tmp_path / "labs" / "concepts_01_top_shelf_student.ipynb"
    assert solution == labs.lab_path("concepts/01_top_shelf", "solution", tmp_path)
    assert exercises.name == "concepts_01_top_shelf_exercises.ipynb"
    assert json.loads(student.read_text())["metadata"]["colab"]["name"] == student.name
    assert not stale.exists()
    assert "naive answer is \u22122.25, the strata say 1.01, the truth is\\n" in student.read_text()
    records.write(records.record_path("concepts/01_top_shelf", "ci", tmp_path), {}, {})
    with pytest.raises(KeyError, match="effect"):
        labs.build_labs("ci", root, tmp_path)
    baseline = root / "tests" / "regression" / "baselines" / "ci" / "concepts" / "01_top_shelf.json"
    records.write(baseline, {}, row)
    student, *_ = labs.build_labs("ci", root, tmp_path, from_baselines=True)
    assert "the strata say 1.01" in student.read_text()
    records.write(baseline, {}, {})
    student, *_ = labs.build_labs("ci", root, tmp_path, from_baselines=True)
    assert "the strata say (number in the book)" in student.read_text(), "a time, for example, has no baseline"


def test_a_chapter_whose_form_is_wrong_is_left_to_the_form(tmp_path):
    path = tmp_path / "sample" / "01_top_shelf.py"
    path.parent.mkdir()
    for old, new, words in (
        ("{cite:p}`rosenbaum1983central`", "{cite:p}`nobody1900nothing`", "citations.*nobody1900nothing"),
        ("# ### Exercise 3: a planted", "# ### Exercise 4: a planted", "exercises"),
        ('# %% tags=["check"]\n', "# %%\n", "exercise_form"),
    ):
        source = form.sample().source.read_text()
        assert old in source
        path.write_text(source.replace(old, new, 1))
        with pytest.raises(pytest.skip.Exception, match=f"see form, rule {words}"):
            both(Chapter(path))


def test_a_cell_that_the_site_folds_is_folded_in_a_lab_too(tmp_path):
    path = tmp_path / "sample" / "01_top_shelf.py"
    path.parent.mkdir()
    path.write_text(form.sample().source.read_text().replace("# %%\nfig =", '# %% tags=["hide-input"]\nfig =', 1))
    student, _ = both(Chapter(path))
    folded = [c for c in student["cells"] if c["metadata"].get("cellView") == "form" and "fig =" in c["source"]]
    assert [c["metadata"] for c in folded] == [{"cellView": "form", "jupyter": {"source_hidden": True}}]
    title = "# @title Figure: The naive difference (grey) misses the truth ..."
    assert folded[0]["source"].splitlines()[0] == title


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_every_folded_cell_has_a_title_and_quizzes_are_counted(chapter):
    student, _ = both(chapter)
    folded = [c["source"].splitlines()[0] for c in student["cells"] if c["metadata"].get("cellView") == "form"]
    assert all(re.fullmatch(r"# @title \S.{3,72}", line) for line in folded), folded
    quizzes = [line for line in folded if "Quiz" in line]
    assert quizzes == [f"# @title Quiz {k + 1}" for k in range(len(quizzes))] and len(quizzes) >= 3


HIDDEN = {"cell_type": "code", "metadata": {"tags": ["hide-input"]}}
ONLY_NUMBERS = [
    ("run.record('a', 1.0)", [], True),
    ("x = f(y)\nfor k in x:\n    run.record(f'a_{k}', x[k])", ["print(y)"], True),
    ("x = []\nx.append(1)\nrun.record('a', x[0])", ["x = 2"], True),
    ("x = f(y)\nrun.record('a', x)", ["g(x)"], False),
    ("x = run.rng.normal()\nrun.record('a', x)", [], False),
    ("run.record('a', 1.0)\nrun.claim('b', True)", [], False),
    ("run.record('a', 1.0)\nx", [], False),
    ("run.record('a', 1.0)\nplots.show(fig)", [], False),
    ("x = 1", [], False),
]


@pytest.mark.parametrize(("source", "later", "drops"), ONLY_NUMBERS)
def test_cells_that_only_feed_the_books_numbers_stay_out(source, later, drops):
    assert labs_cells.only_numbers({**HIDDEN, "source": source}, later) is drops


# --- the short lab ------------------------------------------------------------------------------------------------


def short(chapter):
    """Student and solution form of the short lab."""
    need_form(chapter, *LABS)
    return [labs.lab(chapter, role, of_course(chapter), REPO, short=True) for role in labs.ROLES]


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_the_short_lab_runs_in_seconds(chapter, tmp_path):
    paths = [form.SAMPLE / "checks"] if chapter.part == "sample" else []
    found = verdicts(*short(chapter), tmp_path, paths=paths, timeout=60)
    assert found.open == ["unanswered"] * len(tasks(chapter))
    assert found.solved == ["passed"] * len(tasks(chapter))


@pytest.mark.parametrize("chapter", EVERY, ids=ids(EVERY))
def test_the_short_lab_holds_the_tasks_and_nothing_that_takes_long(chapter):
    student, _ = short(chapter)
    text = "\n".join(c["source"] for c in student["cells"])
    assert text.count("### Exercise ") == len(tasks(chapter))
    assert "## Quiz" in text and "## Takeaways" not in text and "SOLUTION" not in text
    assert "course.start(" not in text and "make_world" not in text
    assert student["metadata"]["course"]["chapter"] == chapter.id


def test_the_short_lab_takes_along_what_exercises_name(tmp_path):
    path = tmp_path / "sample" / "01_top_shelf.py"
    path.parent.mkdir()
    source = form.sample().source.read_text()
    source = source.replace(
        "# %%\nn = run.size",
        "# %%\nSCALE = 2.0\n\n\ndef scaled(a):\n    return SCALE * a\n\n\n"
        '# %% tags=["exercise-needs"]\nTOY = [1, 2]\n\n# %%\nn = run.size',
        1,
    )
    source = source.replace("    return y[t == 1].mean()", "    y = scaled(y) / 2\n    return y[t == 1].mean()", 1)
    path.write_text(source)
    student, _ = short(Chapter(path))
    code = [c["source"] for c in student["cells"] if c["cell_type"] == "code"]
    assert code[1] == "import numpy as np\n\nfrom causalrec_lib.course import check, quiz"
    assert code[2] == "SCALE = 2.0\n\n\ndef scaled(a):\n    return SCALE * a"
    assert code[3] == "TOY = [1, 2]"


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError, match="student, solution"):
        labs.lab(form.sample(), "teacher", context())


# --- markdown -----------------------------------------------------------------------------------------------------

FLAT = {
    "a {term}`propensity score` here": "a *propensity score* here",
    "a {term}`score <propensity score>`": "a *score*",
    "{cite:p}`one`": "(H\u00e1jek, 1971)",
    "{cite:p}`one, three`": "(H\u00e1jek, 1971; Ann et al., 2020)",
    "{cite:t}`two` say": "Rubin and van der Laan (1983) say",
    "{doc}`02_next`": "*title of 02_next*",
    "{doc}`the next chapter <02_next>`": "the next chapter (*title of 02_next*)",
    "{glue:text}`a.se:.2f` and {glue:text}`b/c::d:.1f`": "[a.se:.2f] and [b/c::d:.1f]",
    "{math}`x^2`": "$x^2$",
    "(label)=\n## Title": "## Title",
    ":::{note}\ntext\n\nmore\n:::\nafter": "> **Note**\n>\n> text\n>\n> more\nafter",
    ":::{tip} Try *this*\ntext\n:::": "> **Tip: Try *this***\n>\n> text",
    "```{math}\nx\n```": "$$\nx\n$$",
    "```python\nd = {'a': 1}  # {term}`x`\n:::\n```": "```python\nd = {'a': 1}  # {term}`x`\n:::\n```",
    "$e = P(t)$ and $$x$$ `code` <details>": "$e = P(t)$ and $$x$$ `code` <details>",
    ":::{warning}\n```python\nx\n```\n{term}`y`\n:::": "> **Warning**\n>\n> ```python\n> x\n> ```\n> *y*",
    "{term}`two\nlines`": "*two lines*",
}


@pytest.mark.parametrize(("myst", "plain"), FLAT.items())
def test_myst_becomes_plain(myst, plain):
    assert flatten(myst, context()) == plain


@pytest.mark.parametrize(
    ("place", "plain"),
    [
        ("https://e.org/2.html", "[*Two*](https://e.org/2.html) [next](https://e.org/2.html)"),
        ("part_02_student.ipynb", "*Two* (`part_02_student.ipynb`) next (*Two*, `part_02_student.ipynb`)"),
        ("", "*Two* next (*Two*)"),
    ],
)
def test_a_page_is_linked_or_named_with_its_lab(place, plain):
    where = replace(context(), title=lambda _: "Two", place=lambda _: place)
    got = flatten("{doc}`02_next` {doc}`next <02_next>`", where)
    assert got == plain.replace("[*Two*]", "[Two]")


def test_the_place_of_a_page_is_the_site_or_a_lab(monkeypatch):
    chapter = next(c for c in CHAPTERS if c.part == "weighting")
    monkeypatch.setenv("CAUSALREC_REPO_URL", "https://github.com/Ann/course")
    there = of_course(chapter)
    assert there.place("02_matching") == "https://ann.github.io/course/chapters/weighting/02_matching.html"
    assert there.place("/glossary") == "https://ann.github.io/course/glossary.html"
    monkeypatch.setenv("CAUSALREC_REPO_URL", "https://example.org/ann/course")
    here = of_course(chapter)
    assert here.place("02_matching") == "weighting_02_matching_student.ipynb"
    assert here.place("/glossary") == here.place("/chapters/reference/world") == ""


WORDS = """# Glossary

```{glossary}
overlap
positivity
  Chinese: <span lang="zh">A</span>. Every unit may get either {term}`treatment <T>` and has a chance for it. More.

T
  Chinese: <span lang="zh">B</span>. What one does.
```
"""


def test_the_words_used_are_listed_in_english():
    where = replace(context(), glossary=Glossary(WORDS))
    assert where.glossary.section() == ""
    flatten("{term}`Positivity` {term}`they overlap <overlap>` {term}`overlap` {term}`unknown`", where)
    meaning = "Every unit may get either treatment and has a chance for it."
    assert where.glossary.section().splitlines() == [
        "## Words",
        "",
        f"- *overlap*: {meaning}",
        f"- *Positivity*: {meaning}",
    ]


def test_every_word_of_the_course_has_a_short_meaning():
    words = Glossary.read(form.ROOT / "book" / "glossary.md")
    assert len(words._meaning) > 50
    for name, meaning in words._meaning.items():
        assert 10 < len(meaning) < 300 and "{" not in meaning and "span" not in meaning, f"{name}: {meaning}"


REFUSED = {
    "{numref}`x`": "role",
    ":::{danger}\nx\n:::": "not allowed",
    ":::{note}\n:::{tip}\nx\n:::\n:::": "nested",
    ":::{note}\nx": "never closed",
    "```{figure} x.png\n```": "directive",
    "x\n:::\n": "colon fence",
    "{cite:p}`nobody`": "nobody",
}


@pytest.mark.parametrize(("myst", "words"), REFUSED.items())
def test_myst_that_is_not_allowed_stops_the_build(myst, words):
    with pytest.raises(ValueError, match=words):
        flatten(myst, context())


@pytest.mark.parametrize("left", ["see {doc}`x`", ":::{note}", "> :::", "(a-b)=", "```{note}\nx\n```", "{cite:p}`x`"])
def test_what_is_left_is_found(left):
    assert leftovers(f"before\n\n{left}\n")


def test_references_are_listed_once_with_links():
    where = context()
    flatten("{cite:p}`one` {cite:t}`two` {cite:p}`three, one`", where)
    assert where.bibliography.section().splitlines() == [
        "## References",
        "",
        "- Ann, A.; Ben, B.; Cem, C. (2020). *Three*. P. <https://e.org>",
        "- H\u00e1jek, J. (1971). *On Poisson sampling*. J. & K. [doi:10.1/abc](https://doi.org/10.1/abc)",
        "- Rubin, D. B.; van der Laan, M. (1983). *Two*. J. [arXiv:1234.5678](https://arxiv.org/abs/1234.5678)",
    ]
    assert context().bibliography.section() == ""


def test_every_reference_of_the_course_can_be_shown():
    library = Bibliography.read(form.ROOT / "book" / "references.bib")
    library.cite(",".join(sorted(library.keys())), textual=False)
    lines = library.section().splitlines()[2:]
    assert len(lines) == len(library.keys()) > 50
    for line in lines:
        assert re.search(r"\((?:\d{4}|n\.d\.)\)\. \*.+\*\.", line), line
        assert not re.search(r"[{}\\]", line), f"LaTeX is left: {line}"


def test_titles_of_pages_are_found(tmp_path):
    (tmp_path / "notebooks" / "trees").mkdir(parents=True)
    (tmp_path / "notebooks" / "trees" / "01_a.py").write_text("# %% [markdown]\n# # Trees\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "glossary.md").write_text("# Words\n")
    targets = ["01_a", "../trees/01_a", "/chapters/trees/01_a", "01_a.ipynb"]
    assert {page_title(tmp_path, "trees/02_b", t) for t in targets} == {"Trees"}
    for target in ("/glossary", "../../glossary", "/glossary.md"):
        assert page_title(tmp_path, "trees/02_b", target) == "Words"
    with pytest.raises(ValueError, match="points to no page"):
        page_title(tmp_path, "trees/02_b", "03_c")


# --- Colab --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://example.org/ann/course.git", "https://example.org/ann/course"),
        ("https://ann:secret@example.org/ann/course", "https://example.org/ann/course"),
        ("git@example.org:ann/course.git", "https://example.org/ann/course"),
        ("ssh://git@example.org:2222/ann/course.git", "https://example.org/ann/course"),
        ("http://example.org:8080/course", "http://example.org:8080/course"),
        ("/srv/course.git", None),
        ("file:///srv/course.git", None),
        ("../course", None),
        ("", None),
    ],
)
def test_only_addresses_on_the_web_are_used_and_no_name_or_password_is_shown(address, url):
    assert public_url(address) == url


def test_the_address_comes_from_the_environment_then_the_settings(tmp_path, monkeypatch):
    for name in ("CAUSALREC_REPO_URL", "CAUSALREC_REPO_REF"):
        monkeypatch.delenv(name, raising=False)
    assert repository(tmp_path) == NOWHERE
    assert not Repository("https://example.org/a/b").installable
    (tmp_path / "pyproject.toml").write_text('[tool.causalrec]\nrepository = "https://example.org/a/b"\nref = "v2"\n')
    assert repository(tmp_path) == Repository("https://example.org/a/b", "v2")
    monkeypatch.setenv("CAUSALREC_REPO_URL", "git@example.org:c/d.git")
    monkeypatch.setenv("CAUSALREC_REPO_REF", "v3")
    assert repository(tmp_path) == Repository("https://example.org/c/d", "v3")
    monkeypatch.setenv("CAUSALREC_REPO_URL", "https://github.com/Ann/course.git")
    assert repository(tmp_path).site == "https://ann.github.io/course/", "where a site of GitHub lies"


@pytest.mark.parametrize("address", ["../course", "https://localhost/a/b", "a course"])
def test_an_address_that_nobody_else_can_open_is_refused_as_a_setting(tmp_path, monkeypatch, address):
    monkeypatch.setenv("CAUSALREC_REPO_URL", address)
    with pytest.raises(ValueError, match="must be an address like"):
        repository(tmp_path)


class Pip:
    """Stands in for pip: notes what it is asked for, and answers as told."""

    def __init__(self, *codes):
        self.asked, self.codes = [], [*codes]

    def __call__(self, command, **_):
        assert command[1:5] == ["-m", "pip", "install", "--quiet"]
        self.asked.append(command[5:])
        code = self.codes.pop(0) if self.codes else 0
        return types.SimpleNamespace(returncode=code, stderr="no route to host")


def run_setup(code, monkeypatch, *, colab, pip=None, here=True):
    """Run a set-up cell; return what it installed, and in which data it asked for."""
    from causalrec_lib import data

    pip, fetched = pip or Pip(), []
    find = importlib.util.find_spec
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "causalrec_lib" and not here else find(n))
    monkeypatch.setattr(data, "present", lambda name: False)
    monkeypatch.setattr(data, "fetch", fetched.append)
    exec(compile(code, "setup", "exec"), {})  # noqa: S102
    return pip.asked, fetched


ADDRESS = "causalrec-lib[causal] @ git+https://example.org/ann/course@v1"


def test_the_set_up_acts_in_colab_only_and_names_each_download(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    cell = setup_cell(REPO, ["causal"], ["nhefs", "nsw"])
    assert run_setup(cell, monkeypatch, colab=False) == ([], [])
    assert capsys.readouterr().out == ""
    asked, fetched = run_setup(cell, monkeypatch, colab=True)
    assert [a[0] for a in asked] == ["--constraint"] and asked[0][2] == ADDRESS
    assert fetched == ["nhefs", "nsw"]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Installing {ADDRESS} ..."
    assert re.match(r"Fetching nhefs \(\d+\.\d MB\): \S", said[1])


def test_a_wheel_in_the_folder_goes_before_the_address(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    wheel = tmp_path / "causalrec_lib-0.1.0+gabc-py3-none-any.whl"
    wheel.write_bytes(b"1")
    (tmp_path / "causalrec_lib-0.1.0+gabc-py3-none-any (1).whl").write_bytes(b"a second upload: pip refuses its name")
    for repo in (REPO, NOWHERE):
        asked, _ = run_setup(setup_cell(repo, ["causal"], []), monkeypatch, colab=True, here=False)
        assert asked[0][-1] == f"{wheel.name}[causal]"
    assert "any.whl[causal] (0.0 MB)" in capsys.readouterr().out


def test_without_wheel_and_address_a_student_is_told_what_to_do(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    cell = setup_cell(NOWHERE, [], [])
    assert run_setup(cell, monkeypatch, colab=True) == ([], []), "installed already"
    with pytest.raises(RuntimeError, match=r"Ask your teacher for the wheel; upload it with the folder icon.*again"):
        run_setup(cell, monkeypatch, colab=True, here=False)


def test_outside_of_colab_a_missing_library_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"not installed here.*pip install causalrec-lib @ git\+https://example"):
        run_setup(setup_cell(REPO, [], []), monkeypatch, colab=False, here=False)
    with pytest.raises(RuntimeError, match=r"pip install FILE, where FILE is causalrec_lib-\.\.\.\.whl"):
        run_setup(setup_cell(NOWHERE, [], []), monkeypatch, colab=False, here=False)


def test_a_failed_install_stops_with_what_pip_said(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    pip = Pip(1, 1)
    with pytest.raises(RuntimeError, match=r"could not be installed.*network(.|\n)*no route to host"):
        run_setup(setup_cell(REPO, [], []), monkeypatch, colab=True, pip=pip)
    assert [len(a) for a in pip.asked] == [3, 1], "first beside the versions that are there, then with others"


def test_versions_that_pip_changes_are_named(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    now = {"numpy": "2.1.3", "pandas": "2.2.3", "scikit-learn": "1.6.1"}
    monkeypatch.setattr(
        importlib.metadata,
        "distribution",
        lambda name: types.SimpleNamespace(metadata={"Name": name}, version=now[name]),
    )

    def pip(command, **_):
        if "--constraint" in command:
            assert Path(command[command.index("--constraint") + 1]).read_text().split() == [
                f"{n}=={v}" for n, v in now.items()
            ]
            return types.SimpleNamespace(returncode=1, stderr="")
        now["pandas"] = "3.1.1"
        return types.SimpleNamespace(returncode=0, stderr="")

    pip.asked = []
    run_setup(setup_cell(REPO, [], []), monkeypatch, colab=True, pip=pip)
    assert "pip changed pandas 2.2.3 to 3.1.1: choose Runtime > Restart session" in capsys.readouterr().out


def checkout(folder):
    """A small git checkout with a commit, and a function that runs git in it."""

    def git(*arguments):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)

    (folder / "notebooks").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.0"\n')
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "one")
    return git


def test_a_teacher_is_warned_of_changes_and_of_a_commit_that_nobody_can_fetch(tmp_path):
    git = checkout(tmp_path / "course")
    root = tmp_path / "course"
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    repo = Repository("https://example.org/a/b", head.stdout.strip())
    assert [s.split()[-1] for s in cautions(root, repo)] == ["library."]
    assert version(root) == f"1.2.0+g{repo.ref[:7]}"
    git("init", "--quiet", "--bare", str(tmp_path / "remote"))
    git("remote", "add", "origin", str(tmp_path / "remote"))
    git("push", "--quiet", "origin", "HEAD")
    assert cautions(root, repo) == []
    assert cautions(root, Repository(repo.url, "v1")) == [], "a chosen tag is the teacher's word"
    assert "uploads the wheel" in cautions(root, NOWHERE)[0]
    (root / "notebooks" / "new.py").write_text("1")
    assert "not committed" in cautions(root, repo)[0]
    assert version(root).endswith(".dirty")


def test_the_address_file_changes_only_with_address_and_commit(tmp_path, monkeypatch):
    git = checkout(tmp_path / "course")
    monkeypatch.chdir(tmp_path / "course")
    monkeypatch.delenv("CAUSALREC_REPO_REF", raising=False)
    monkeypatch.setenv("CAUSALREC_REPO_URL", "https://example.org/a/b")
    out = tmp_path / "build" / ".address"
    monkeypatch.setattr(sys, "argv", ["labs_setup", "--out", str(out)])

    def changes():
        before = out.stat().st_mtime_ns if out.is_file() else 0
        labs_setup.main()
        return out.stat().st_mtime_ns != before

    assert changes() and not changes()
    monkeypatch.setenv("CAUSALREC_REPO_URL", "https://example.org/c/d")
    assert changes() and not changes()
    git("commit", "--quiet", "--allow-empty", "--message", "two")
    assert changes() and not changes()


def test_extras_are_asked_for_only_where_they_are_needed():
    assert extras(["import numpy as np\nfrom causalrec_lib import course, data, plots"]) == []
    assert extras(["import econml.dml"]) == ["causal"]
    assert extras(["def f():\n    from dowhy import CausalModel"]) == ["causal"]


def test_a_label_in_the_stub_is_the_heading_of_the_exercise():
    student, _ = both(form.sample())
    stubs = [c["source"] for c in student["cells"] if "exercise" in notebook.tags(c)]
    assert 'raise NotImplementedError("Exercise 3: a planted error")' in stubs[2]


def test_a_cell_of_bad_form_names_chapter_and_exercise(tmp_path):
    path = tmp_path / "01_top_shelf.py"
    path.write_text(form.sample().source.read_text().replace("    # END SOLUTION\n", "", 1))
    with pytest.raises(ValueError, match=r"Exercise 1: the naive difference: .*never closes|twice"):
        labs.lab(
            Chapter(path),
            "student",
            replace(context(), number=str, bibliography=of_course(Chapter(path)).bibliography),
        )
