"""Wrong answers to the exercises of latent/03_factor_models_and_deconfounder."""

import numpy as np


def _first(y, *terms):
    return np.linalg.lstsq(np.column_stack([*terms, np.ones(len(y))]), y, rcond=None)[0][0]


def _predicted(w, *terms):
    first = np.column_stack([*terms, np.ones(len(w))])
    return first @ np.linalg.lstsq(first, w, rcond=None)[0]


def _classical(y, t, w, z):
    one = np.ones(len(y))
    second = np.column_stack([t, _predicted(w, t, z), one])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    residual = y - np.column_stack([t, w, one]) @ beta
    return np.sqrt(residual @ residual / len(y) * np.linalg.inv(second.T @ second)[0, 0])


def _planted(y, t, w, z):
    second = np.column_stack([t, _predicted(w, t, z), np.ones(len(y))])
    residual = y - second @ np.linalg.lstsq(second, y, rcond=None)[0]
    bread = np.linalg.inv(second.T @ second)
    return np.sqrt((bread @ ((second * residual[:, None] ** 2).T @ second) @ bread)[0, 0])


WRONG = {
    "latent/03.1": [
        lambda A, theta, lam: lam * (theta.T @ (A / (theta @ lam))),
        lambda A, theta, lam: lam * (theta.T @ (A / (theta @ lam))) / lam.sum(axis=1)[:, None],
        lambda A, theta, lam: lam * (theta.T @ A) / (theta.T @ theta @ lam),
    ],
    "latent/03.2": [
        lambda A, y: _first(y, A[:, 0]),
        lambda A, y: _first(y, A),
        lambda A, y: _first(y, A[:, 0], A[:, 1:].sum(axis=1)),
    ],
    "latent/03.3": [
        lambda y, t, w, z: _first(y, t, _predicted(w, z)),
        lambda y, t, w, z: _first(y, t, w),
        lambda y, t, w, z: _first(y, t, w, z),
        lambda y, t, w, z: _first(y, t, _predicted(z, t, w)),
    ],
    "latent/03.4": [_planted, _classical, lambda y, t, w, z: _planted(y, t, w, z) ** 2],
}
