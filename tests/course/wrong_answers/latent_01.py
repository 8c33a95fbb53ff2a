"""Wrong answers to the exercises of latent/01_structural_models."""

import numpy as np


def _through(B):
    return np.linalg.inv(np.eye(len(B)) - B)


def _gap(y, t, m, arm):
    return y[(t == arm) & (m == 1)].mean() - y[(t == arm) & (m == 0)].mean()


def _moved(t, m):
    return m[t == 1].mean() - m[t == 0].mean()


WRONG = {
    "latent/01.1": [
        lambda B, v, i, j: ((np.eye(len(B)) + B) @ np.diag(v) @ (np.eye(len(B)) + B).T)[i, j],
        lambda B, v, i, j: (_through(B) @ _through(B).T)[i, j],
        lambda B, v, i, j: B[i, j] * v[j],
    ],
    "latent/01.2": [
        lambda y, t, m: _gap(y, t, m, 0) * _moved(t, m),
        lambda y, t, m: y[t == 1].mean() - y[t == 0].mean(),
        lambda y, t, m: _gap(y, t, m, 1),
    ],
    "latent/01.3": [
        lambda x: np.corrcoef(x.T)[0, 1],
        lambda x: 1 - np.cov(x.T)[0, 1] * np.cov(x.T)[0, 2] / np.cov(x.T)[1, 2] / np.cov(x.T)[0, 0],
        lambda x: np.cov(x.T)[0, 1] * np.cov(x.T)[0, 2] / np.cov(x.T)[1, 2],
    ],
    "latent/01.4": [
        lambda y, t, m: np.polyfit(t, m, 1)[0] * np.polyfit(m, y, 1)[0],
        lambda y, t, m: np.polyfit(t, y, 1)[0],
        lambda y, t, m: np.linalg.lstsq(np.column_stack([np.ones(len(y)), t, m]), y, rcond=None)[0][2],
    ],
}
