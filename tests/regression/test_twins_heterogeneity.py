"""Broken twins of the judges of predicted effects: each must fail the battery that the true ones pass."""

from dataclasses import replace

import numpy as np
import pytest

from causalrec_lib import heterogeneity
from tests.truth.heterogeneity_world import Tools, battery

RUNS = 80


def rate_with(change):
    """A rate whose inputs or answer are changed."""

    def twin(scores, priority, **options):
        return change(scores, priority, options)

    return twin


def fixed_ranks(scores, priority, options):
    """An error that takes the ranks for known."""
    found = heterogeneity.rate(scores, priority, **options)
    n = len(scores)
    rank = np.empty(n)
    rank[np.argsort(-priority)] = np.arange(1, n + 1)
    share = rank / n
    weight = -np.log(share) - 1 if options["weighting"] == "autoc" else 0.5 - share
    return replace(found, se=float(np.std(weight * scores) / np.sqrt(n)), influence=None, interval=None)


def uncentred(scores, priority, options):
    """The mean of the first rows, with that of all rows left in."""
    found = heterogeneity.rate(scores, priority, **options)
    return replace(found, value=found.value + float(np.mean(scores)), interval=None)


def calibrate_with(change):
    def twin(y, t, predicted, y_hat, e):
        return heterogeneity.calibration(*change(y, t, predicted, y_hat, e))

    return twin


TWINS = {
    "smallest first": Tools(rate=rate_with(lambda s, p, o: heterogeneity.rate(s, -p, **o))),
    "ranks taken for known": Tools(rate=rate_with(fixed_ranks)),
    "not over the average": Tools(rate=rate_with(uncentred)),
    "weightings exchanged": Tools(
        rate=rate_with(
            lambda s, p, o: heterogeneity.rate(s, p, weighting="qini" if o["weighting"] == "autoc" else "autoc")
        )
    ),
    "one error for both halves": Tools(
        rate=rate_with(
            lambda s, p, o: (lambda f: replace(f, se=f.se / np.sqrt(2), interval=None))(heterogeneity.rate(s, p, **o))
        )
    ),
    "treatment not centred": Tools(
        calibration=calibrate_with(lambda y, t, p, m, e: (y, t, p, m, np.full(len(e), 1e-9))),
        r_losses=lambda y, t, p, m, e: (y - m - t * p) ** 2,
    ),
    "outcome not centred": Tools(
        calibration=calibrate_with(lambda y, t, p, m, e: (y, t, p, np.where(t > 0, m - 1, m), e))
    ),
    "slopes exchanged": Tools(
        calibration=lambda *a: dict(zip(("spread", "mean"), heterogeneity.calibration(*a).values(), strict=True))
    ),
    "predictions not centred": Tools(
        calibration=lambda y, t, p, m, e: {
            k: replace(v, value=v.value * (1 if k == "mean" else float(np.mean(p))), interval=None)
            for k, v in heterogeneity.calibration(y, t, p, m, e).items()
        }
    ),
    "loss in absolute value": Tools(r_losses=lambda y, t, p, m, e: np.abs(y - m - (t - e) * p)),
}


def test_the_true_ones_pass():
    assert [check for check, good in battery(Tools(), RUNS).items() if not good] == []


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_broken_twin_fails(twin):
    assert not all(battery(twin, RUNS).values())
