"""Checks of the exercises of weighting/02_matching."""

from __future__ import annotations

import numpy as np

from causalrec_lib.course.check import Answer, call, exercise, expect_close

# Eleven rows without ties: five treated with high scores, six controls; one control is the nearest of three treated.
SCORE = np.array([0.30, 0.52, 0.71, 0.86, 0.98, 0.12, 0.27, 0.41, 0.55, 0.69, 0.05])
T = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
Y = np.array([3.0, 4.5, 7.0, 6.5, 9.0, 1.0, 2.5, 2.0, 4.0, 5.5, 0.5])
SHUFFLE = np.array([5, 0, 8, 3, 10, 1, 6, 4, 9, 2, 7])  # treated and controls mixed, so that row numbers matter
SCORE, T, Y = SCORE[SHUFFLE], T[SHUFFLE], Y[SHUFFLE]
TREATED, CONTROLS = np.flatnonzero(T == 1), np.flatnonzero(T == 0)
TABLE = np.abs(SCORE[TREATED][:, None] - SCORE[CONTROLS])
PARTNER = CONTROLS[TABLE.argmin(axis=1)]
EFFECTS = Y[TREATED] - Y[PARTNER]
NAIVE = Y[TREATED].mean() - Y[CONTROLS].mean()
FREE = list(range(len(CONTROLS)))  # controls not taken yet, for the answer without replacement
ONCE = [Y[CONTROLS][FREE.pop(int(np.argmin(row[FREE])))] for row in TABLE]
CALIPER = 0.1


@exercise("weighting/02.1", task="Return the ATT by one nearest neighbour on a score, with replacement.")
def check_nearest_att(answer: Answer) -> None:
    """Accept the mean difference between treated rows and their nearest controls."""
    for_controls = Y[TREATED][TABLE.argmin(axis=0)] - Y[CONTROLS]
    whole = Y[TREATED] - Y[TABLE.argmin(axis=1)]
    expect_close(
        call(answer, Y.copy(), T.copy(), SCORE.copy()),
        EFFECTS.mean(),
        hint="For each treated row, find the control with the nearest score; average the differences in y.",
        wrong={
            "That looks for a treated twin of each control, which is the ATC: who needs a partner here?": (
                for_controls.mean()
            ),
            "argmin counts within the controls, and you look it up in the whole table: use y[t == 0].": whole.mean(),
            "That uses every control once, as the naive difference does; use each treated row's nearest.": NAIVE,
            "That is the mean over distinct twins; one that serves twice must count twice.": (
                Y[TREATED].mean() - Y[np.unique(PARTNER)].mean()
            ),
            "The sign is turned: treated minus control.": -EFFECTS.mean(),
            "Each control serves once here; with replacement it stays available for the next.": (
                Y[TREATED].mean() - np.mean(ONCE)
            ),
            "That averages over treated and controls, the ATE; only treated rows speak here.": (
                np.r_[EFFECTS, for_controls].mean()
            ),
        },
    )


@exercise(
    "weighting/02.2",
    task="Return the effect among those within the caliper, the share who stay, and the mean score of the dropped.",
)
def check_with_caliper(answer: Answer) -> None:
    """Accept the effect, the share and the score of the dropped."""
    stay = TABLE.min(axis=1) <= CALIPER
    effect, share, dropped = EFFECTS[stay].mean(), stay.mean(), SCORE[TREATED][~stay].mean()
    everybody, turned, near = EFFECTS.mean(), EFFECTS[~stay].mean(), SCORE[TREATED][stay].mean()
    expect_close(
        call(answer, Y.copy(), T.copy(), SCORE.copy(), CALIPER),
        [effect, share, dropped],
        hint="Make a mask over the treated, distance <= caliper: average the differences inside it, take its mean, "
        "and the mean score of the treated outside of it.",
        wrong={
            "The second number is a count; divide by the number of treated rows.": [effect, stay.sum(), dropped],
            "The second number is a share of all rows; take it of the treated.": [
                effect,
                stay.sum() / len(Y),
                dropped,
            ],
            "The numbers are in another order than asked: effect, share, score.": [share, effect, dropped],
            "The effect still averages over all treated rows: those beyond the caliper must go.": [
                everybody,
                share,
                dropped,
            ],
            "You divide by all treated rows; average over those who stay.": [
                EFFECTS[stay].sum() / len(stay),
                share,
                dropped,
            ],
            "The second number is the share that was dropped; the task asks for those who stay.": [
                effect,
                1 - share,
                dropped,
            ],
            "The third number is the score of those who stay; whom is the effect not about?": [effect, share, near],
            "The caliper is turned around: those who stay are *near* their twin.": [turned, 1 - share, near],
        },
    )


@exercise("weighting/02.3", task="Take what the gap in x is worth off each pair, and return the corrected ATT.")
def check_corrected_att(answer: Answer) -> None:
    """Accept the ATT with the slope among the twins, weighted by how often each serves."""

    def corrected(rows: np.ndarray) -> float:
        slope = np.polyfit(SCORE[rows], Y[rows], 1)[0]
        return float(np.mean(EFFECTS - slope * (SCORE[TREATED] - SCORE[PARTNER])))

    want = corrected(PARTNER)
    expect_close(
        call(answer, Y.copy(), T.copy(), SCORE.copy(), PARTNER.copy()),
        want,
        hint="Slope of y[partner] on x[partner]; then own minus twin's y, less slope times own minus twin's x.",
        wrong={
            "There is no correction in it yet.": EFFECTS.mean(),
            "The gap has a sign; its absolute value corrects the wrong way where the twin is above.": (
                EFFECTS - np.polyfit(SCORE[PARTNER], Y[PARTNER], 1)[0] * np.abs(SCORE[TREATED] - SCORE[PARTNER])
            ).mean(),
            "The line goes through zero; give it an intercept.": (
                EFFECTS
                - SCORE[PARTNER] @ Y[PARTNER] / (SCORE[PARTNER] @ SCORE[PARTNER]) * (SCORE[TREATED] - SCORE[PARTNER])
            ).mean(),
            "The gap is added instead of taken off; it is own x minus the twin's x.": 2 * EFFECTS.mean() - want,
            "The slope counts each twin once; count it as often as it serves.": corrected(np.unique(PARTNER)),
            "The slope uses all controls; far ones say little on the gaps of these pairs. Use the twins.": corrected(
                CONTROLS
            ),
            "The slope uses treated and controls together, so the effect leaks into it.": corrected(
                np.arange(len(Y))
            ),
            "The slope comes from the treated; the correction needs how Y(0) moves with x.": corrected(TREATED),
        },
    )


@exercise(
    "weighting/02.4", task="Mend the comparison, and return the ATT and the effective sample size of the twins."
)
def check_matched_difference(answer: Answer) -> None:
    """Accept the weighted difference and Kish's effective size."""
    served = np.bincount(PARTNER, minlength=len(Y))
    att, size = EFFECTS.mean(), served.sum() ** 2 / (served**2).sum()
    once = Y[TREATED].mean() - Y[np.unique(PARTNER)].mean()
    distinct = float((served > 0).sum())
    expect_close(
        call(answer, Y.copy(), T.copy(), PARTNER.copy()),
        [att, size],
        hint="Count how often each row serves, np.bincount(partner); weight the twins by it, and put the counts into "
        "Kish's formula.",
        wrong={
            "That still counts each twin once, however many displays it stands in for.": [once, size],
            "Both numbers still count each twin once.": [once, distinct],
            "The effect is right. Kish's numerator is the sum of the counts, squared.": [
                att,
                served.sum() / (served**2).sum(),
            ],
            "The sign is turned: treated minus twins.": [-att, size],
            "The effect is right. The size counts distinct twins; unequal service makes them worth less.": [
                att,
                distinct,
            ],
            "The effect is right. The size counts pairs; a twin that serves thrice is not three rows.": [
                att,
                float(len(PARTNER)),
            ],
            "That compares with all controls: the naive difference.": [NAIVE, float(len(CONTROLS))],
        },
    )
