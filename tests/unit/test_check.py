"""Exercise checks: verdicts, hints, ids, and the strict mode of builds."""

import re
import sys
import types

import numpy as np
import pandas as pd
import pytest

from causalrec_lib.course import attempts, report
from causalrec_lib.course.check import (
    CheckFailed,
    Result,
    Unanswered,
    Wrong,
    call,
    check,
    exercise,
    expect_close,
    expect_on_draws,
    expect_refusal,
    load,
)
from causalrec_lib.course.edition import edition

REGISTRY = "causalrec_lib.course.check"  # the package re-exports the function under the module's name
HINT = "Think of the sum of the weights."


@pytest.fixture(autouse=True)
def one_exercise(monkeypatch):
    """A registry with the checks of one made-up chapter and nothing else."""
    monkeypatch.delenv("CAUSALREC_STRICT", raising=False)
    monkeypatch.setattr(sys.modules[REGISTRY], "_CHECKS", {})
    monkeypatch.setitem(sys.modules, "causalrec_lib.course.checks.sample_42", types.ModuleType("sample_42"))

    @exercise("sample/42.1", task="Return two and two.")
    def check_four(answer):
        expect_close(call(answer, 2, 2), 4.0, hint=HINT, wrong={"That is the product of three.": 8.0})


def test_a_right_answer_passes():
    assert check("sample/42.1", lambda a, b: a + b).passed


def test_a_known_mistake_is_explained():
    result = check("sample/42.1", lambda a, b: 8)
    assert (result.verdict, result.message) == ("wrong", "That is the product of three.")


def test_another_mistake_gets_the_general_hint():
    assert check("sample/42.1", lambda a, b: 5) == Result("sample/42.1", "wrong", HINT)


@pytest.mark.parametrize("value", [None, ...])
def test_nothing_returned_is_unanswered_with_the_task(value):
    result = check("sample/42.1", lambda a, b: value)
    assert result.verdict == "unanswered"
    assert result.message.startswith("Return two and two. (")
    assert "return statement" in result.message


def test_a_stub_is_unanswered():
    def stub(a, b):
        raise NotImplementedError("Exercise 1: sums")

    assert check("sample/42.1", stub) == Result("sample/42.1", "unanswered", "Return two and two. (Exercise 1: sums)")


def test_a_crash_is_a_hint_that_names_the_error():
    result = check("sample/42.1", lambda a, b: a / 0)
    assert result.verdict == "wrong"
    assert "ZeroDivisionError: division by zero" in result.message


def test_a_wrong_signature_is_a_hint():
    assert "TypeError" in check("sample/42.1", lambda a: a).message


@pytest.mark.parametrize("answer", [3.0, "x", None, [1]])
def test_an_answer_that_is_no_function_is_refused(answer):
    with pytest.raises(ValueError, match="must be the function"):
        check("sample/42.1", answer)


@pytest.mark.parametrize("bad", ["sample/42", "42.1", "Sample/42.1", "sample/4.1", "", "sample/42.1 ", None, 3])
def test_a_malformed_id_is_refused(bad):
    with pytest.raises(ValueError, match="must look like"):
        load(bad)


def test_an_unknown_exercise_names_those_that_exist():
    with pytest.raises(ValueError, match=r"no exercise 'sample/42.9'; this chapter has sample/42.1"):
        load("sample/42.9")


def test_an_unknown_chapter_is_named():
    with pytest.raises(ValueError, match="no checks exist for chapter sample/43"):
        load("sample/43.1")


def test_a_missing_module_inside_the_checks_is_not_hidden(monkeypatch, tmp_path):
    from causalrec_lib.course import checks

    (tmp_path / "sample_44.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        load("sample/44.1")


def test_two_checks_of_one_exercise_are_refused():
    with pytest.raises(ValueError, match="has a check already"):

        @exercise("sample/42.1", task="Another.")
        def check_other(answer):
            call(answer)


@pytest.mark.parametrize("answer", [lambda a, b: 5, lambda a, b: None])
def test_strict_mode_stops_the_run(monkeypatch, answer):
    monkeypatch.setenv("CAUSALREC_STRICT", "1")
    with pytest.raises(CheckFailed, match=r"sample/42\.1"):
        check("sample/42.1", answer)


def test_strict_mode_lets_a_right_answer_pass(monkeypatch):
    monkeypatch.setenv("CAUSALREC_STRICT", "1")
    assert check("sample/42.1", lambda a, b: 4).passed


@pytest.mark.parametrize("got", [2.0, 2, np.float32(2), np.array(2.0), True + True])
def test_one_number_may_come_in_any_numeric_type(got):
    expect_close(got, 2.0, hint=HINT)


@pytest.mark.parametrize("got", [[1.0, 2.0], np.array([1, 2]), pd.Series([1.0, 2.0]), (1, 2)])
def test_an_array_may_come_in_any_container(got):
    expect_close(got, [1.0, 2.0], hint=HINT)


@pytest.mark.parametrize("got", [[2.0], np.ones((1, 1)), [1.0, 2.0], []])
def test_a_wrong_shape_is_explained(got):
    with pytest.raises(Wrong, match=r"Return one number; you returned (an array|two|no|a table)"):
        expect_close(got, 2.0, hint=HINT)


@pytest.mark.parametrize("got", ["two", {"a": 1}, object(), [[1], [1, 2]], "2", ["2"], 2 + 1j, np.array(2 + 1j)])
def test_what_is_no_number_is_explained(got):
    with pytest.raises(Wrong, match=r"Return one number; you returned (text|an? [\w ]+)\. Think"):
        expect_close(got, 2.0, hint=HINT)


@pytest.mark.parametrize("got", [np.nan, np.inf, -2.0, 2.0 + 1e-5])
def test_a_number_outside_of_the_tolerance_is_refused(got):
    with pytest.raises(Wrong, match=HINT):
        expect_close(got, 2.0, hint=HINT, rtol=1e-6)


def test_the_tolerance_is_relative_or_absolute():
    expect_close(2.0 + 1e-5, 2.0, hint=HINT, rtol=1e-4)
    expect_close(1e-5, 0.0, hint=HINT, atol=1e-4)
    with pytest.raises(Wrong):
        expect_close(1e-5, 0.0, hint=HINT)


def test_a_mistake_of_another_shape_is_never_taken_for_the_answer():
    with pytest.raises(Wrong, match=HINT):
        expect_close([5.0, 5.0], [1.0, 2.0], hint=HINT, wrong={"One number.": 5.0, "Three.": [5.0, 5.0, 5.0]})


def test_open_is_a_kind_of_wrong_so_that_checks_need_one_exception():
    assert issubclass(Unanswered, Wrong)


@pytest.mark.parametrize(("verdict", "word"), [("passed", "passed"), ("wrong", "not yet"), ("unanswered", "open")])
def test_a_result_shows_itself_as_text_and_as_escaped_html(verdict, word):
    result = Result("sample/42.1", verdict, "use <b> & think")
    assert word in repr(result)
    page = result._repr_html_()
    assert f"cr-{verdict}" in page
    assert "use &lt;b&gt; &amp; think" in page
    assert 'role="status"' in page


# --- calls: copies, crashes, refusals ------------------------------------------------------------------------------


def _sorts(y, t):
    y.sort()
    return y[0]


def _adds_a_column(y, t):
    t["new"] = 1
    return 1.0


def _clips(y, t):
    np.clip(y, 0, 1, out=y)
    return 1.0


@pytest.mark.parametrize(("answer", "name"), [(_sorts, "`y`"), (_adds_a_column, "`t`"), (_clips, "`y`")])
def test_an_answer_that_changes_its_input_is_told_so_and_spoils_nothing(answer, name):
    y, t = np.array([3.0, np.nan, 1.0]), pd.DataFrame({"a": [1, 2]})
    with pytest.raises(Wrong, match=f"changes {name}, its input"):
        call(answer, y, t)
    assert y.tolist()[::2] == [3.0, 1.0] and list(t) == ["a"]


@pytest.mark.parametrize(
    "given",
    [
        np.array([1.0, np.nan]),
        np.array(["a", None], dtype=object),
        pd.DataFrame({"a": [1, None]}),
        pd.Series([1, 2], name="s"),
        pd.date_range("2025-03-03", periods=3),
        {"a": [np.ones(2), (1, "x")]},
        np.random.default_rng(1),
        len,
        None,
    ],
)
def test_an_answer_that_only_reads_is_not_accused(given):
    assert call(lambda x: 1.0 if not isinstance(x, np.random.Generator) else x.random(), given) is not None


def test_a_named_argument_is_watched_too():
    with pytest.raises(Wrong, match="changes `y`"):
        call(lambda y: y.sort() or 1, y=[2, 1])


def test_an_array_without_dimensions_is_a_number():
    assert isinstance(call(lambda: np.array(2.0)), float)


def _crashes(price):
    ratio = 1
    return ratio / price


def test_a_crash_names_the_line_of_the_answer():
    number = _crashes.__code__.co_firstlineno + 2
    with pytest.raises(
        Wrong, match=rf"ZeroDivisionError: division by zero, in line {number}: `return ratio / price`"
    ):
        call(_crashes, 0)
    with pytest.raises(Wrong, match=r"LinAlgError: .*in line \d+: `return np.linalg.inv"):
        call(_inverts, np.ones(3))


def _inverts(a):
    return np.linalg.inv(a) if a.size else np.array([]).max()


def _refuses(words):
    def answer(x):
        raise ValueError(words)

    return answer


def _stops(x):
    sys.exit("stop")


def test_a_refusal_is_a_value_error_of_the_answers_own():
    assert expect_refusal(_refuses("too few shown"), 1, hint=HINT, match="FEW") == "too few shown"
    with pytest.raises(Wrong, match=HINT):
        expect_refusal(lambda x: x, 1, hint=HINT)
    with pytest.raises(Wrong, match=r"'no' *\. Name the group"):
        expect_refusal(_refuses("no"), 1, hint=HINT, match="few", unclear="Name the group.")
    with pytest.raises(Wrong, match=r"KeyError: 'a'.*raise ValueError"):
        expect_refusal(lambda x: {}["a"], 1, hint=HINT)
    with pytest.raises(Unanswered, match="Exercise 1"):
        expect_refusal(lambda x: _stub("Exercise 1"), 1, hint=HINT)
    with pytest.raises(Wrong, match="SystemExit"):
        expect_refusal(_stops, 1, hint=HINT)


def _stub(words):
    raise NotImplementedError(words)


@pytest.mark.parametrize(
    "accident",
    [lambda x: int("x"), lambda x: np.array([]).max(), lambda x: np.ones(2) @ np.ones(3), lambda x: (1,).index(2)],
)
def test_an_accidental_value_error_is_no_refusal(accident):
    with pytest.raises(Wrong, match=r"ValueError.*of your own"):
        expect_refusal(accident, 1, hint=HINT)
    with pytest.raises(Wrong) as caught:
        call(accident, 1)
    assert caught.value.__cause__ is None, "a check that looks for a refusal would take this for one"
    with pytest.raises(Wrong) as caught:
        call(_refuses("no"), 1)
    assert isinstance(caught.value.__cause__, ValueError)


# --- what is different, in words ----------------------------------------------------------------------------------

SAID = [
    (1.0, [1, 2, 3], r"Return three numbers, for example `return a, b, c`; you returned one number\. Think"),
    ([1, 2], [1, 2, 3], r"three numbers.*you returned two numbers"),
    (np.ones((2, 2)), 1.0, r"Return one number; you returned a table of 2 rows and 2 columns"),
    (1.0, np.ones(10), r"Return an array of 10 numbers; you returned one number"),
    (np.nan, 1.0, r"is NaN.*empty selection.*Think"),
    ([1, np.nan], [1.0, 2.0], r"contains NaN"),
    (np.inf, 1.0, r"is infinite: something is divided by zero"),
    (0.467, 0.46712, r"^Right up to rounding: don't round"),
    ([12.35, 0.47], [12.3456, 0.46712], r"^Right up to rounding"),
    (0.5, 0.46712, f"^{HINT}$"),
    (0.0, 0.0004, f"^{HINT}$"),
    (1.0, np.nan, f"^{HINT}$"),
    ([1.0, 5.0], [np.nan, 5.0], f"^{HINT}$"),
]


@pytest.mark.parametrize(("got", "want", "words"), SAID)
def test_what_is_different_is_said_in_a_students_words(got, want, words):
    with pytest.raises(Wrong, match=words):
        expect_close(got, want, hint=HINT)


def test_nan_may_be_asked_for():
    expect_close([np.nan, 2.0], [np.nan, 2.0], hint=HINT)
    with pytest.raises(Wrong, match="Two holes"):
        expect_close([np.nan, 3.0], [np.nan, 2.0], hint=HINT, wrong={"Two holes.": [np.nan, 3.0]})


# --- several data sets --------------------------------------------------------------------------------------------


def _make(rng):
    y = rng.normal(size=5)
    return (y,), y.mean(), {"That is the median.": np.median(y)}


def test_a_constant_is_right_on_one_data_set_only():
    expect_on_draws(lambda y: y.mean(), _make, hint=HINT)
    first = _make(np.random.default_rng([2026, 0]))[1]
    with pytest.raises(Wrong, match=rf"Right on one data set and wrong on another.*{HINT}"):
        expect_on_draws(lambda y: first, _make, hint=HINT)
    with pytest.raises(Wrong, match=r"^That is the median\.$"):
        expect_on_draws(np.median, _make, hint=HINT)
    with pytest.raises(Unanswered):
        expect_on_draws(lambda y: None, _make, hint=HINT)


def test_what_is_judged_can_be_read_out_of_what_an_answer_returns():
    def mean_of(got, y):
        if "mean" not in got:
            raise Wrong(f"The mean of {len(y)} numbers is missing.")
        return got["mean"]

    expect_on_draws(lambda y: {"mean": y.mean()}, _make, hint=HINT, read=mean_of)
    with pytest.raises(Wrong, match=r"^The mean of \d+ numbers is missing\.$"):
        expect_on_draws(lambda y: {}, _make, hint=HINT, read=mean_of)
    with pytest.raises(Wrong, match=rf"^{HINT}$"):
        expect_on_draws(lambda y: {"mean": y.mean() + 1}, _make, hint=HINT, read=mean_of)


def test_a_refusal_of_good_data_has_words_of_its_own_and_an_accident_has_not():
    def refuses(y):
        raise ValueError("too few rows")

    with pytest.raises(Wrong, match=r"^There are enough rows\.$"):
        expect_on_draws(refuses, _make, hint=HINT, refused="There are enough rows.")
    with pytest.raises(Wrong, match="too few rows"):
        expect_on_draws(refuses, _make, hint=HINT)
    with pytest.raises(Wrong, match="Your function raised ValueError"):
        expect_on_draws(lambda y: np.zeros(2) + np.zeros(3), _make, hint=HINT, refused="There are enough rows.")


# --- tries, recipes and the report --------------------------------------------------------------------------------


@pytest.fixture
def taught(monkeypatch):
    """A check with a recipe, and an empty log of tries."""
    monkeypatch.setattr(attempts, "LOG", {})

    @exercise("sample/42.2", task="Return the mean.")
    def check_mean(answer):
        expect_close(
            call(answer, np.array([1.0, 2.0, 6.0])), 3.0, hint="Think of a seesaw.", recipe="Sum over count."
        )


@pytest.mark.usefixtures("taught")
def test_the_recipe_comes_with_the_third_different_answer():
    def said(answer):
        return check("sample/42.2", answer).message

    hint, recipe = "Think of a seesaw.", "Think of a seesaw. Step by step: Sum over count."
    assert said(lambda y: _stub("open")) == "Return the mean. (open)"
    assert [said(lambda y: 0.0) for _ in range(5)] == [hint] * 5, "the same answer again is no new try"
    assert said(lambda y: y.max()) == hint
    assert said(lambda y: np.median(y)) == recipe
    assert said(lambda y: 0.0) == recipe
    assert said(lambda y: y.mean()) == "well done."


@pytest.mark.usefixtures("taught")
def test_a_report_lists_each_exercise_and_gives_a_line_to_hand_in():
    with pytest.raises(ValueError, match="no check was run"):
        report("Ann")
    check("sample/42.2", lambda y: 0.0)
    check("sample/42.2", lambda y: y.mean())
    found = report(" Ann  <b> ")
    assert found.rows == (("sample/42.1", "open", 0), ("sample/42.2", "passed", 2))
    assert re.fullmatch(
        r"Ann <b>; 1 of 2 passed; sample/42\.1 open; sample/42\.2 passed \(2\); causalrec-lib \S+", found.line
    )
    assert "Ann &lt;b&gt;" in found._repr_html_() and "<td>2</td>" in found._repr_html_()
    assert found.line in repr(found)
    with pytest.raises(ValueError, match="name must be yours"):
        report(" ")


def test_the_edition_names_version_and_commit():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\+g[0-9a-f]{7}(\.dirty)?)?", edition())
