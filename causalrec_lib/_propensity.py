"""The propensity model: logistic regression by Newton's method that says whether it arrived."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from causalrec_lib import _validate
from causalrec_lib._mestimation import gram, standardised
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import NoOverlap, NotConverged, OnRefusal

_STEP = 1e-8  # largest change of a standardised coefficient in the last step; Newton then has about 16 digits
_SEPARATED = 1e-10  # curvature lost since the start: the optimum lies at infinity
_EDGE = 1e-15  # keeps a fitted propensity inside (0, 1) when the exponential rounds


@dataclass(frozen=True, eq=False)
class PropensityFit:
    """A fitted propensity model.

    Parameters
    ----------
    e : ndarray of shape (n,)
        Fitted probability of treatment of every row.
    coef : ndarray of shape (p,)
        Log-odds per unit of each covariate, on the scale of X.
    intercept : float
        Log-odds at X = 0.
    names : tuple of str
        Names of the covariates.
    converged : bool
        Whether Newton's method reached the optimum.
    n_iter : int
        Newton steps taken.
    penalty : float
        Ridge penalty; 0 is maximum likelihood.
    t : ndarray of shape (n,)
        Treatment that the model was fitted to.
    design : ndarray of shape (n, 1 + p)
        Constant and standardised covariates.
    information : ndarray of shape (1 + p, 1 + p)
        Mean negative Hessian of the (penalised) log-likelihood on the design.

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: rosenbaum1983central
    """

    e: FloatArray
    coef: FloatArray
    intercept: float
    names: tuple[str, ...]
    converged: bool
    n_iter: int
    penalty: float
    t: FloatArray = field(repr=False)
    design: FloatArray = field(repr=False)
    information: FloatArray = field(repr=False)

    @property
    def logit(self) -> FloatArray:
        """Linear predictor of every row, the log-odds of treatment."""
        return logit(self.e)

    def predict(self, X: ArrayLike) -> FloatArray:
        """Return the propensity of new rows.

        Parameters
        ----------
        X : array_like of shape (m, p)
            Covariates in the order of the fit.

        Returns
        -------
        ndarray of shape (m,)
            Probabilities in (0, 1).

        Raises
        ------
        ValueError
            If X has another number of columns or values that are no numbers.
        """
        new = _validate.matrix(X, "X")
        if new.shape[1] != len(self.coef):
            raise ValueError(f"X has {new.shape[1]} columns, but the model was fitted with {len(self.coef)}.")
        return np.clip(expit(self.intercept + new @ self.coef), _EDGE, 1 - _EDGE)

    def influence(self, direction: FloatArray) -> FloatArray:
        """Return direction' IF_beta of every row: how a function of the coefficients moves with the row.

        Parameters
        ----------
        direction : ndarray of shape (1 + p,)
            Gradient with respect to the coefficients of `design`.

        Returns
        -------
        ndarray of shape (n,)
            Influence values.

        Raises
        ------
        ValueError
            If `direction` has another length than the design has columns, or holds no finite numbers.
        """
        direction = _validate.vector(direction, "direction", self.design.shape[1], "the design")
        pull = self.design @ np.linalg.solve(self.information, direction)
        score = pull * (self.t - self.e)
        return score - score.mean()  # the mean is zero for maximum likelihood, the ridge's pull otherwise

    def table(self) -> pd.Series:
        """Return the coefficients by name, the intercept first.

        Returns
        -------
        pandas.Series
            Log-odds per unit.
        """
        return pd.Series([self.intercept, *self.coef], index=["intercept", *self.names], name="log-odds")


def column_names(X: ArrayLike, p: int) -> tuple[str, ...]:
    """Return the columns of a frame, each name once, or x0, x1, ... for an array of p columns."""
    if isinstance(X, pd.DataFrame):
        twice = X.columns[X.columns.duplicated()].unique()
        if len(twice):
            raise ValueError(f"X has several columns called {', '.join(map(repr, twice))}; rename all but one.")
        return tuple(map(str, X.columns))
    if isinstance(X, pd.Series) and X.name is not None:
        return (str(X.name),)
    return tuple(f"x{j}" for j in range(p))


def propensity(
    X: ArrayLike,
    t: ArrayLike,
    *,
    penalty: float | None = None,
    max_iter: int = 100,
    refuse: OnRefusal = "raise",
) -> PropensityFit:
    """Fit P(T = 1 | X) by logistic regression, unpenalised unless asked, on internally standardised columns.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Covariates measured before treatment, without a constant.
    t : array_like of shape (n,)
        Treatment, 0 or 1.
    penalty : float, optional
        Ridge penalty on the standardised coefficients (scikit-learn's 1 / C); by default none: shrinking the
        propensity leaves confounding in the weighted sample.
    max_iter : int
        Newton steps allowed.
    refuse : {"raise", "flag"}
        What to do if the steps run out: raise, or return a fit with `converged` False.

    Returns
    -------
    PropensityFit
        Propensities, coefficients on the scale of X, convergence.

    Raises
    ------
    ValueError
        If inputs are no finite numbers, of other length, of one class, or X has constant or collinear columns.
    NoOverlap
        If a combination of covariates tells the groups apart perfectly, so no maximum exists.
    NotConverged
        If the steps run out and `refuse` is "raise".

    Notes
    -----
    Chapter: weighting/01_propensity_weighting

    References
    ----------
    bib: rosenbaum1983central
    """
    x = _validate.matrix(X, "X")
    group = _validate.binary(t, "t", len(x), "X")
    ridge = 0.0 if penalty is None else _validate.number(penalty, "penalty", low=0.0)
    _validate.integer(max_iter, "max_iter", low=1)
    _validate.one_of(refuse, "refuse", ("raise", "flag"))
    names = column_names(X, x.shape[1])
    Z, center, scale = standardised(x, names)
    beta, information, n_iter, converged = _newton(Z, group, ridge, max_iter, names)
    if not converged and refuse == "raise":
        raise NotConverged(
            f"propensity: Newton's method had not converged after max_iter={max_iter} steps; allow more iterations."
        )
    coef = beta[1:] / scale
    return PropensityFit(
        e=np.clip(expit(Z @ beta), _EDGE, 1 - _EDGE),
        coef=coef,
        intercept=float(beta[0] - coef @ center),
        names=names,
        converged=converged,
        n_iter=n_iter,
        penalty=ridge,
        t=group,
        design=Z,
        information=information,
    )


def _newton(
    Z: FloatArray, t: FloatArray, ridge: float, max_iter: int, names: tuple[str, ...]
) -> tuple[FloatArray, FloatArray, int, bool]:
    """Climb the penalised log-likelihood; return coefficients, mean information, steps and convergence."""
    penalty = np.full(Z.shape[1], ridge)
    penalty[0] = 0.0
    beta = np.zeros(Z.shape[1])
    beta[0] = logit(t.mean())
    eta = np.full(len(Z), beta[0])
    height = _log_likelihood(eta, t, beta, penalty)
    weakest_at_start = 0.0
    converged, n_iter = False, 0
    while n_iter < max_iter and not converged:
        n_iter += 1
        hessian = _information(Z, eta, penalty)
        curvature = np.linalg.eigvalsh(hessian)
        weakest_at_start = curvature[0] if n_iter == 1 else weakest_at_start
        if curvature[0] < _SEPARATED * weakest_at_start:
            raise NoOverlap(_separation_message(beta[1:], names))
        up, down = expit(eta), expit(-eta)
        step = np.linalg.solve(hessian, Z.T @ (t * down - (1 - t) * up) - penalty * beta)
        move = Z @ step
        reached = _log_likelihood(eta + move, t, beta + step, penalty)
        while reached < height - 1e-9 * (1 + abs(height)):  # overshot: the likelihood is concave, shorter steps climb
            step, move = step / 2, move / 2
            reached = _log_likelihood(eta + move, t, beta + step, penalty)
        beta, eta, height = beta + step, eta + move, reached
        converged = bool(np.abs(step).max() < _STEP)
    return beta, _information(Z, eta, penalty) / len(Z), n_iter, converged


def _information(Z: FloatArray, eta: FloatArray, penalty: FloatArray) -> FloatArray:
    return gram(Z, expit(eta) * expit(-eta)) + np.diag(penalty)


def _log_likelihood(eta: FloatArray, t: FloatArray, beta: FloatArray, penalty: FloatArray) -> float:
    return float(t @ eta - np.logaddexp(0, eta).sum() - penalty @ beta**2 / 2)


def _separation_message(beta: FloatArray, names: tuple[str, ...]) -> str:
    order = np.argsort(-np.abs(beta))
    blame = [names[j] for j in order[:3] if abs(beta[j]) > 0.3 * abs(beta[order[0]])]
    return (
        f"propensity: the covariates tell some treated and untreated rows apart perfectly "
        f"(look at {', '.join(blame)}), "
        "so the coefficients run to infinity. Those rows have nobody to compare with: drop them and say so, "
        "merge rare categories, or pass penalty= and read the overlap."
    )
