"""Factor models of exposure, and effects from two proxies of a hidden cause."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from causalrec_lib import _validate
from causalrec_lib._design import ESTIMANDS
from causalrec_lib._mestimation import cluster_codes, n_groups, standard_error, standardised
from causalrec_lib._propensity import column_names
from causalrec_lib._two_stage import InstrumentEstimate, first_of, parts_of
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import EstimateRefused, OnRefusal, Rules, judge

__all__ = ["PoissonFactors", "WeakProxy", "poisson_factorisation", "proximal_two_stage"]

ESTIMANDS["treatment slope"] = "change of the outcome with the treatment, taken to be the same in every row"

_ASSUMED = (
    "the outcome's proxy isn't moved by the treatment",
    "the treatment's proxy doesn't move outcome or outcome's proxy",
    "one linear bridge carries the hidden cause",
)


class WeakProxy(EstimateRefused):
    """The treatment's proxy says next to nothing about the outcome's, so that the usual interval means nothing."""

    rule = "proxies"


class PoissonFactors(NamedTuple):
    """A Poisson factor model: the count of user u and item i has mean users[u] @ items[:, i].

    Parameters
    ----------
    users : ndarray of shape (n, k)
        What each user likes, each column with mean 1.
    items : ndarray of shape (k, m)
        Mean count of each item from each factor, for an average user.
    log_likelihood : float
        Poisson log-likelihood of all counts, in nats.
    converged : bool
        Whether the last sweep gained less than the tolerance.

    Notes
    -----
    Chapter: latent/03_factor_models_and_deconfounder
    """

    users: FloatArray
    items: FloatArray
    log_likelihood: float
    converged: bool

    @property
    def means(self) -> FloatArray:
        """Return the mean count of each user and item, shape (n, m)."""
        return self.users @ self.items


def poisson_factorisation(
    counts: ArrayLike, k: int, *, seed: int = 0, sweeps: int = 500, tol: float = 1e-7
) -> PoissonFactors:
    """Fit a Poisson factor model by maximum likelihood, with multiplicative updates.

    Parameters
    ----------
    counts : array_like of shape (n, m)
        How often each user was shown each item; zero or more, no empty column.
    k : int
        Number of factors.
    seed : int
        Seed of the starting point; with k of two or more another start may end elsewhere.
    sweeps : int
        Most sweeps over both tables.
    tol : float
        Gain in log-likelihood, as a share of its size, below which the sweeps stop.

    Returns
    -------
    PoissonFactors
        Users, items, log-likelihood, and whether the sweeps came to rest.

    Raises
    ------
    ValueError
        If counts are negative or no finite numbers, an item has no count, or k is no whole number from 1 to the
        smaller side of the table.

    Notes
    -----
    Each sweep raises the likelihood: it is an EM step in which a count is shared out among factors. With one factor
    the answer is exact after one sweep: users[u] is proportional to the user's total.
    Chapter: latent/03_factor_models_and_deconfounder

    References
    ----------
    bib: gopalan2013scalable
    """
    A = _validate.matrix(counts, "counts")
    if (A < 0).any():
        raise ValueError(
            f"counts are negative in {_validate.rows((A < 0).any(axis=1))}; pass counts of zero or more."
        )
    if (A.sum(axis=0) == 0).any():
        raise ValueError(
            f"counts has items without any count ({_validate.rows(A.sum(axis=0) == 0)} of counts.T); drop them."
        )
    _validate.integer(k, "k", low=1, high=min(A.shape))
    _validate.integer(seed, "seed", low=0)
    _validate.integer(sweeps, "sweeps", low=1)
    _validate.number(tol, "tol", low=0)
    rng = np.random.default_rng(seed)
    users = rng.gamma(2.0, 0.5, (len(A), k))
    items = rng.gamma(2.0, 0.5, (k, A.shape[1])) * A.mean() / k
    before, converged = -np.inf, False
    fixed = gammaln(A + 1).sum()
    for _ in range(sweeps):
        users *= _ratio(A, users @ items) @ items.T / items.sum(axis=1)
        items *= users.T @ _ratio(A, users @ items) / np.maximum(users.sum(axis=0), 1e-300)[:, None]
        mean = users @ items
        now = float(xlogy(A, np.maximum(mean, 1e-300)).sum() - mean.sum() - fixed)
        converged = now - before <= tol * abs(now)
        if converged:
            break
        before = now
    size = np.maximum(users.mean(axis=0), 1e-300)
    return PoissonFactors(users / size, items * size[:, None], now, bool(converged))


def _ratio(A: FloatArray, mean: FloatArray) -> FloatArray:
    return A / np.maximum(mean, 1e-300)


def proximal_two_stage(
    y: ArrayLike,
    t: ArrayLike,
    w: ArrayLike,
    z: ArrayLike,
    X: ArrayLike | None = None,
    *,
    clusters: ArrayLike | None = None,
    min_f: float = 10.0,
    rules: Rules | None = None,
    refuse: OnRefusal = "raise",
    level: float = 0.95,
    unit: str = "",
) -> InstrumentEstimate:
    """Estimate an effect with two proxies of a hidden cause: two-stage least squares on a linear bridge.

    The first stage predicts the outcome's proxy from the treatment and its proxy; the second regresses the outcome on
    the treatment and that prediction.

    Parameters
    ----------
    y : array_like of shape (n,)
        Outcome, in `unit`.
    t : array_like of shape (n,)
        Treatment: 0 or 1, or a dose.
    w : array_like of shape (n,)
        Outcome's proxy: goes with the hidden cause, not moved by the treatment.
    z : array_like of shape (n,) or (n, k)
        Treatment's proxies: go with the hidden cause, move neither y nor w.
    X : array_like of shape (n, p), optional
        Covariates without a constant; they enter both stages.
    clusters : array_like of shape (n,), optional
        Labels of rows that share noise, for example user ids.
    min_f : float
        Effective F of z in the first stage below which the estimate refuses; 0 asks for nothing.
    rules : Rules, optional
        Thresholds for refusing; by default `Rules()`. Only `min_clusters` applies.
    refuse : {"raise", "flag"}
        What to do when the data can't carry the estimate.
    level : float
        Coverage that the interval claims.
    unit : str
        Unit of the outcome, for display.

    Returns
    -------
    InstrumentEstimate
        Slope of the treatment, with the influence of each row; `first_stage` says what z does to w.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length or constant, or columns repeat each other.
    WeakProxy
        If the effective F is below `min_f` and `refuse` is "raise".
    TooFewClusters
        If there are fewer clusters than `rules.min_clusters` and `refuse` is "raise".

    Notes
    -----
    Chapter: latent/03_factor_models_and_deconfounder

    References
    ----------
    bib: miao2018identifying, tchetgentchetgen2020introduction
    """
    outcome = _validate.vector(y, "y")
    n, rules = len(outcome), Rules() if rules is None else rules
    _validate.instance(rules, "rules", Rules, "pass Rules(min_clusters=...)")
    _validate.number(min_f, "min_f", low=0)
    dose, proxy = _validate.vector(t, "t", n, "y"), _validate.vector(w, "w", n, "y")
    held = _columns(dose, X, n)
    codes = cluster_codes(clusters, n)
    first = first_of(parts_of(outcome, proxy, z, held[:, 1:], clusters, "robust", names=("w", "z")))
    tools = np.column_stack([held, _validate.matrix(z, "z", n, "y")])
    predicted = tools @ np.linalg.lstsq(tools, proxy, rcond=None)[0]
    second = np.column_stack([held, predicted])
    beta = np.linalg.lstsq(second, outcome, rcond=None)[0]
    residual = outcome - np.column_stack([held, proxy]) @ beta
    influence = (second @ np.linalg.inv(second.T @ second / n)[1]) * residual
    estimate = InstrumentEstimate(
        value=float(beta[1]),
        se=standard_error(influence, codes),
        estimand="treatment slope",
        method="proximal two-stage least squares",
        n=n,
        level=level,
        assumptions=_ASSUMED,
        unit=unit,
        notes=(f"F of the treatment's proxy {first.f:,.1f}",),
        n_clusters=n_groups(codes),
        influence=influence,
        clusters=codes,
        first_stage=first,
    )
    weak = [] if first.f >= min_f else [_weak(first.f, min_f)]
    return judge(estimate, {}, rules, refuse, weak, ["proxies"] if min_f > 0 else [])  # type: ignore[return-value]


def _columns(t: FloatArray, X: ArrayLike | None, n: int) -> FloatArray:
    """Return the constant, the treatment and the standardised covariates; refuse what adds nothing."""
    if t.min() == t.max():
        raise ValueError("t is constant: there is nothing to compare; include rows with another treatment.")
    if X is None:
        return np.column_stack([np.ones(n), t])
    columns = _validate.matrix(X, "X", n, "y")
    names = column_names(X, columns.shape[1])
    Z = standardised(columns, names)[0]
    standardised(np.column_stack([columns, t]), (*names, "t"))
    return np.column_stack([Z[:, :1], t, Z[:, 1:]])


def _weak(f: float, least: float) -> WeakProxy:
    return WeakProxy(
        f"treatment slope by two proxies: the F of z in the first stage is {f:.1f} (rule: {least:g}); the interval "
        "can be far too short or to one side. Look for proxies that say more about each other, or take more rows."
    )
