"""Every number in the structural equations of the world, in one place, with its letter."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from causalrec_lib import _validate

_RANGES: dict[str, dict[str, Any]] = {
    "kappa": {"high": 2, "above": 0},
    "e_random": {"above": 0, "below": 1},
    "sponsored": {"low": 0, "high": 1},
    "eta": {"low": 0},
    "sd_popularity": {"above": 0},
    "pop_q": {"above": -1, "below": 1},
    "r_sd": {"above": 0},
    "m_sd": {"low": 0},
    "s_sd": {"above": 0},
}


@dataclass(frozen=True)
class Parameters:
    """Coefficients of the world; the letters are those of the equations on the world's page.

    Parameters
    ----------
    d : int
        Number of taste dimensions, 1 or more.
    w_s, w_h : float
        Weight of the observed and the hidden part in the affinity.
    w_q : float
        Weight of hidden quality against hidden taste in the hidden part.
    b0, b1, b2, b3, b4 : float
        Outcome without exposure: intercept (log-odds), affinity, popularity, activity, price.
    t1, t2, t3 : float
        Effect of exposure (log-odds): size, steepness in affinity, annoyance.
    k0, k1, k2 : float
        Familiarity, the chance that the user finds the item anyway: intercept, popularity, score.
    a0, a1, a2, a3, a_h, a_q, a_x : float
        Exposure (log-odds): intercept, popularity, score, activity; hidden affinity and quality (switch "hidden");
        tone of the reviews (switch "text").
    e_random : float
        Exposure probability where nothing confounds, inside (0, 1).
    kappa : float
        Strength of the marketing coin, an instrument, in (0, 2]. With the default a Wald estimate wants some 400,000
        pairs; `Parameters(kappa=2.0)` makes 100,000 enough.
    sd_popularity, pop_q, pop_m : float
        Spread of log popularity (above 0); its correlation with quality and with the advertising spend, whose
        squares add up to at most 1.
    r1, r_sd : float
        Latent satisfaction behind the stars: slope in affinity, noise (above 0).
    cuts : tuple of 4 floats
        Cut points of the latent satisfaction between stars, ascending.
    history : int
        Weeks over which ratings accumulate, 1 or more.
    bother : tuple of 5 floats
        Probability of writing down a rating of 1..5 stars after consuming.
    eta : float
        Examination of slot k is k ** -eta; 0 or more.
    l_s, l_p, l_m : float
        Logits of the logging policy: score, popularity, bonus of sponsored items.
    sponsored : float
        Share of sponsored items, drawn at random, 0 to 1.
    candidates : int
        Items that a session's retrieval step hands to the ranking step, drawn uniformly; 1 or more.
    g_promise, g_number, g_both : float
        Effects of the blurb's attributes on the log-odds of a click, and their product.
    c0, c_q, c_price : float
        How sellers choose to promise when nobody randomises: intercept, hidden quality, price.
    m_a, m_promise, m_sd : float
        Expectation: score, effect of the promise, noise (0 or more).
    s_0, s_a, s_expect, s_promise, s_both, s_sd : float
        Satisfaction after consuming: level, affinity, expectation (disappointment), direct promise, promise times
        expectation (0 by default; -0.3 makes direct, natural and controlled effects differ), noise (above 0).
    grades : tuple of 4 floats
        Cut points of satisfaction between 1 to 5 stars, ascending; a reaction of 1 or 2 is negative, of 4 or 5
        positive.

    Raises
    ------
    ValueError
        If a coefficient is not finite or out of its range.

    Notes
    -----
    Chapter: reference/world
    """

    d: int = 6
    w_s: float = 0.75
    w_h: float = 0.65
    w_q: float = 0.8
    b0: float = -3.1
    b1: float = 0.9
    b2: float = 0.7
    b3: float = 0.3
    b4: float = 0.2
    t1: float = 4.0
    t2: float = 1.2
    t3: float = 1.6
    k0: float = -0.5
    k1: float = 2.2
    k2: float = 1.2
    a0: float = -1.2
    a1: float = 0.9
    a2: float = 0.5
    a3: float = 0.35
    a_h: float = 0.35
    a_q: float = 0.6
    a_x: float = 0.8
    e_random: float = 0.3
    kappa: float = 1.0
    sd_popularity: float = 1.29
    pop_q: float = 0.3
    pop_m: float = 0.5
    r1: float = 0.8
    r_sd: float = 1.0
    cuts: tuple[float, ...] = (-1.81, -1.20, -0.55, 0.23)
    history: int = 4
    bother: tuple[float, ...] = (0.52, 0.55, 0.46, 0.42, 0.415)
    eta: float = 1.0
    l_s: float = 1.5
    l_p: float = 0.5
    l_m: float = 3.0
    sponsored: float = 0.2
    candidates: int = 20
    g_promise: float = 0.5
    g_number: float = 0.25
    g_both: float = -0.2
    c0: float = -0.3
    c_q: float = -0.8
    c_price: float = 0.4
    m_a: float = 0.5
    m_promise: float = 0.8
    m_sd: float = 0.7
    s_0: float = 6.5
    s_a: float = 1.4
    s_expect: float = -0.6
    s_promise: float = 0.15
    s_both: float = 0.0
    s_sd: float = 1.2
    grades: tuple[float, ...] = (4.5, 5.5, 7.0, 8.0)

    def __post_init__(self) -> None:
        """Refuse coefficients outside their range."""
        for name in ("d", "history", "candidates"):
            _validate.integer(getattr(self, name), name, 1)
        for name in ("cuts", "grades"):
            _validate.ascending(getattr(self, name), name, 4)
        _validate.numbers(self.bother, "bother", 5, 0, 1)
        for name in {f.name for f in fields(self)} - {"cuts", "grades", "bother"}:
            _validate.number(getattr(self, name), name, **_RANGES.get(name, {}))
        if self.pop_q**2 + self.pop_m**2 > 1:
            raise ValueError(
                f"pop_q and pop_m are correlations with independent causes: the sum of their squares must be at most "
                f"1, but is {self.pop_q**2 + self.pop_m**2:g}; lower one of both."
            )

    @classmethod
    def few_clicks(cls, **changes: Any) -> Parameters:
        """Return coefficients under which a shown slot is clicked a few times in a hundred, as in real logs.

        Parameters
        ----------
        **changes
            Coefficients by name, on top of b0 = -4.4 and t1 = 3.

        Returns
        -------
        Parameters
            The coefficients.

        Raises
        ------
        ValueError
            If a coefficient is out of its range.

        Notes
        -----
        Chapter: reference/world
        """
        return cls(**{"b0": -4.4, "t1": 3.0, **changes})

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters by name.

        Returns
        -------
        dict of str to int, float or tuple of float
            One entry a field.

        Notes
        -----
        Chapter: reference/world
        """
        return asdict(self)
