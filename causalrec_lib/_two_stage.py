"""The arithmetic of instruments: covariates taken out, both stages, and the set that a test leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2
from scipy.stats import f as fisher
from scipy.stats import t as student

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes, standardised
from causalrec_lib._propensity import column_names
from causalrec_lib._validate import FloatArray
from causalrec_lib.estimate import Estimate

_LIMIT = 1e-10


class FirstStage(NamedTuple):
    """What the instruments do to the treatment.

    Parameters
    ----------
    slope : ndarray of shape (k,)
        Change of the treatment with each instrument, the others and the covariates held fixed.
    se : ndarray of shape (k,)
        Their standard errors, robust to unequal variances.
    f : float
        Effective F; with one instrument the squared t-ratio.

    Notes
    -----
    Chapter: latent/02_instruments
    """

    slope: FloatArray
    se: FloatArray
    f: float


@dataclass(frozen=True, repr=False)
class InstrumentEstimate(Estimate):
    """An estimate by an instrument: an `Estimate` that knows its first stage and the shape of its set.

    Parameters
    ----------
    first_stage : FirstStage, optional
        Slopes of the treatment on the instruments, their errors, and the effective F.

    Notes
    -----
    Chapter: latent/02_instruments
    """

    first_stage: FirstStage | None = None

    @property
    def shape(self) -> str:
        """The confidence set in words: interval, half line, two half lines, whole line, or empty."""
        if not self.pieces:
            return "empty"
        ends = [low == -np.inf for low, _ in self.pieces] + [high == np.inf for _, high in self.pieces]
        if len(self.pieces) == 2:
            return "two half lines"
        return {0: "interval", 1: "half line", 2: "whole line"}[sum(ends)]


class Parts(NamedTuple):
    """Outcome, treatment and instruments after the covariates are taken out, clusters, and columns taken out."""

    y: FloatArray
    t: FloatArray
    z: FloatArray
    codes: NDArray[np.int64] | None
    used: int


def parts_of(
    y: ArrayLike,
    t: ArrayLike,
    z: ArrayLike,
    X: ArrayLike | None,
    clusters: ArrayLike | None,
    se: str,
    like: str = "y",
    names: tuple[str, str] = ("t", "z"),
) -> Parts:
    """Return checked inputs with the constant and the covariates taken out of all three."""
    _validate.one_of(se, "se", ("robust", "classical"))
    outcome = _validate.vector(y, like)
    dose, tools = _validate.vector(t, "t", len(outcome), like), _validate.matrix(z, "z", len(outcome), like)
    codes = cluster_codes(clusters, len(outcome))
    if codes is not None and se == "classical":
        raise ValueError("clusters need robust errors; pass se='robust', or leave clusters out.")
    W = np.ones((len(outcome), 1))
    if X is not None:
        columns = _validate.matrix(X, "X", len(outcome), like)
        W = standardised(columns, column_names(X, columns.shape[1]))[0]
    if len(outcome) <= W.shape[1] + tools.shape[1]:
        raise ValueError(
            f"{like} has {len(outcome)} rows, too few for {W.shape[1] + tools.shape[1]} columns; pass more rows."
        )
    basis = np.linalg.qr(W)[0]
    out = [a - basis @ (basis.T @ a) for a in (outcome, dose, tools)]
    _refuse_flat(out[1][:, None], dose[:, None], names[0])
    _refuse_flat(out[2], tools, names[1])
    return Parts(out[0], out[1], out[2], codes, W.shape[1])


def _refuse_flat(left: FloatArray, given: FloatArray, name: str) -> None:
    """Refuse columns of which nothing is left after the constant, the covariates and each other."""
    size = np.linalg.norm(given, axis=0) + (given == 0).all(axis=0)
    if (np.linalg.norm(left, axis=0) <= 1e-9 * size).any():
        raise ValueError(f"{name} is constant, or a combination of the columns of X; nothing is left of it to use.")
    if np.linalg.matrix_rank(left / np.linalg.norm(left, axis=0), tol=1e-9) < left.shape[1]:
        raise ValueError(f"{name} has columns that are combinations of each other; drop the spare ones.")


def first_of(p: Parts) -> FirstStage:
    slope = np.linalg.lstsq(p.z, p.t, rcond=None)[0]
    bread = np.linalg.inv(p.z.T @ p.z / len(p.t))
    scores = (p.z * (p.t - p.z @ slope)[:, None]) @ bread
    V = covariance(scores, p.codes)
    Q = p.z.T @ p.z / len(p.t)
    noise = float(np.trace(V @ Q))
    f = float(slope @ Q @ slope) / noise if noise > 0 else np.inf
    return FirstStage(slope, np.sqrt(np.diag(V)), f)


def covariance(scores: FloatArray, codes: NDArray[np.int64] | None) -> FloatArray:
    """Return the covariance of the mean of scores, by row or by cluster, as `standard_error` has it."""
    n, factor = len(scores), 1.0
    if codes is not None:
        G = int(codes.max()) + 1
        scores = np.stack([np.bincount(codes, weights=s, minlength=G) for s in scores.T], axis=1)
        factor = G / (G - 1)
    return factor * scores.T @ scores / n**2


def second_of(p: Parts, first: FirstStage) -> tuple[FloatArray, float]:
    """Return the influence of each row and the estimate; the residual has the treatment, not its prediction."""
    predicted = p.z @ first.slope
    strength = predicted @ p.t / len(p.t)
    if abs(strength) <= _LIMIT * (p.t @ p.t / len(p.t)):
        raise ValueError("z doesn't move t at all; there is no ratio to take. Look for another instrument.")
    value = predicted @ p.y / len(p.y) / strength
    return predicted * (p.y - value * p.t) / strength, float(value)


def classical_error(p: Parts, first: FirstStage, value: float) -> float:
    predicted, residual = p.z @ first.slope, p.y - value * p.t
    return float(np.sqrt(residual @ residual / (len(p.y) - p.used - 1) / (predicted @ predicted)))


def quadratic(p: Parts, se: str, level: float) -> tuple[float, float, float]:
    """Return a, b, c with which a t^2 + b t + c <= 0 says that the instruments don't reject the effect t."""
    pair, n = np.stack([p.y, p.t], axis=1), len(p.y)
    slopes = np.linalg.lstsq(p.z, pair, rcond=None)[0]
    left = pair - p.z @ slopes
    if se == "classical":
        k, spare = p.z.shape[1], len(p.y) - p.used - p.z.shape[1]
        gain, noise = (p.z @ slopes).T @ (p.z @ slopes), left.T @ left
        M = gain - fisher.ppf(level, k, spare) * k / spare * noise
    else:
        cut = chi2.ppf(level, 1) if p.codes is None else student.ppf(0.5 + level / 2, p.codes.max()) ** 2
        scores = p.z * left / (p.z[:, 0] @ p.z[:, 0] / n)
        M = slopes.T @ slopes - cut * covariance(scores, p.codes)
    return float(M[1, 1]), float(-2 * M[0, 1]), float(M[0, 0])


def below_zero(a: float, b: float, c: float) -> tuple[tuple[float, float], ...]:
    """Return where a t^2 + b t + c <= 0, as pairs (low, high)."""
    within = b * b - 4 * a * c
    if within < 0:
        return () if a > 0 else ((-np.inf, np.inf),)
    if a == 0:
        end = -c / b if b else 0.0
        return ((-np.inf, end),) if b > 0 else ((end, np.inf),) if b < 0 else ((-np.inf, np.inf),) if c <= 0 else ()
    q = -0.5 * (b + np.copysign(np.sqrt(within), b))
    low, high = sorted((q / a, c / q if q else 0.0))
    return ((low, high),) if a > 0 else ((-np.inf, low), (high, np.inf))
