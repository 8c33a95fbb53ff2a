"""Plausible wrong answers to the exercises of weighting/03_doubly_robust, each to be refused with a hint."""

import numpy as np


def _spread_of_a_row(y, t, mu0, mu1, e):
    psi = mu1 - mu0 + t * (y - mu1) / e - (1 - t) * (y - mu0) / (1 - e)
    return np.array([psi.mean(), psi.std()])


def _no_correction(y, t, mu0, mu1, e):
    gap = mu1 - mu0
    return np.array([gap.mean(), gap.std() / np.sqrt(len(gap))])


def _both_added(y, t, mu0, mu1, e):
    psi = mu1 - mu0 + t * (y - mu1) / e + (1 - t) * (y - mu0) / (1 - e)
    return np.array([psi.mean(), psi.std() / np.sqrt(len(psi))])


def _outcome_as_it_is(y, t, y_hat, t_hat):
    v = t - t_hat
    return y @ v / (v @ v)


def _treatment_as_it_is(y, t, y_hat, t_hat):
    return (y - y_hat) @ t / (t @ t)


def _plain_aipw(y, t, mu0, mu1, e):
    return np.mean(mu1 - mu0 + t * (y - mu1) / e - (1 - t) * (y - mu0) / (1 - e))


def _both_up(y, t, mu0, mu1, e):
    H = t / e - (1 - t) / (1 - e)
    epsilon = H @ (y - np.where(t == 1, mu1, mu0)) / (H @ H)
    return np.mean(mu1 + epsilon / e - (mu0 + epsilon / (1 - e)))


def _as_printed(y, t, mu0, e):
    correction = (1 - t) * (y - mu0) / (1 - e)
    return (np.sum(t * (y - mu0)) - np.sum(correction)) / t.sum()


def _unweighted(y, t, mu0, e):
    return (np.sum(t * (y - mu0)) - np.sum((1 - t) * (y - mu0))) / t.sum()


WRONG = {
    "weighting/03.1": [_spread_of_a_row, _no_correction, _both_added],
    "weighting/03.2": [_outcome_as_it_is, _treatment_as_it_is],
    "weighting/03.3": [_plain_aipw, _both_up],
    "weighting/03.4": [_as_printed, _unweighted],
}
