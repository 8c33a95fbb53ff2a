"""Wrong answers to the exercises of recommenders/04_ab_tests."""

import numpy as np
from scipy.stats import chi2, norm


def _bound(ses, rho):
    total = 1 / ses**2 + rho
    return np.sqrt(total * np.log(total / (rho * 0.05**2))) * ses**2


def one_arm(effect, sd, power):
    return 2 * ((norm.ppf(0.975) + norm.ppf(power)) * sd / effect) ** 2


def one_sided(effect, sd, power):
    return 4 * ((norm.ppf(0.95) + norm.ppf(power)) * sd / effect) ** 2


def without_power(effect, sd, power):
    return 4 * (norm.ppf(0.975) * sd / effect) ** 2


def all_degrees(counts, shares):
    expected = counts.sum() * shares
    return chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts))


def equal_shares(counts, shares):
    return chi2.sf(((counts - counts.mean()) ** 2 / counts.mean()).sum(), len(counts) - 1)


def as_planted(y, x, t):
    rest = y - np.var(x) / np.cov(y, x, ddof=0)[0, 1] * (x - x.mean())
    return rest[t == 1].mean() - rest[t == 0].mean()


def unadjusted(y, x, t):
    return y[t == 1].mean() - y[t == 0].mean()


def added(y, x, t):
    rest = y + np.cov(y, x, ddof=0)[0, 1] / np.var(x) * (x - x.mean())
    return rest[t == 1].mean() - rest[t == 0].mean()


def ordinary(values, ses, rho):
    out = np.abs(values) > 1.96 * ses
    return int(out.argmax()) + 1 if out.any() else 0


def from_zero(values, ses, rho):
    return int((np.abs(values) > _bound(ses, rho)).argmax())


def upwards_only(values, ses, rho):
    out = values > _bound(ses, rho)
    return int(out.argmax()) + 1 if out.any() else 0


WRONG = {
    "recommenders/04.1": [one_arm, one_sided, without_power],
    "recommenders/04.2": [all_degrees, equal_shares],
    "recommenders/04.3": [as_planted, unadjusted, added],
    "recommenders/04.4": [ordinary, from_zero, upwards_only],
}
