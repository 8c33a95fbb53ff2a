"""The structural equations as a table: the LaTeX twin of each function in `mechanisms` and `ratings`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world import _population as population
from causalrec_lib.data.world import _ratings as ratings
from causalrec_lib.data.world import policies
from causalrec_lib.data.world.parameters import Parameters

_Row = tuple[str, str, str, tuple[str, ...], Callable[..., Any]]

_ROWS: tuple[_Row, ...] = (
    (
        "log popularity",
        "P_i",
        r"\log \mathrm{pop}_i = 5 + \sigma_P\,\mathrm{normal\ score}"
        r"(\rho_q q_i + \rho_m m_i + \sqrt{1-\rho_q^2-\rho_m^2}\,\varepsilon_i)",
        ("sd_popularity", "pop_q", "pop_m"),
        population.make_items,
    ),
    (
        "score",
        "S_{ui}",
        r"\operatorname{std}(\theta_u^{\mathrm{seen}} \cdot \varphi_i"
        r" + G_{\mathrm{segment}(u),\mathrm{department}(i)})",
        ("d",),
        population.scaled_factors,
    ),
    (
        "hidden affinity",
        "H_{ui}",
        r"\operatorname{std}(\theta_u^{\mathrm{unseen}} \cdot \varphi_i + w_q q_i)",
        ("w_q",),
        population.scaled_factors,
    ),
    ("affinity", "A_{ui}", r"w_s S_{ui} + w_h H_{ui}", ("w_s", "w_h"), m.affinity),
    ("familiarity", "K_{ui}", r"s(k_0 + k_1 P_i + k_2 S_{ui})", ("k0", "k1", "k2"), m.familiarity),
    (
        "effect, log-odds",
        r"\tau_{ui}",
        r"t_1 (1 - K_{ui})\, s(t_2 A_{ui}) - t_3 v_u",
        ("t1", "t2", "t3"),
        m.lift_log_odds,
    ),
    (
        "base, log-odds",
        r"\beta_{ui}",
        r"b_0 + b_1 A_{ui} + b_2 P_i + b_3 L_u - b_4 C_i",
        ("b0", "b1", "b2", "b3", "b4"),
        m.base_log_odds,
    ),
    (
        "potential outcomes",
        "Y_{ui}(t)",
        r"\mathbb{1}\{U_{ui} < s(\beta_{ui} + t\,\tau_{ui})\}",
        (),
        m.outcome_probability,
    ),
    (
        "exposure",
        "e_{ui}",
        r"s(a_0 + a_1 P_i + a_2 S_{ui} + a_3 L_u\; [+\, a_h H_{ui} + a_q q_i])",
        ("a0", "a1", "a2", "a3", "a_h", "a_q"),
        m.exposure_probability,
    ),
    ("exposure, no confounding", "e_{ui}", r"e", ("e_random",), m.exposure_log_odds),
    (
        "exposure given marketing",
        "e_{ui}(z)",
        r"e_{ui} + \kappa (z - \tfrac12)\, e_{ui}(1 - e_{ui}),\quad"
        r" Z_{ui} \sim \mathrm{Bernoulli}(\tfrac12)",
        ("kappa",),
        m.exposure_given_marketing,
    ),
    ("interference", r"p^\gamma_{ui}", r"p_{ui} + \gamma F_{ui} (1 - p_{ui})", (), m.tell_a_friend),
    ("examination", r"\theta_k", r"k^{-\eta}", ("eta",), m.examination),
    ("slate click", r"P(\mathrm{click}_{uik})", r"\theta_k\, s(\beta_{ui} + \tau_{ui})", (), m.examination),
    (
        "logging logits",
        r"\ell_{ui}",
        r"l_s S_{ui} + l_p P_i + l_m\, \mathrm{sponsored}_i",
        ("l_s", "l_p", "l_m", "sponsored", "candidates"),
        policies.logging_log_odds,
    ),
    (
        "stars",
        "R_{ui}",
        r"1 + \#\{k : r_1 A_{ui} + r_\sigma \varepsilon_{ui} > c_k\}",
        ("r1", "r_sd", "cuts"),
        ratings.stars,
    ),
    (
        "rated",
        r"P(O_{ui} = 1 \mid R_{ui} = r)",
        r"\{1 - (1 - \bar p_{ui})^{W}\}\, o_r,\quad \bar p = (1-e) p_0 + e\, p_1",
        ("history", "bother"),
        ratings.rating_propensity,
    ),
    (
        "promise (sellers)",
        r"P(\mathrm{promise}_i)",
        r"s(c_0 + c_q q_i + c_C C_i)",
        ("c0", "c_q", "c_price"),
        m.promise_probability,
    ),
    (
        "blurb click",
        r"P(\mathrm{click}_{ui})",
        r"s(\beta_{ui} + \tau_{ui} + g_1 a + g_2 b + g_{12} a b)",
        ("g_promise", "g_number", "g_both"),
        m.blurb_click,
    ),
    (
        "expectation",
        "M_{ui}",
        r"m_A S_{ui} + m_a a + \sigma_M \varepsilon",
        ("m_a", "m_promise", "m_sd"),
        m.expectation,
    ),
    (
        "satisfaction",
        "V_{ui}",
        r"s_0 + s_A A_{ui} + s_M M_{ui} + s_a a + \sigma_V \varepsilon",
        ("s_0", "s_a", "s_expect", "s_promise", "s_sd"),
        m.satisfaction,
    ),
    (
        "sentiment",
        "",
        r"-1 \text{ if } V < v_1,\quad +1 \text{ if } V \ge v_2,\quad 0 \text{ between}",
        ("mood",),
        m.mood_probabilities,
    ),
    (
        "not following",
        r"P(\mathrm{type}_u \ne \mathrm{complier})",
        r"\min\{1,\ 2 (1 - c)\, s(-L_u)\}",
        (),
        m.non_complier_probability,
    ),
)


def _value(x: Any) -> str:
    return "(" + ", ".join(f"{v:g}" for v in x) + ")" if isinstance(x, tuple) else f"{x:g}"


def equations(p: Parameters) -> pd.DataFrame:
    """Return the table of structural equations with the parameter values of a world.

    Parameters
    ----------
    p : Parameters
        Coefficients.

    Returns
    -------
    DataFrame
        `name`, `symbol` and `equation` (LaTeX), `parameters` (name = value), `code` (where it is).

    Notes
    -----
    Chapter: reference/world
    """
    values = p.as_dict()
    return pd.DataFrame(
        {
            "name": name,
            "symbol": symbol,
            "equation": latex,
            "parameters": ", ".join(f"{k} = {_value(values[k])}" for k in used),
            "code": f"{f.__module__.removeprefix('causalrec_lib.data.')}.{f.__name__}",
        }
        for name, symbol, latex, used, f in _ROWS
    )
