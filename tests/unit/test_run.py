"""Run settings: profile, seed, sizes, threads, progress, records."""

import json
import sys

import numpy as np
import pytest

from causalrec_lib.course import records, say, start
from causalrec_lib.course.run import Run, versions
from causalrec_lib.estimate import Estimate

CHAPTER = "weighting/01_propensity_weighting"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose files go to a folder of the test."""
    monkeypatch.setenv("CAUSALREC_BUILD", str(tmp_path))
    monkeypatch.setenv("CAUSALREC_STRICT", "1")
    monkeypatch.delenv("CAUSALREC_THREADS", raising=False)
    return Run("ci", 7, CHAPTER)


def stored(profile="ci"):
    """What stands in the records file."""
    return records.read(records.record_path(CHAPTER, profile))


def estimate(**changes):
    """An estimate of two, give or take a half."""
    return Estimate(**{"value": 2.0, "se": 0.5, "estimand": "ATE", "method": "m", "n": 90, "ess": 40.0, **changes})


def test_start_says_where_and_on_what(capsys):
    run = start("ci", 2026, chapter=CHAPTER)
    line = capsys.readouterr().out
    for word in (CHAPTER, "profile ci", "seed 2026", "1 thread", "Python 3"):
        assert word in line
    assert run.seed == 2026


@pytest.mark.parametrize(
    ("profile", "seed", "chapter", "words"),
    [
        ("fast", 1, CHAPTER, "profile must be one of 'ci', 'full'"),
        (None, 1, CHAPTER, "profile"),
        ("ci", 1.5, CHAPTER, "seed must be a whole number"),
        ("ci", -1, CHAPTER, "seed must be at least 0"),
        ("ci", True, CHAPTER, "seed"),
        ("ci", 1, "weighting", "chapter must look like"),
        ("ci", 1, "Weighting/01", "chapter must look like"),
        ("ci", 1, "../weighting/01", "chapter must look like"),
        ("ci", 1, None, "chapter must look like"),
    ],
)
def test_bad_settings_are_refused(profile, seed, chapter, words):
    with pytest.raises(ValueError, match=words):
        start(profile, seed, chapter=chapter)


def test_the_seed_decides_every_draw():
    draws = [Run("ci", seed, CHAPTER).rng.normal(size=3) for seed in (1, 1, 2)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_sizes_follow_the_profile():
    assert Run("ci", 1, CHAPTER).size(ci=10, full=1000) == 10
    assert Run("full", 1, CHAPTER).size(ci=10, full=1000) == 1000
    with pytest.raises(ValueError, match="at least 1"):
        Run("ci", 1, CHAPTER).size(ci=0, full=1000)


def test_seeds_have_streams_of_their_own_and_begin_alike(run):
    weeks = run.seeds(50, "weeks")
    assert weeks[:20] == run.seeds(20, "weeks")
    neighbour = Run("ci", run.seed + 1, run.chapter)
    for others in (run.seeds(50, "bootstrap"), neighbour.seeds(50, "weeks")):
        assert not set(weeks) & set(others)
    assert len(set(weeks)) == 50


def test_threads_are_one_in_ci_and_can_be_set(run, monkeypatch):
    assert run.threads == 1
    assert Run("full", 1, CHAPTER).threads >= 1
    monkeypatch.setenv("CAUSALREC_THREADS", "3")
    assert run.threads == 3


def test_progress_passes_items_on(run, monkeypatch, capfd):
    assert list(run.progress(range(3), "counting")) == [0, 1, 2]
    assert "counting" in capfd.readouterr().err
    monkeypatch.setenv("CAUSALREC_QUIET", "1")
    assert list(run.progress([], "counting")) == []
    assert capfd.readouterr().err == ""


def test_the_device_is_one_that_exists(run):
    assert run.device in ("cpu", "cuda", "mps")


def test_files_of_a_chapter_have_a_folder_of_their_own(run, tmp_path):
    assert run.out == tmp_path / "out" / "ci" / CHAPTER
    assert run.out.is_dir()


def test_a_number_is_stored_at_once(run):
    run.record("naive_gap", 0.25)
    assert stored() == {"naive_gap": records.Record(0.25)}


def test_an_estimate_is_stored_with_what_belongs_to_it(run):
    run.record("ate", estimate(), truth=1.9, naive=estimate(value=3.0))
    row = stored()["ate"]
    assert (row.value, row.se, row.n, row.ess, row.truth, row.naive) == (2.0, 0.5, 90.0, 40.0, 1.9, 3.0)
    assert row.low == pytest.approx(2 - 1.959964 * 0.5)
    assert row.high == pytest.approx(2 + 1.959964 * 0.5)


def test_an_estimate_without_an_error_leaves_its_fields_empty(run):
    run.record("ate", estimate(se=np.nan, ess=None))
    row = stored()["ate"]
    assert (row.se, row.low, row.high, row.ess) == (None, None, None, None)
    assert "NaN" not in records.record_path(CHAPTER, "ci").read_text()


def test_the_file_says_what_made_it(run):
    run.record("ate", 1.0)
    meta = json.loads(records.record_path(CHAPTER, "ci").read_text())
    assert (meta["chapter"], meta["profile"], meta["seed"]) == (CHAPTER, "ci", 7)
    assert meta["versions"]["numpy"] == np.__version__
    assert meta["seconds"] >= 0


@pytest.mark.parametrize("name", ["", "ATE", "ate ipw", "1ate", "ate.se", "ate:x", "ate-ipw"])
def test_a_malformed_name_is_refused(run, name):
    with pytest.raises(ValueError, match="lower case with underscores"):
        run.record(name, 1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, None, "1", True, [1.0]])
def test_what_is_no_finite_number_is_refused_and_not_stored(run, value):
    with pytest.raises(ValueError, match="value must be"):
        run.record("ate", value)
    assert not records.record_path(CHAPTER, "ci").exists()


@pytest.mark.parametrize("field", ["truth", "naive", "mc_se"])
def test_fields_must_be_finite_too(run, field):
    with pytest.raises(ValueError, match=field):
        run.record("ate", 1.0, **{field: np.inf})


@pytest.mark.parametrize("mc_se", [None, 0.0, -1.0, np.nan])
def test_a_stochastic_record_needs_its_monte_carlo_error(run, mc_se):
    with pytest.raises(ValueError, match="mc_se of 'ate' must be positive"):
        run.record("ate", 1.0, kind="stochastic", mc_se=mc_se)


def test_an_unknown_kind_is_refused(run):
    with pytest.raises(ValueError, match="kind must be one of"):
        run.record("ate", 1.0, kind="approximate")


def test_a_name_is_used_once_in_a_build(run):
    run.record("ate", 1.0)
    with pytest.raises(ValueError, match="recorded already"):
        run.record("ate", 2.0)
    assert stored()["ate"].value == 1.0


def test_a_reader_may_run_a_cell_again(run, monkeypatch):
    monkeypatch.delenv("CAUSALREC_STRICT")
    run.record("ate", 1.0)
    run.record("ate", 2.0)
    assert stored()["ate"].value == 2.0


def test_versions_name_python_and_what_is_installed():
    found = versions()
    assert {"python", "numpy", "pandas", "scikit-learn"} <= set(found)
    assert all(v[0].isdigit() for v in found.values())


def test_say_shows_markdown(monkeypatch):
    shown = []
    monkeypatch.setattr(sys.modules["causalrec_lib.course.run"], "display", shown.append)
    say("The answer is **2**.")
    assert [m.data for m in shown] == ["The answer is **2**."]


def test_a_monte_carlo_error_makes_a_record_stochastic(run):
    run.record("coverage", 0.95, mc_se=0.01)
    run.record("ate", 1.0)
    assert (stored()["coverage"].kind, stored()["ate"].kind) == ("stochastic", "closed_form")


def test_a_claim_that_does_not_hold_stops_the_run(run):
    run.claim("two is more than one", np.float64(2) > 1)
    with pytest.raises(AssertionError, match=f"{CHAPTER}.*bear out the claim: one is more than two"):
        run.claim("one is more than two", 1 > 2)


def test_in_a_lab_a_claim_that_does_not_hold_is_a_note(run, monkeypatch, capsys):
    monkeypatch.delenv("CAUSALREC_STRICT")
    run.claim("two is more than one", 2 > 1)
    assert capsys.readouterr().out == ""
    run.claim("one is more than two", 1 > 2)
    assert "(seed 7) it does not hold that one is more than two" in capsys.readouterr().out


@pytest.mark.parametrize("holds", [None, 1, 0.0, "yes", np.array([True, False])])
def test_a_claim_is_true_or_false(run, holds):
    with pytest.raises(ValueError, match="holds must be True or False"):
        run.claim("something", holds)


def test_a_chapter_that_the_checkout_lacks_is_refused_with_the_known_ones(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.delenv("CAUSALREC_BUILD", raising=False)
    with pytest.raises(ValueError, match=r"weighting/99_nonsense.*one of: .*concepts/01_why_causal"):
        start("ci", 1, chapter="weighting/99_nonsense")
    monkeypatch.chdir(tmp_path / "elsewhere")  # no checkout: any name will do
    assert start("ci", 1, chapter="weighting/99_nonsense").chapter == "weighting/99_nonsense"
