"""Checks of the exercises of weighting/02_matching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalrec_lib.course.check import Answer, Draw, exercise, expect_on_draws


@dataclass(frozen=True)
class Pairs:
    """Treated rows with their nearest controls, some of which serve more than once."""

    y: np.ndarray
    t: np.ndarray
    score: np.ndarray
    treated: np.ndarray  # row numbers
    controls: np.ndarray
    table: np.ndarray  # distances, one line for each treated row
    partner: np.ndarray  # row number of each treated row's twin

    @property
    def effects(self) -> np.ndarray:
        """Own outcome minus the twin's."""
        return self.y[self.treated] - self.y[self.partner]

    @property
    def gaps(self) -> np.ndarray:
        """Own score minus the twin's."""
        return self.score[self.treated] - self.score[self.partner]

    @property
    def naive(self) -> float:
        """Difference in means."""
        return float(self.y[self.treated].mean() - self.y[self.controls].mean())

    @property
    def twins_once(self) -> float:
        """Treated minus distinct twins."""
        return float(self.y[self.treated].mean() - self.y[np.unique(self.partner)].mean())


def _pairs(rng: np.random.Generator) -> Pairs:
    """Draw nine controls and eight treated rows: some above all controls, the others near three of them; no ties."""
    above = rng.integers(3, 5)  # all have the same twin
    near = rng.choice(8, 3, replace=False)  # of the controls, each the twin of one or more
    at_control = 0.08 * np.arange(9) + rng.uniform(-0.02, 0.02, 9)
    twin = np.r_[np.repeat(8, above), near, rng.choice(near, 5 - above)]
    gaps = rng.uniform(0.002, 0.018, 8 - above) * np.resize([-1, 1], 8 - above)  # less than half a step to the next
    off = np.r_[rng.uniform(0.05, 0.3, above), gaps]
    order = rng.permutation(17)
    t = np.repeat([0, 1], [9, 8])[order]
    score = np.r_[at_control, at_control[twin] + off][order]
    y = 1 + 6 * score**2 + t * (0.5 + score) + rng.normal(0, 0.4, 17)
    treated, controls = np.flatnonzero(t == 1), np.flatnonzero(t == 0)
    table = np.abs(score[treated][:, None] - score[controls])
    return Pairs(y, t, score, treated, controls, table, controls[table.argmin(axis=1)])


def _each_control_once(p: Pairs) -> np.ndarray:
    """Return the outcomes of the twins if a control that was taken is gone."""
    table, twins = p.table.copy(), []
    for k in range(len(table)):
        twins.append(int(table[k].argmin()))
        table[:, twins[-1]] = np.inf
    return p.y[p.controls][twins]


@exercise("weighting/02.1", task="Return the ATT by one nearest neighbour on a score, with replacement.")
def check_nearest_att(answer: Answer) -> None:
    """Accept the mean difference between treated rows and their nearest controls."""

    def make(rng: np.random.Generator) -> Draw:
        p = _pairs(rng)
        for_controls = p.y[p.treated][p.table.argmin(axis=0)] - p.y[p.controls]
        known = {
            "That looks for a treated twin of each control, which is the ATC: who needs a partner here?": (
                for_controls.mean()
            ),
            "argmin counts within the controls, and you look it up in the whole table: use y[t == 0].": (
                np.mean(p.y[p.treated] - p.y[p.table.argmin(axis=1)])
            ),
            "That uses every control once, as the naive difference does; use each treated row's nearest.": p.naive,
            "That is the mean over distinct twins; one that serves twice must count twice.": p.twins_once,
            "The sign is turned: treated minus control.": -p.effects.mean(),
            "Each control serves once here; with replacement it stays available for the next.": (
                np.mean(p.y[p.treated] - _each_control_once(p))
            ),
            "That averages over treated and controls, the ATE; only treated rows speak here.": (
                np.r_[p.effects, for_controls].mean()
            ),
        }
        return (p.y, p.t, p.score), p.effects.mean(), known

    expect_on_draws(
        answer,
        make,
        hint="Who needs a partner, who can be one, and how often?",
        recipe="For each treated row, find the control with the nearest score; average the differences in y.",
    )


@exercise(
    "weighting/02.2",
    task="Return the effect among those within the caliper, the share who stay, and the mean score of the dropped.",
)
def check_with_caliper(answer: Answer) -> None:
    """Accept the effect, the share and the score of the dropped."""

    def make(rng: np.random.Generator) -> Draw:
        p = _pairs(rng)
        distance = p.table.min(axis=1)
        caliper = float(np.sort(distance)[rng.integers(4, 7) + np.arange(2)].mean())
        stay, own = distance <= caliper, p.score[p.treated]
        effect, share, dropped = p.effects[stay].mean(), stay.mean(), own[~stay].mean()
        known = {
            "The second number is a count; divide by the number of treated rows.": [effect, stay.sum(), dropped],
            "The second number is a share of all rows; take it of the treated.": (
                [effect, stay.sum() / len(p.y), dropped]
            ),
            "The numbers are in another order than asked: effect, share, score.": [share, effect, dropped],
            "The effect still averages over all treated rows: those beyond the caliper must go.": (
                [p.effects.mean(), share, dropped]
            ),
            "You divide by all treated rows; average over those who stay.": [effect * share, share, dropped],
            "The second number is the share that was dropped; the task asks for those who stay.": (
                [effect, 1 - share, dropped]
            ),
            "The third number is the score of those who stay; whom is the effect not about?": (
                [effect, share, own[stay].mean()]
            ),
            "The caliper is turned around: those who stay are *near* their twin.": (
                [p.effects[~stay].mean(), 1 - share, own[stay].mean()]
            ),
        }
        return (p.y, p.t, p.score, caliper), [effect, share, dropped], known

    expect_on_draws(
        answer,
        make,
        hint="Which treated rows have a twin within the caliper? Two of the three numbers are about them, one is "
        "about the rest.",
        recipe="Make a mask over the treated, distance <= caliper: average the differences inside it, take its mean, "
        "and the mean score of the treated outside of it.",
    )


@exercise("weighting/02.3", task="Take what the gap in x is worth off each pair, and return the corrected ATT.")
def check_corrected_att(answer: Answer) -> None:
    """Accept the ATT with the slope among the twins, weighted by how often each serves."""

    def make(rng: np.random.Generator) -> Draw:
        p = _pairs(rng)

        def slope(rows: np.ndarray) -> float:
            return float(np.polyfit(p.score[rows], p.y[rows], 1)[0])

        def corrected(by: float, gaps: np.ndarray = p.gaps) -> float:
            return float(np.mean(p.effects - by * gaps))

        right, x = slope(p.partner), p.score[p.partner]
        known = {
            "There is no correction in it yet.": corrected(0),
            "The gap has a sign; its absolute value corrects the wrong way where the twin is above.": (
                corrected(right, np.abs(p.gaps))
            ),
            "The line goes through zero; give it an intercept.": corrected(x @ p.y[p.partner] / (x @ x)),
            "The gap is added instead of taken off; it is own x minus the twin's x.": corrected(-right),
            "The slope counts each twin once; count it as often as it serves.": (
                corrected(slope(np.unique(p.partner)))
            ),
            "The slope uses all controls; far ones say little on the gaps of these pairs. Use the twins.": (
                corrected(slope(p.controls))
            ),
            "The slope uses treated and controls together, so the effect leaks into it.": (
                corrected(slope(np.arange(len(p.y))))
            ),
            "The slope comes from the treated; the correction needs how Y(0) moves with x.": (
                corrected(slope(p.treated))
            ),
        }
        return (p.y, p.t, p.score, p.partner), corrected(right), known

    expect_on_draws(
        answer,
        make,
        hint="By how much would a twin's y change if its x were that of its treated row? Which rows can tell?",
        recipe="Slope of y[partner] on x[partner]; then own minus twin's y, less slope times own minus twin's x; "
        "average.",
    )


@exercise(
    "weighting/02.4", task="Mend the comparison, and return the ATT and the effective sample size of the twins."
)
def check_matched_difference(answer: Answer) -> None:
    """Accept the weighted difference and Kish's effective size."""

    def make(rng: np.random.Generator) -> Draw:
        p = _pairs(rng)
        served = np.bincount(p.partner, minlength=len(p.y))
        att, size, distinct = p.effects.mean(), served.sum() ** 2 / (served**2).sum(), np.sum(served > 0)
        known = {
            "That still counts each twin once, however many displays it stands in for.": [p.twins_once, size],
            "Both numbers still count each twin once.": [p.twins_once, distinct],
            "The effect is right. Kish's numerator is the sum of the counts, squared.": (
                [att, served.sum() / (served**2).sum()]
            ),
            "The sign is turned: treated minus twins.": [-att, size],
            "The effect is right. The size counts distinct twins; unequal service makes them worth less.": (
                [att, distinct]
            ),
            "The effect is right. The size counts pairs; a twin that serves thrice is not three rows.": (
                [att, len(p.partner)]
            ),
            "That compares with all controls: the naive difference.": [p.naive, len(p.controls)],
        }
        return (p.y, p.t, p.partner), [att, size], known

    expect_on_draws(
        answer,
        make,
        hint="How often does each row of `partner` serve? A row that stands in for three displays must count "
        "for three.",
        recipe="Count with np.bincount(partner); weight the twins by the counts, and put the counts into Kish's "
        "formula.",
    )
