"""Checks accept the solution, refuse plausible wrong answers with a hint that teaches, and know an open exercise."""

import importlib
import importlib.util

import numpy as np
import pytest

from causalrec_lib.course import notebook
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
    results = [check(exercise_id(chapter, task), answer) for answer in answers]
    for k, result in enumerate(results):
        assert result.verdict == "wrong", f"wrong answer {k} is {result.verdict}: {result.message}"
        assert len(result.message) >= SHORTEST_HINT, f"wrong answer {k} gets a poor hint: {result.message!r}"
        assert "Your function raised" not in result.message, f"wrong answer {k} crashes: {result.message}"
    assert len({r.message for r in results}) >= 2, f"all get the same hint: {results[0].message!r}"


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
