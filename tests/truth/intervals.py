"""Many estimates of one truth: are they centred, do their intervals cover, is their error their scatter?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from causalrec_lib.estimate import Estimate


def centred(found: Sequence[Estimate], truth: float, room: float = 3.0) -> bool:
    """Whether the mean lies within `room` Monte-Carlo errors of the truth."""
    values = np.array([e.value for e in found])
    return bool(abs(values.mean() - truth) < room * values.std(ddof=1) / np.sqrt(len(found)))


def covers(found: Sequence[Estimate], truth: float) -> bool:
    """Whether the intervals hold the truth as often as they claim, up to chance."""
    low, high = binom.ppf([0.001, 0.999], len(found), 0.95)
    return bool(low <= sum(e.covers(truth) for e in found) <= high)


def scattered(found: Sequence[Estimate], more: float = 0.0) -> bool:
    """Whether the mean standard error is the scatter of the estimates, up to chance and `more`."""
    values, errors = np.array([(e.value, e.se) for e in found]).T
    return bool(abs(errors.mean() / values.std(ddof=1) - 1) < more + 3.5 / np.sqrt(2 * len(found)))
