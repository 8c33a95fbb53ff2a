"""Form of the weighting and matching functions: bad input refused by name, and properties that hold for any data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from causalrec_lib import matching, weighting
from causalrec_lib._abadie_imbens import conditional_variance
from causalrec_lib._mestimation import standard_error
from causalrec_lib.estimate import EstimateRefused, NoOverlap, NotConverged, Rules

OPEN = Rules(min_ess=1, max_row_share=1.0, max_smd=np.inf, min_ess_share=0.0, min_clusters=2, max_z=np.inf)
RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 2))
E = 1 / (1 + np.exp(-X[:, 0] / 2))
T = (RNG.random(N) < E).astype(float)
Y = X[:, 0] + T + RNG.normal(size=N)

CALLS = {
    "ipw": (lambda y, t, e, x: weighting.ipw(y, t, e, rules=OPEN), {"y", "t", "e"}),
    "ipw with covariates": (lambda y, t, e, x: weighting.ipw(y, t, X=x, rules=OPEN), {"y", "t", "X"}),
    "ipw with balance": (lambda y, t, e, x: weighting.ipw(y, t, e, X=x, rules=OPEN), {"y", "t", "e", "X"}),
    "propensity": (lambda y, t, e, x: weighting.propensity(x, t), {"t", "X"}),
    "weights": (lambda y, t, e, x: weighting.weights(t, e), {"t", "e"}),
    "crump_threshold": (lambda y, t, e, x: weighting.crump_threshold(e), {"e"}),
    "overlap_summary": (lambda y, t, e, x: weighting.overlap_summary(e, t), {"t", "e"}),
    "balance": (lambda y, t, e, x: weighting.balance(x, t, e, ["a", "b"]), {"t", "X"}),
    "standardisation": (lambda y, t, e, x: weighting.standardisation(y, t, x), {"y", "t", "X"}),
    "match": (lambda y, t, e, x: matching.match(x, t, metric="scaled"), {"t", "X"}),
    "match by score": (lambda y, t, e, x: matching.match(x, t), {"t", "X"}),
    "matching_estimate": (
        lambda y, t, e, x: matching.matching_estimate(y, matching.match(E, T), x, rules=OPEN),
        {"y", "X"},
    ),
}
GOOD = {"y": Y, "t": T, "e": E, "X": X}


def spoiled(name, how):
    """Return the argument `name`, spoiled."""
    a = GOOD[name].astype(float).copy()
    spoil = {
        "NaN": lambda: np.where(np.arange(N).reshape(-1, *[1] * (a.ndim - 1)) == 3, np.nan, a),
        "infinite": lambda: np.where(np.arange(N).reshape(-1, *[1] * (a.ndim - 1)) == 3, np.inf, a),
        "short": lambda: a[:-1],
        "empty": lambda: a[:0],
        "text": lambda: a.astype(str).astype(object) + "!",
        "complex": lambda: a + 1j,
        "cube": lambda: np.zeros((N, 2, 2)),
        "one class": lambda: np.ones(N),
        "three classes": lambda: np.arange(N) % 3,
        "zero": lambda: np.where(np.arange(N) == 3, 0.0, a),
        "one": lambda: np.where(np.arange(N) == 3, 1.0, a),
        "percent": lambda: 100 * a,
        "constant": lambda: np.c_[a[:, 0], np.ones(N)],
        "collinear": lambda: np.c_[a[:, 0], 2 * a[:, 0] + 1],
    }
    return spoil[how]()


ALWAYS = ["NaN", "infinite", "empty", "text", "complex", "cube"]
SPOILED = [
    (call, arg, how)
    for call, (_, used) in CALLS.items()
    for arg in sorted(used)
    for how in [
        *ALWAYS,
        *(["short"] if len(used) > 1 else []),
        *(["one class", "three classes"] if arg == "t" else []),
        *(["zero", "one", "percent"] if arg == "e" else []),
        *(["constant", "collinear"] if arg == "X" and "balance" not in call else []),
    ]
]


@pytest.mark.parametrize(("call", "arg", "how"), SPOILED)
def test_bad_input_is_refused_by_name(call, arg, how):
    function, _ = CALLS[call]
    given_now = GOOD | {arg: spoiled(arg, how)}
    with pytest.raises(ValueError) as caught:
        function(given_now["y"], given_now["t"], given_now["e"], given_now["X"])
    assert not isinstance(caught.value, EstimateRefused), "bad input is no verdict on the data"
    message = str(caught.value)
    assert arg in message or "rows, expected" in message
    assert any(mend in message for mend in (";", "drop", "expected", "must be a table of shape")), message


@pytest.mark.parametrize("call", CALLS)
def test_the_good_input_passes_and_is_left_alone(call):
    before = {k: v.copy() for k, v in GOOD.items()}
    CALLS[call][0](Y, T, E, X)
    for name, value in GOOD.items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (weighting.ipw, {"estimand": "LATE"}),
        (weighting.ipw, {"estimator": "magic"}),
        (weighting.ipw, {"se": "robust"}),
        (weighting.ipw, {"trim": 0.5}),
        (weighting.ipw, {"trim": "some"}),
        (weighting.ipw, {"refuse": "shrug"}),
        (weighting.ipw, {"clusters": np.zeros(N)}),
        (weighting.ipw, {"clusters": np.zeros(N - 1)}),
        (weighting.ipw, {"clusters": [None, *range(N - 1)]}),
        (weighting.ipw, {"level": 1.5}),
    ],
)
def test_ipw_options(function, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        function(Y, T, E, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"estimand": "ATO"},
        {"metric": "cosine"},
        {"method": "exact"},
        {"ratio": 0},
        {"ratio": 1.5},
        {"ratio": N},
        {"replace": "no"},
        {"caliper": -1.0},
        {"caliper": np.nan},
        {"exact": np.zeros(3)},
        {"exact": [None, *"a" * (N - 1)]},
        {"ties": "last"},
        {"order": "best"},
    ],
)
def test_match_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        matching.match(E, T, **options)


def test_options_that_do_not_fit_together():
    with pytest.raises(ValueError, match="e and X are both missing"):
        weighting.ipw(Y, T)
    with pytest.raises(ValueError, match="another t"):
        weighting.ipw(Y, 1 - T, weighting.propensity(X, T))
    with pytest.raises(ValueError, match="replace=True"):
        matching.match(E, T, estimand="ATE", replace=False)
    with pytest.raises(ValueError, match="propensity model"):
        matching.match(weighting.propensity(X, T), T, metric="euclidean")
    with pytest.raises(ValueError, match="duplicate"):
        weighting.balance(X, T, names=["a", "a"])
    with pytest.raises(ValueError, match="one for each column"):
        weighting.balance(X, T, names=["a"])
    with pytest.raises(ValueError, match="weights are negative"):
        weighting.balance(X, T, -np.ones(N))
    with pytest.raises(ValueError, match="zero for all treated"):
        weighting.balance(X, T, 1 - T)
    with pytest.raises(ValueError, match="interact"):
        weighting.standardisation(Y, T, X, interact=["age"])
    with pytest.raises(ValueError, match="fitted with 2"):
        weighting.propensity(X, T).predict(X[:, :1])


def test_limits_say_what_to_do():
    n = 12_000
    t = np.arange(n) % 2
    wide = np.random.default_rng(1).normal(size=(n, 2))
    with pytest.raises(ValueError, match=r"6,000 x 6,000 distances.*propensity"):
        matching.match(wide, t, metric="scaled", method="optimal")
    few = np.zeros(16_000)
    with pytest.raises(ValueError, match="ties"):
        matching.match(few, np.arange(16_000) % 2)
    with pytest.raises(ValueError, match="ties"):
        matching.match(np.c_[few, few], np.arange(16_000) % 2, metric="euclidean")
    assert len(matching.match(few, np.arange(16_000) % 2, ties="first").focal) == 8_000


def test_too_few_partners_for_the_bias_correction():
    m = matching.match(np.arange(5.0), [1, 0, 0, 1, 1])
    with pytest.raises(ValueError, match="bias correction"):
        matching.matching_estimate(np.arange(5.0), m, np.eye(5, 3), rules=OPEN)


def test_refusals_have_names():
    with pytest.raises(NotConverged):
        weighting.propensity(X, T, max_iter=1)
    early = weighting.propensity(X, T, max_iter=1, refuse="flag")
    assert not early.converged
    with pytest.raises(NotConverged):
        weighting.ipw(Y, T, early)
    assert "NO" in weighting.ipw(Y, T, early, refuse="flag").report()["models converged"]
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(size=N) / 100
        with pytest.raises(NoOverlap, match=r"look at x0\)"):
            weighting.propensity(np.c_[T + noise, X], T)
    with pytest.raises(NoOverlap, match="trimming"):
        weighting.ipw(Y, T, np.full(N, 0.05), trim=0.4)
    with pytest.raises(NoOverlap, match="finds a partner"):
        matching.match(E, T, caliper=0.0)


def test_quasi_separation_is_seen_and_a_penalty_bears_it():
    rare = ((np.arange(N) < 6) & (T == 1)).astype(float)  # a category in which everybody was treated
    with pytest.raises(NoOverlap, match="apart perfectly"):
        weighting.propensity(np.c_[X, rare], T)
    assert weighting.propensity(np.c_[X, rare], T, penalty=1.0).converged


def test_extreme_but_overlapping_data_converges():
    x = np.linspace(-40, 40, 4_001)
    t = (np.random.default_rng(3).random(4_001) < 1 / (1 + np.exp(-x))).astype(float)
    fit = weighting.propensity(x * 1e6 + 1e9, t)
    assert fit.converged and fit.coef[0] * 1e6 == pytest.approx(1, abs=0.25)
    assert fit.e.min() > 0 and fit.e.max() < 1


def test_a_series_and_a_frame_do_as_well_as_arrays():
    frame = pd.DataFrame(X, columns=["score", "price"], index=np.arange(N)[::-1])
    y, t = pd.Series(Y, frame.index), pd.Series(T.astype(bool), frame.index)
    a, b = weighting.ipw(y, t, X=frame), weighting.ipw(Y, T, X=X)
    assert a.value == b.value and list(a.balance.index) == ["score", "price"]
    m = matching.matching_estimate(y, matching.match(frame, t), rules=OPEN)
    assert list(m.balance.index) == ["score", "price"]
    assert m.value == matching.matching_estimate(Y, matching.match(X, T), rules=OPEN).value


def test_the_table_of_a_fit_and_its_predictions():
    fit = weighting.propensity(pd.DataFrame(X, columns=["a", "b"]), T)
    assert list(fit.table().index) == ["intercept", "a", "b"]
    np.testing.assert_allclose(fit.predict(X), fit.e, rtol=1e-12)
    np.testing.assert_allclose(fit.logit, fit.intercept + X @ fit.coef, rtol=1e-9)


def test_one_cluster_a_row_changes_nothing_and_copies_do():
    a = weighting.ipw(Y, T, E)
    assert weighting.ipw(Y, T, E, clusters=np.arange(N)).se == pytest.approx(a.se * np.sqrt(N / (N - 1)), rel=1e-12)
    twice = weighting.ipw(np.tile(Y, 2), np.tile(T, 2), np.tile(E, 2), clusters=np.tile(np.arange(N), 2))
    assert twice.se == pytest.approx(a.se * np.sqrt(N / (N - 1)), rel=1e-9) and twice.n_clusters == N
    assert standard_error(np.array([1.0, -1.0])) == pytest.approx(np.sqrt(2) / 2)


def test_overlap_in_numbers():
    got = weighting.overlap_summary([0.05, 0.5, 0.95, 0.2], [0, 1, 1, 0])
    assert got["min"] == 0.05 and got["max"] == 0.95
    assert got["below_0.1"] == 0.25 and got["above_0.9"] == 0.25
    assert got["treated_min"] == 0.5 and got["control_max"] == 0.2
    assert got["treated_outside"] == 1.0 and got["control_outside"] == 1.0


def test_constant_covariates_are_balanced_or_hopeless():
    table = weighting.balance(np.c_[np.ones(N), T], T)
    assert table.loc["x0", "before"] == 0 and np.isinf(table.loc["x1", "before"])


def test_unmatched_rows_and_trimmed_rows_are_in_the_report():
    m = matching.match(E, T, caliper=0.002, order="random", replace=False, seed=4)
    assert "found a partner" in matching.matching_estimate(Y, m, rules=OPEN).report()["estimand"]
    assert "trimmed" in weighting.ipw(Y, T, E, trim="crump", rules=OPEN).report()["estimand"]
    assert list(m.frame().columns) == ["focal", "partner", "distance", "share"]


def test_random_order_is_seeded():
    pairs = [matching.match(E, T, replace=False, order="random", seed=s).frame() for s in (1, 1, 2)]
    assert pairs[0].equals(pairs[1]) and not pairs[0].equals(pairs[2])


def test_a_fitted_model_brings_its_covariates():
    frame = pd.DataFrame(X, columns=["score", "price"])
    fit = weighting.propensity(frame, T)
    a, b = weighting.ipw(Y, T, fit), weighting.ipw(Y, T, X=frame)
    pd.testing.assert_frame_equal(a.balance, b.balance)
    assert (a.value, a.se) == (b.value, b.se)
    c = matching.matching_estimate(Y, matching.match(fit, T), rules=OPEN)
    d = matching.matching_estimate(Y, matching.match(frame, T), rules=OPEN)
    np.testing.assert_allclose([c.value, c.se], [d.value, d.se], rtol=1e-9)
    pd.testing.assert_frame_equal(c.balance, d.balance)


data_sets = st.integers(0, 10_000)
estimands = st.sampled_from(["ATE", "ATT", "ATC", "ATO"])
MIRROR = {"ATE": "ATE", "ATT": "ATC", "ATC": "ATT", "ATO": "ATO"}


def random_data(seed, n=60):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    e = rng.uniform(0.1, 0.9, n)
    t = (rng.random(n) < e).astype(float)
    assume(4 <= t.sum() <= n - 4)
    return x @ [1.0, -1.0] + t + rng.normal(size=n), t, x, e


def fitted(x, t):
    try:
        return weighting.propensity(x, t)
    except NoOverlap:
        assume(False)


@settings(max_examples=40, deadline=None)
@given(data_sets, estimands, st.floats(0.01, 100), st.floats(-1e3, 1e3), st.booleans())
def test_units_of_the_outcome_carry_through(seed, estimand, stretch, shift, known):
    y, t, x, e = random_data(seed)
    p = e if known else fitted(x, t)
    a = weighting.ipw(y, t, p, estimand=estimand, rules=OPEN)
    b = weighting.ipw(stretch * y + shift, t, p, estimand=estimand, rules=OPEN)
    np.testing.assert_allclose(
        [b.value, b.se], [stretch * a.value, stretch * a.se], rtol=1e-6, atol=1e-9 * abs(shift)
    )


@settings(max_examples=40, deadline=None)
@given(data_sets, estimands, st.sampled_from(["hajek", "ht", "stabilised"]))
def test_names_of_the_groups_only_set_the_sign(seed, estimand, estimator):
    y, t, x, _ = random_data(seed)
    a = weighting.ipw(y, t, fitted(x, t), estimand=estimand, estimator=estimator, rules=OPEN)
    b = weighting.ipw(y, 1 - t, fitted(x, 1 - t), estimand=MIRROR[estimand], estimator=estimator, rules=OPEN)
    np.testing.assert_allclose([b.value, b.se], [-a.value, a.se], rtol=1e-7)


@settings(max_examples=40, deadline=None)
@given(data_sets, estimands)
def test_the_order_of_rows_does_not_matter(seed, estimand):
    y, t, x, _ = random_data(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    fitted(x, t)
    a = weighting.ipw(y, t, X=x, estimand=estimand, rules=OPEN)
    b = weighting.ipw(y[order], t[order], X=x[order], estimand=estimand, rules=OPEN)
    np.testing.assert_allclose([a.value, a.se], [b.value, b.se], rtol=1e-8)
    if estimand != "ATO":
        m = matching.matching_estimate(y, matching.match(x, t, metric="scaled", estimand=estimand), rules=OPEN)
        shuffled = matching.match(x[order], t[order], metric="scaled", estimand=estimand)
        np.testing.assert_allclose(
            matching.matching_estimate(y[order], shuffled, rules=OPEN).value, m.value, rtol=1e-8
        )


@settings(max_examples=40, deadline=None)
@given(data_sets, st.sampled_from([1e-6, 1e-2, 1e3, 1e6]), st.floats(-1e3, 1e3))
def test_units_of_a_covariate_do_not_matter(seed, stretch, shift):
    y, t, x, _ = random_data(seed)
    fitted(x, t)
    moved = x * [stretch, 1.0] + [shift * stretch, 0.0]
    a, b = weighting.ipw(y, t, X=x, rules=OPEN), weighting.ipw(y, t, X=moved, rules=OPEN)
    np.testing.assert_allclose([a.value, a.se], [b.value, b.se], rtol=1e-6)
    for metric in ("mahalanobis", "scaled"):
        pair = [matching.match(z, t, metric=metric).frame() for z in (x, moved)]
        assert pair[0][["focal", "partner"]].equals(pair[1][["focal", "partner"]])


@settings(max_examples=40, deadline=None)
@given(data_sets, st.floats(1e-6, 1e6))
def test_the_scale_of_weights_does_not_matter(seed, stretch):
    _, t, x, e = random_data(seed)
    w = weighting.weights(t, e)
    a, b = weighting.balance(x, t, w), weighting.balance(x, t, w * stretch)
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(data_sets, st.sampled_from(["ATT", "ATC", "ATE"]), st.booleans())
def test_matching_carries_units_and_signs(seed, estimand, corrected):
    y, t, x, _ = random_data(seed)
    other = {"ATT": "ATC", "ATC": "ATT", "ATE": "ATE"}[estimand]
    m = matching.match(x, t, metric="mahalanobis", estimand=estimand)
    swapped = matching.match(x, 1 - t, metric="mahalanobis", estimand=other)
    a = matching.matching_estimate(y, m, bias_correction=corrected, rules=OPEN)
    b = matching.matching_estimate(10 * y - 5, m, bias_correction=corrected, rules=OPEN)
    c = matching.matching_estimate(y, swapped, bias_correction=corrected, rules=OPEN)
    np.testing.assert_allclose([b.value, b.se], [10 * a.value, 10 * a.se], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose([c.value, c.se], [-a.value, a.se], rtol=1e-6, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=24), st.integers(1, 3), data_sets)
def test_nearest_on_a_line_with_ties_is_brute_force(scores, ratio, seed):
    s = np.array(scores, dtype=float) / 10
    t = (np.random.default_rng(seed).random(len(s)) < 0.5).astype(float)
    assume(t.sum() >= 1 and (1 - t).sum() >= ratio)
    treated, control = np.flatnonzero(t == 1), np.flatnonzero(t == 0)
    gaps = np.abs(s[treated][:, None] - s[control])
    reach = np.sort(gaps, axis=1)[:, [ratio - 1]] + 1e-12
    want = {(treated[i], control[j]) for i, j in np.argwhere(gaps <= reach)}
    for space in (s, np.c_[s, np.zeros_like(s)]):
        m = matching.match(space, t, ratio=ratio, metric="propensity" if space.ndim == 1 else "euclidean")
        assert set(zip(m.focal, m.partner, strict=True)) == want


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 0.99), min_size=4, max_size=20), st.integers(1, 2), st.floats(0.01, 1), data_sets)
def test_greedy_on_a_line_is_brute_force(scores, ratio, caliper, seed):
    s = np.array(scores)
    t = (np.random.default_rng(seed).random(len(s)) < 0.4).astype(float)
    assume(0 < t.sum() < len(s))
    free, want = set(np.flatnonzero(t == 0)), []
    queue = sorted(np.flatnonzero(t == 1), key=lambda i: -s[i])
    for _ in range(ratio):
        for i in queue:
            best = min(free, key=lambda j, i=i: abs(s[j] - s[i]), default=None)
            if best is not None and abs(s[best] - s[i]) <= caliper:
                free.remove(best)
                want.append(abs(s[best] - s[i]))
    try:
        got = matching.match(s, t, replace=False, ratio=ratio, caliper=caliper).distance
    except NoOverlap:
        got = []
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=20), data_sets)
def test_full_matching_makes_stars_even_among_equal_rows(points, seed):
    t = (np.random.default_rng(seed).random(len(points)) < 0.5).astype(float)
    assume(0 < t.sum() < len(points))
    m = matching.match(np.array(points, dtype=float), t, metric="euclidean", method="full", estimand="ATE")
    rows, cols = np.bincount(m.focal, minlength=len(t)), np.bincount(m.partner, minlength=len(t))
    assert (rows > 0).all() and (cols > 0).all(), "everybody is in a set"
    assert np.minimum(rows[m.focal], cols[m.partner]).max() == 1, "one side of every pair has no other partner"
    np.testing.assert_allclose(m.weights.sum(), 2 * len(t))


def test_covariates_in_the_place_of_the_propensity_are_recognised():
    with pytest.raises(ValueError, match=r"^e has 3 columns.*pass X="):
        weighting.ipw(np.arange(4.0), [0, 1, 0, 1], np.ones((4, 3)))


def test_last_bits_do_not_choose_neighbours():
    """Equal rows whose coordinates differ by rounding, as between processors: pairs, value and error stay."""
    rng = np.random.default_rng(8)
    x = rng.integers(0, 4, (300, 3)).astype(float)
    t = (rng.random(300) < 0.3 + 0.1 * x[:, 0]).astype(float)
    y = x @ [1.0, 2.0, -1.0] + t + rng.normal(size=300)
    for how in (
        {"metric": "mahalanobis"},
        {"metric": "scaled", "ratio": 2, "ties": "first"},
        {"metric": "scaled", "replace": False},
        {"metric": "scaled", "method": "optimal"},
        {"metric": "scaled", "method": "full"},
        {},
        {"replace": False},
        {"ties": "first", "ratio": 2},
    ):
        found = []
        for k in range(3):
            noise = 1 + 2e-15 * np.random.default_rng(k).normal(size=x.shape) * (k > 0)
            given_now = x * noise if "metric" in how else weighting.propensity(x * noise, t)
            m = matching.match(given_now, t, **how)
            est = matching.matching_estimate(y, m, x, rules=OPEN)
            found.append((m.focal.tolist(), m.partner.tolist(), est.value, est.se))
        assert found[0][:2] == found[1][:2] == found[2][:2], how
        np.testing.assert_allclose([f[2:] for f in found[1:]], [found[0][2:]] * 2, rtol=1e-9, err_msg=str(how))


def test_the_conditional_variance_counts_all_ties():
    """By loops: the mean of all rows as near as the second nearest other."""
    rng = np.random.default_rng(2)
    for space in (rng.integers(0, 5, (40, 1)).astype(float), rng.integers(0, 3, (40, 2)).astype(float)):
        t, y = (np.arange(40) % 2).astype(float), rng.normal(size=40)
        want = []
        for i in range(40):
            others = np.flatnonzero((t == t[i]) & (np.arange(40) != i))
            gaps = np.linalg.norm(space[others] - space[i], axis=1)
            near = others[gaps <= np.sort(gaps)[1] + 1e-9]
            want.append(len(near) / (len(near) + 1) * (y[i] - y[near].mean()) ** 2)
        got = conditional_variance(y, t, space, np.arange(40), 2)
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_propensities_at_the_ends_pass_where_they_do_no_harm():
    for estimand, t_at, value, mirror in (("ATT", 0, 0.0, 1.0), ("ATC", 1, 1.0, 0.0)):
        e = E.copy()
        e[np.flatnonzero(t_at == T)[0]] = value
        alone = np.arange(N) != np.flatnonzero(t_at == T)[0]
        assert weighting.ipw(Y, T, e, estimand="ATO", rules=OPEN).value == pytest.approx(
            weighting.ipw(Y[alone], T[alone], e[alone], estimand="ATO", rules=OPEN).value
        )
        assert np.isfinite(weighting.ipw(Y, T, e, estimand=estimand, rules=OPEN).se)
        e[np.flatnonzero(t_at != T)[0]] = mirror
        with pytest.raises(ValueError, match=rf"^e must lie .* for the {estimand}"):
            weighting.ipw(Y, T, e, estimand=estimand, rules=OPEN)
    denied = E.copy()
    denied[np.flatnonzero(T == 1)[0]] = 0.0
    with pytest.raises(ValueError, match="denies the treatment that happened in row"):
        weighting.ipw(Y, T, denied, estimand="ATO", rules=OPEN)
    with pytest.raises(ValueError, match="every row"):
        weighting.ipw(Y, T, T, estimand="ATO", rules=OPEN)
    with pytest.raises(ValueError, match="strictly between 0 and 1 for the ATE"):
        weighting.ipw(Y, T, denied, rules=OPEN)


def test_the_wrong_argument_is_named():
    with pytest.raises(ValueError, match=rf"^X has {N - 1} rows, but [ty] has {N}"):
        weighting.ipw(Y, T, X=X[:-1])
    with pytest.raises(ValueError, match=r"^trim='crump' is the rule for the ATE, not the ATT"):
        weighting.ipw(Y, T, E, trim="crump", estimand="ATT")
    with pytest.raises(ValueError, match="e_source"):
        weighting.ipw(Y, T, X=X, e_source="fitted")
    with pytest.raises(ValueError, match="e_source"):
        weighting.ipw(Y, T, E, e_source="guessed")


def test_the_card_says_where_propensities_come_from():
    known, crossed = (weighting.ipw(Y, T, E, e_source=s, rules=OPEN) for s in ("known", "cross-fitted"))
    assert known.notes == () and known.report()["propensity"].endswith("(known)") and known.se == crossed.se
    assert "cross-fitted; the error ignores the fit" in crossed.report()["note"]
    assert weighting.ipw(Y, T, X=X, rules=OPEN).e_source == "fitted"
    fixed = weighting.ipw(Y, T, X=X, se="weights_fixed", rules=OPEN)
    assert "takes the fitted weights as given" in fixed.report()["note"]


def test_the_card_says_what_the_theorem_leaves_out():
    for how, says in (
        ({"replace": False}, "matching without replacement"),
        ({"method": "full", "caliper": 0.4}, "full matching and a caliper"),
    ):
        card = matching.matching_estimate(Y, matching.match(X, T, **how), rules=OPEN).report()
        assert f"does not cover {says}" in card["note"]
    plain = matching.matching_estimate(Y, matching.match(X, T), rules=OPEN)
    assert plain.notes == () and "on propensity" in plain.method
    assert "on a score" in matching.match(X[:, 0], T).method


def test_arms_and_signed_weights_make_up_the_estimate():
    made = [weighting.ipw(Y, T, E, estimand=g, estimator=h, rules=OPEN) for g in MIRROR for h in ("hajek", "ht")]
    made += [weighting.standardisation(Y, T, X, interact=True, estimand=g) for g in ("ATE", "ATT", "ATC")]
    made += [
        matching.matching_estimate(Y, matching.match(X, T, estimand=g), bias_correction=False, rules=OPEN)
        for g in ("ATE", "ATT", "ATC")
    ]
    for est in made:
        assert est.arms["treated"] - est.arms["control"] == pytest.approx(est.value)
        assert np.mean(est.design.weights * Y) == pytest.approx(est.value), (est.estimand, est.method)
        assert est.design.residual_variance > 0.5
    assert len(made[-1].design.focal) == len(made[-1].design.partner) > 0
    assert "% of the weight on rows is negative" in weighting.standardisation(Y, T, X).report()["note"]


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_clusters_in_matching(estimand):
    m = matching.match(X, T, metric="scaled", estimand=estimand)
    rows = matching.matching_estimate(Y, m, rules=OPEN)
    alone = matching.matching_estimate(Y, m, clusters=np.arange(N), rules=OPEN)
    assert alone.se == pytest.approx(rows.se * np.sqrt(N / (N - 1))) and alone.n_clusters == N
    rng = np.random.default_rng(5)  # users of ten rows who share noise and treatment
    user = np.repeat(np.arange(200), 10)
    found = {"rows": [], "users": []}
    for _ in range(60):
        t, x = np.repeat(rng.random(200) < 0.4, 10).astype(float), rng.normal(size=2_000)
        y = x + np.repeat(rng.normal(size=200), 10) + rng.normal(size=2_000)
        pairs = matching.match(x, t, metric="scaled", estimand=estimand)
        for name, how in (("rows", {}), ("users", {"clusters": user})):
            est = matching.matching_estimate(y, pairs, rules=OPEN, **how)
            found[name].append((est.value, est.se))
    spread = np.std([v for v, _ in found["users"]])
    assert np.mean([s for _, s in found["rows"]]) < 0.6 * spread
    assert 0.8 < np.mean([s for _, s in found["users"]]) / spread < 1.25
