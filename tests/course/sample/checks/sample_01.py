"""Checks of the sample chapter."""

import numpy as np

from causalrec_lib.course.check import call, exercise, expect_close

T = np.array([1, 0, 1, 0, 1, 1])
X = np.array([0, 0, 1, 1, 1, 0])
Y = np.array([3.0, 1.0, 5.0, 2.0, 4.0, 2.5])


@exercise("sample/01.1", task="Return the difference in means.")
def check_difference(answer):
    """Treated minus control."""
    want = Y[T == 1].mean() - Y[T == 0].mean()
    expect_close(
        call(answer, Y, T),
        want,
        hint="Take the mean of y where t is 1, minus the mean where t is 0.",
        wrong={"The sign is turned: treated minus control, not the other way round.": -want},
    )


@exercise("sample/01.2", task="Return the share of top-shelf books in each stratum.")
def check_shares(answer):
    """One share a stratum."""
    expect_close(
        call(answer, T, X),
        [T[X == 0].mean(), T[X == 1].mean()],
        hint="A share is a mean of zeros and ones, taken within each value of x.",
        wrong={"These are counts: divide by the size of the stratum.": [T[X == 0].sum(), T[X == 1].sum()]},
    )


@exercise("sample/01.3", task="Find and mend the planted error in the average.")
def check_average(answer):
    """Weights are the sizes of the strata."""
    effects, n, treated = np.array([1.0, 3.0]), np.array([60, 40]), np.array([10, 30])
    expect_close(
        call(answer, effects, n, treated),
        1.8,
        hint="Each stratum counts by its share of all books.",
        wrong={"That is the effect on the treated: weight by all rows instead.": 2.5},
    )
