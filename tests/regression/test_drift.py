"""A solver that begins to stop early is caught, and the message names chapter, record, old and new value.

The same happened in public: a notebook printed 3.5175 for the NHEFS, because a solver had run out of steps. Here a
small chapter runs twice, each time in a kernel of its own: once as it is, once with a patched solver.
"""

import re

import pytest

from causalrec_lib.course import records, regression, runner
from causalrec_lib.course.chapters import Chapter

ID = "weighting/08_drift"
CHAPTER = """# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   course: {kind: chapter, data: [nhefs], max_seconds: 60}
# ---

# %% [markdown]
# # Quitting and weight

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import numpy as np
from sklearn.linear_model import LogisticRegression

from causalrec_lib import course, data, weighting

run = course.start(PROFILE, SEED, chapter="weighting/08_drift")
df = data.load("nhefs").dropna(subset=["wt82_71"])
names = ["sex", "race", "age", "smokeintensity", "smokeyrs", "wt71"]
X, t, y = df[names].to_numpy(float), df["qsmk"].to_numpy(), df["wt82_71"].to_numpy()
naive = y[t == 1].mean() - y[t == 0].mean()

# %%
run.record("by_library", weighting.ipw(y, t, X=X), naive=naive)

# %%
e = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(X, t).predict_proba(X)[:, 1]
run.record("by_scikit_learn", weighting.ipw(y, t, e).value, naive=naive)
"""
QUIET = """
from causalrec_lib import _propensity
true = _propensity._newton
_propensity._newton = lambda Z, t, ridge, max_iter, names: (*true(Z, t, ridge, 1, names)[:3], True)
"""
HONEST = """
from causalrec_lib import _propensity
true = _propensity._newton
_propensity._newton = lambda Z, t, ridge, max_iter, names: true(Z, t, ridge, 1, names)
"""
DEPENDENCY = """
from sklearn.linear_model import LogisticRegression
true = LogisticRegression.fit
LogisticRegression.fit = lambda self, X, t: true(self.set_params(max_iter=1), X, t)
"""


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run the chapter in a kernel that starts with a patch; return its build folder."""
    source = tmp_path / "notebooks" / f"{ID}.py"
    source.parent.mkdir(parents=True)
    source.write_text(CHAPTER)

    def go(name, patch=""):
        startup = tmp_path / name / "profile_default" / "startup" / "00-patch.py"
        startup.parent.mkdir(parents=True)
        startup.write_text(patch)
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / name))
        runner.run(Chapter(source), "ci", 2026, tmp_path / name / "build")
        return tmp_path / name / "build"

    return go


def lines(build, root):
    return regression.told(ID, regression.compare(ID, "ci", build, root))


@pytest.mark.parametrize(
    ("patch", "moved", "still"),
    [(QUIET, "by_library", "by_scikit_learn"), (DEPENDENCY, "by_scikit_learn", "by_library")],
    ids=["our solver", "the solver of a dependency"],
)
def test_a_solver_that_stops_early_and_says_nothing_moves_a_record(execute, tmp_path, patch, moved, still):
    first = execute("first")
    baseline = records.read(records.record_path(ID, "ci", first))
    records.write(regression.baseline_path(ID, "ci", tmp_path), {}, baseline)
    assert lines(first, tmp_path) == []
    told = lines(execute("second", patch), tmp_path)
    assert not [line for line in told if still in line]
    (line,) = [line for line in told if f"{moved}.value" in line]
    found = re.fullmatch(rf"{ID}: {moved}\.value was (\S+), is (\S+) \(moved; tolerance (\S+)\)", line)
    old, new, tolerance = map(float, found.groups())
    assert old == pytest.approx(baseline[moved].value, rel=1e-6)
    assert abs(new - old) > 1000 * tolerance
    assert abs(new - old) < abs(baseline[moved].naive - old), (
        "an early stop is smaller than the naive error: still caught"
    )


def test_a_solver_that_admits_it_stops_the_chapter(execute):
    with pytest.raises(runner.ChapterFailed, match="NotConverged") as failure:
        execute("honest", HONEST)
    assert f"chapter {ID} failed in cell" in str(failure.value)
