"""Values of policies against obp 0.5.7, to ten digits."""

import numpy as np
import pytest

from causalrec_lib import policy

from .obp_answers import CUT, bandit, slates

THEIRS = {
    "IPS": 0.567353482801158,
    "SNIPS": 0.4074250157542272,
    "clipped IPS": 0.3888459475016882,
    "DM": 0.4988695697470461,
    "DR": 0.39647656052631397,
    "SNDR": 0.42533961944355897,
    "SWITCH-DR": 0.43928401087569946,
    "DRos": 0.45421971229731684,
    "slates, IPS": 1.6209940746616258,
    "slates, IIPS": 1.0561990049085885,
    "slates, RIPS": 1.274425232893346,
}
"""Printed by obp 0.5.7; see obp_answers.py."""


@pytest.mark.parametrize("how", ["DM", "IPS", "SNIPS", "clipped IPS", "DR", "SNDR", "SWITCH-DR", "DRos"])
def test_values_are_those_of_obp(how):
    b = bandit()
    pi, e, q = (policy.at_actions(b["target"], b["a"]), policy.at_actions(b["logging"], b["a"]), b["q"])
    ours = policy.off_policy_value(
        b["y"], pi, e, q[np.arange(len(q)), b["a"]], (b["target"] * q).sum(axis=1),
        estimator=how, threshold=CUT if how in policy.NEEDS_THRESHOLD else None, refuse="flag",
    )  # fmt: skip
    assert ours.value == pytest.approx(THEIRS[how], abs=1e-10)


@pytest.mark.parametrize("how", ["IPS", "IIPS", "RIPS"])
def test_values_of_slates_are_those_of_obp(how):
    s = slates()
    session, place = np.repeat(np.arange(500), 3), np.tile([1, 2, 3], 500)
    ratio = (s["target"] / s["logging"]).ravel()
    ours = policy.slate_value(s["y"].ravel(), ratio, session, place, estimator=how, refuse="flag")
    assert ours.value == pytest.approx(THEIRS[f"slates, {how}"], abs=1e-10)
