"""Adjusting for text against a known effect: on made texts in every run, on real reviews in the long version."""

import pytest

pytest.importorskip("torch")

from causalrec_lib.language.finetune import Recipe
from tests.truth import language_world
from tests.truth.intervals import covers


def test_the_battery():
    assert [name for name, good in language_world.battery() if not good] == []


@pytest.mark.parametrize("weeks", [2, pytest.param(50, marks=pytest.mark.nightly)])
def test_on_real_reviews_a_quarter_of_the_naive_bias_is_never_left(weeks, capsys):
    states, returned = language_world.reviews(2_000)
    adjusted, naive = language_world.study(states, returned, weeks, Recipe(epochs=2, learning_rate=1e-3))
    left = language_world.share_left(adjusted, naive)
    held = sum(e.covers(language_world.EFFECT) for e in adjusted)
    with capsys.disabled():
        print(f"\n{weeks} weeks: {left:.1%} of the naive bias is left; {held} of {weeks} intervals hold the effect")
    assert left < 0.25
    assert all(e.value > 0 for e in adjusted), "the sign must be right in every week"
    assert all(e.high < 0 for e in naive), "and the naive one wrong, or the sign test shows nothing"
    if weeks >= 50:
        assert not covers(adjusted, language_world.EFFECT), "it covers now: say so in the chapter"
