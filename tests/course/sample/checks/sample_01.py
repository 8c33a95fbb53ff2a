"""Checks of the sample chapter."""

import numpy as np

from causalrec_lib.course.check import exercise, expect_on_draws


def books(rng):
    """Sales, shelf and popularity of twelve books."""
    t, x = np.tile([1, 0, 1, 0, 1, 1], 2), np.repeat([0, 1], 6)
    return 2 * x + t + rng.normal(size=12), rng.permutation(t), x


@exercise("sample/01.1", task="Return the difference in means.")
def check_difference(answer):
    """Treated minus control."""

    def make(rng):
        y, t, _ = books(rng)
        want = y[t == 1].mean() - y[t == 0].mean()
        return (y, t), want, {"The sign is turned: treated minus control, not the other way round.": -want}

    expect_on_draws(answer, make, hint="Which two groups of books does the question compare?")


@exercise("sample/01.2", task="Return the share of top-shelf books in each stratum.")
def check_shares(answer):
    """One share a stratum."""

    def make(rng):
        _, t, x = books(rng)
        counts = [t[x == 0].sum(), t[x == 1].sum()]
        shares = [t[x == 0].mean(), t[x == 1].mean()]
        return (t, x), shares, {"These are counts: divide by the size of the stratum.": counts}

    expect_on_draws(answer, make, hint="A share is a mean of zeros and ones, taken within each value of x.")


@exercise("sample/01.3", task="Find and mend the planted error in the average.")
def check_average(answer):
    """Weights are the sizes of the strata."""

    def make(rng):
        effects, n, treated = rng.normal(size=2), rng.integers(40, 60, 2), rng.integers(10, 30, 2)
        on_treated = np.average(effects, weights=treated)
        known = {"That is the effect on the treated: weight by all rows instead.": on_treated}
        return (effects, n, treated), np.average(effects, weights=n), known

    expect_on_draws(answer, make, hint="Each stratum counts by its share of all books.")
