"""Checks accept the solution, refuse plausible wrong answers with a hint that teaches, and know an open exercise."""

import ast
import importlib
import importlib.util
import itertools

import numpy as np
import pandas as pd
import pytest

from causalrec_lib.course import attempts, compare, needs, notebook
from causalrec_lib.course.check import check

from . import form
from .form_gate import need_form
from .form_tasks import exercise_id, functions, tasks

CHAPTERS = [form.sample(), *(c for c in form.course_files() if not c.is_page)]
EXERCISES = [pytest.param(c, t, id=f"{c.part}/{c.source.stem[:2]}.{t.number}") for c in CHAPTERS for t in tasks(c)]
SHORTEST_HINT = 25


def wrong_answers(chapter):
    """The wrong answers of a chapter, by exercise; none if it has no such file, which one test refuses."""
    module = f"{__package__}.wrong_answers.{chapter.part}_{chapter.source.stem[:2]}"
    return importlib.import_module(module).WRONG if importlib.util.find_spec(module) else {}


@pytest.fixture
def known(chapter):
    """Skip where the form says that a check is missing."""
    need_form(chapter, "exercise_checks")


def first_try(exercise, answer):
    """Check an answer as if it were the first; later ones get the recipe, too."""
    attempts.LOG.clear()
    return check(exercise, answer)


def stub(*_args, **_kwargs):
    """What a student's notebook holds before the answer."""
    raise NotImplementedError("Exercise 0: nothing yet")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[c.id for c in CHAPTERS])
def test_every_exercise_has_wrong_answers_and_no_other_has(chapter):
    assert set(wrong_answers(chapter)) == {exercise_id(chapter, t) for t in tasks(chapter)}


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("chapter", "task"), EXERCISES)
def test_two_wrong_answers_or_more_are_refused_with_hints_that_differ(chapter, task):
    answers = wrong_answers(chapter).get(exercise_id(chapter, task))
    if answers is None:
        pytest.skip("see test_every_exercise_has_wrong_answers_and_no_other_has")
    assert len(answers) >= 2
    results = [first_try(exercise_id(chapter, task), answer) for answer in answers]
    for k, result in enumerate(results):
        assert result.verdict == "wrong", f"wrong answer {k} is {result.verdict}: {result.message}"
        assert len(result.message) >= SHORTEST_HINT, f"wrong answer {k} gets a poor hint: {result.message!r}"
        assert "Your function raised" not in result.message, f"wrong answer {k} crashes: {result.message}"
    assert len({r.message for r in results}) >= 2, f"all get the same hint: {results[0].message!r}"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("chapter", "task"), EXERCISES)
def test_each_mistake_that_a_check_explains_gives_numbers_of_its_own(chapter, task, monkeypatch):
    expect_close, seen = compare.expect_close, []

    def watched(got, want, **how):
        seen.append(({"right": want, **(how["wrong"] or {})}, how["rtol"]))
        expect_close(got, want, **how)

    monkeypatch.setattr(compare, "expect_close", watched)
    assert first_try(exercise_id(chapter, task), solved(chapter, task)).passed
    assert len(seen) >= 3, "it is judged on fewer than three data sets"
    for numbers, rtol in seen:
        for (name, one), (other, two) in itertools.combinations(numbers.items(), 2):
            same = np.shape(one) == np.shape(two) and np.allclose(
                one, two, rtol=max(rtol, 1e-6), atol=0, equal_nan=True
            )
            assert not same, f"the same numbers: {name!r} and {other!r}"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("chapter", "task"), EXERCISES)
def test_an_open_exercise_is_unanswered_and_says_its_task(chapter, task):
    result = check(exercise_id(chapter, task), stub)
    assert result.verdict == "unanswered"
    assert "Exercise 0" in result.message
    assert len(result.message.split("(Exercise 0")[0].strip()) >= 15, "the task is too short to say what to do"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("chapter", "task"), EXERCISES)
@pytest.mark.parametrize("value", [None, ..., "text", [], np.nan], ids=["None", "Ellipsis", "text", "empty", "NaN"])
def test_nonsense_is_refused_without_a_crash(chapter, task, value):
    assert not check(exercise_id(chapter, task), lambda *a, **k: value).passed


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("chapter", "task"), EXERCISES)
def test_a_crash_of_the_answer_becomes_a_hint(chapter, task):
    def crash(*_args, **_kwargs):
        raise KeyError("price")

    result = check(exercise_id(chapter, task), crash)
    assert result.verdict == "wrong"
    assert "KeyError" in result.message


@pytest.mark.parametrize(("chapter", "task"), EXERCISES)
def test_a_solution_is_one_function_that_needs_an_answer(chapter, task):
    assert functions(notebook.solution(task.code))
    assert "NotImplementedError" in notebook.stub(task.code, "Exercise 1: x")


# --- answers that no check should take ----------------------------------------------------------------------------


def solved(chapter, task):
    """The course's own answer, with what it needs from the chapter and nothing else."""
    statements, code = [], []
    for k, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type == "code":
            source = notebook.solution(cell.source) if "exercise" in notebook.tags(cell) else cell.source
            statements += [needs.Statement(k, node) for node in needs.parse(source)]
    name = functions(task.code)[-1]
    code = ast.Module([s.node for s in needs.closure(statements, [name])], [])
    room = {}
    exec(compile(code, chapter.id, "exec"), room)  # noqa: S102
    return room[name]


def each_number(value, change):
    """Change a number, an array, the numbers of a table, or each part of a tuple; keep the rest."""
    if isinstance(value, pd.DataFrame):
        return value.assign(**{c: change(value[c].to_numpy(float)) for c in value.select_dtypes("number")})
    if isinstance(value, tuple | list):
        return type(value)(each_number(v, change) for v in value)
    return change(np.asarray(value, dtype=float)) if np.asarray(value).dtype.kind in "biuf" else value


def constant(solution):
    """Whatever the data are, what was right for the first of them."""
    kept = []

    def answer(*args):
        kept.append(solution(*args)) if not kept else None
        return kept[0]

    return answer


def rounded(solution):
    """Right, and then rounded; None if that changes nothing."""
    return lambda *args: each_number(solution(*args), lambda a: np.round(a, 3))


def spoiling(solution):
    """Right, and then it writes into its first table or array."""

    def answer(*args):
        value = solution(*args)
        given = next(a for a in args if isinstance(a, np.ndarray | pd.DataFrame | pd.Series))
        if isinstance(given, pd.DataFrame):
            given["mine"] = 0
        else:
            given[0] = given[0] + 1
        return value

    return answer


def empty(solution):
    """NaN, in the right shape."""
    return lambda *args: each_number(solution(*args), lambda a: np.full(a.shape, np.nan))


def nothing(_solution):
    """A function that ends without a return."""
    return lambda *args: None


LAZY = {"constant": constant, "rounded": rounded, "spoiling": spoiling, "NaN": empty, "None": nothing}


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("chapter", "task"), EXERCISES)
@pytest.mark.parametrize("name", LAZY)
def test_lazy_answers_are_refused_with_a_hint(chapter, task, name):
    solution, exercise = solved(chapter, task), exercise_id(chapter, task)
    if name == "rounded" and not rounding_shows(exercise, solution):
        pytest.skip("its numbers have three digits or fewer")
    result = first_try(exercise, LAZY[name](solution))
    assert not result.passed, f"the check takes {name}"
    assert len(result.message) >= SHORTEST_HINT, f"a poor hint: {result.message!r}"


def rounding_shows(exercise, solution):
    """Whether the course's answer passes, and is another one after rounding."""
    seen = []

    def watched(*args):
        value = solution(*args)
        each_number(value, lambda a: seen.append(not np.array_equal(a, np.round(a, 3), equal_nan=True)))
        return value

    assert first_try(exercise, watched).passed
    return any(seen)
