"""Wrong answers to the exercises of latent/02_instruments."""

import numpy as np


def _kappa(t, z, p):
    return 1 - t * (1 - z) / (1 - p) - (1 - t) * z / p


def _ar(rest, z):
    one, zero = rest[z == 1], rest[z == 0]
    return (one.mean() - zero.mean()) ** 2 / (one.var() / len(one) + zero.var() / len(zero))


def _stages(y, t, z, actual, divide):
    first = np.column_stack([np.ones(len(y)), z])
    second = np.column_stack([np.ones(len(y)), first @ np.linalg.lstsq(first, t, rcond=None)[0]])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    residual = y - beta[0] - beta[1] * (t if actual else second[:, 1])
    return np.array([beta[1], np.sqrt(residual @ residual / divide * np.linalg.inv(second.T @ second)[1, 1])])


WRONG = {
    "latent/02.1": [
        lambda y, t, z: y[z == 1].mean() - y[z == 0].mean(),
        lambda y, t, z: y[t == 1].mean() - y[t == 0].mean(),
        lambda y, t, z: (t[z == 1].mean() - t[z == 0].mean()) / (y[z == 1].mean() - y[z == 0].mean()),
    ],
    "latent/02.2": [
        lambda x, t, z: np.array([(t == z).mean(), x[t == z].mean()]),
        lambda x, t, z: np.array([_kappa(t, z, z.mean()).mean(), (_kappa(t, z, z.mean()) * x).mean()]),
        lambda x, t, z: np.array([_kappa(t, z, 0.5).mean(), np.average(x, weights=_kappa(t, z, 0.5))]),
    ],
    "latent/02.3": [
        lambda y, t, z, b: _ar(y, z),
        lambda y, t, z, b: np.sqrt(_ar(y - b * t, z)),
        lambda y, t, z, b: _ar(y - b * t, t),
    ],
    "latent/02.4": [
        lambda y, t, z: _stages(y, t, z, False, len(y)),
        lambda y, t, z: _stages(y, t, z, True, len(y) - 2),
    ],
}
