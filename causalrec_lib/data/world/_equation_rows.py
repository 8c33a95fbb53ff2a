"""The rows of the table of equations: name, symbol, LaTeX, coefficients, code, constants of that code."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from causalrec_lib.data.world import _core, _dynamics, _events, _experiment, _feedback, _listings, policies
from causalrec_lib.data.world import _mechanisms as m
from causalrec_lib.data.world import _population as pop
from causalrec_lib.data.world import _ratings as ratings
from causalrec_lib.data.world import _slates as slates
from causalrec_lib.data.world import _textroles as textroles


class Row(NamedTuple):
    """One equation."""

    name: str
    symbol: str
    latex: str
    used: tuple[str, ...]
    code: Callable[..., Any]
    where: ModuleType = m
    fixed: tuple[str, ...] = ()


_ITEMS = (
    Row("listing", "", r"\text{at most MAX\_PER\_LISTING reviews of one product, rare departments left out}", (),
        _listings.deal, _listings, ("MAX_PER_LISTING", "RARE_DEPARTMENT")),
    Row("quality (hidden)", "q_i", r"\operatorname{std}\bigl\{(\sum_r \mathrm{stars}_{ir} + \lambda\,\overline"
        r"{\mathrm{stars}}) / (n_i + \lambda)\bigr\}", (), _listings.shrunk_quality, _listings, ("SHRINK",)),
    Row("text factors", r"\varphi_i", r"\operatorname{std}\{\text{singular vectors } 2, \dots, d + 1"
        r" \text{ of TF-IDF}\}", ("d",), pop.text_factors, pop, ("MAX_TERMS", "FACTOR_DECIMALS")),
    Row("tone of the reviews (in no column)", "X_i",
        r"\operatorname{std}\log\{(1 + \#\mathrm{praise}_i) / (1 + \#\mathrm{blame}_i)\}", (), pop.tone, pop,
        ("PRAISE", "BLAME")),
    Row("past ad spend", "m_i", r"\mathrm{normal}(0, 1);\quad \text{logged: } \exp(4 + m_i)", (), pop.make_items),
    Row("popularity", "P_i", r"\operatorname{std}\log\mathrm{pop}_i,\quad \log\mathrm{pop}_i = 5 + \sigma_P\,"
        r"\mathrm{normal\ score}(\rho_q q_i + \rho_m m_i + \sqrt{1-\rho_q^2-\rho_m^2}\,\varepsilon_i)",
        ("sd_popularity", "pop_q", "pop_m"), pop.make_items, pop, ("POPULARITY_MEAN",)),
    Row("price", "C_i", r"\operatorname{std}\log\mathrm{price}_i,\quad \log\mathrm{price}_i = \pi_0 + \pi_d\,"
        r"\mathrm{department}_i + \pi_q q_i + \pi_\sigma\varepsilon_i", (), pop.make_items, pop,
        ("PRICE_MEAN", "PRICE_DEPARTMENT", "PRICE_QUALITY", "PRICE_SD")),
    Row("sponsored", "", r"P(\mathrm{sponsored}_i = 1) = \mathrm{share}", ("sponsored",), pop.make_items),
)  # fmt: skip
_USERS = (
    Row("segment", "", r"\arg\max_k\{a_k + b_k (\mathrm{age}_u - \mu) / \sigma + \mathrm{gumbel}\}", (),
        pop.make_users, pop, ("SEGMENTS", "SEGMENT_LEVEL", "SEGMENT_AGE", "AGE_MEAN", "AGE_SD")),
    Row("activity", "L_u", r"\operatorname{std}\log\mathrm{activity}_u,\quad \log\mathrm{activity}_u \approx"
        r" \mu_L + \sigma_L\varepsilon_u", (), pop.make_users, pop, ("ACTIVITY_MEAN", "ACTIVITY_SD")),
    Row("observed taste", r"\theta_u^{\mathrm{seen}}", r"(\sigma_G\,g_{\mathrm{segment}(u)} + \varepsilon_u) /"
        r" \sqrt{(1 + \sigma_G^2) d},\quad g, \varepsilon \sim \mathrm{normal}(0, I)", ("d",), pop.make_users, pop,
        ("PROTOTYPE_SD",)),
    Row("hidden taste", r"\theta_u^{\mathrm{unseen}}", r"\mathrm{normal}(0, I / d)", ("d",), pop.make_users),
    Row("annoyed by advertising (hidden)", "P(v_u = 1)", r"s(n_0 + n_1 \mathbb{1}\{\mathrm{age}_u \ge 55\} + n_2"
        r" \mathbb{1}\{\mathrm{segment}_u = \mathrm{classic}\})", (), pop.annoyed_probability, pop,
        ("ANNOYED", "ANNOYED_OLD", "ANNOYED_CLASSIC", "OLD")),
    Row("community", "", r"\text{runs of 25 users in the order of } \sqrt{d}\,\theta_{u1}^{\mathrm{unseen}} +"
        r" \sigma_c\varepsilon_u", (), pop.make_users, pop, ("COMMUNITY_SIZE", "COMMUNITY_NOISE")),
    Row("friends", "", r"\text{4 named at random inside the community, 1 anywhere; friendship is mutual}",
        (), pop.make_friends, pop, ("FRIENDS_INSIDE", "FRIENDS_OUTSIDE")),
)  # fmt: skip
_PAIRS = (
    Row("score", "S_{ui}", r"\operatorname{std}(\theta_u^{\mathrm{seen}} \cdot \varphi_i +"
        r" G_{\mathrm{segment}(u),\mathrm{department}(i)}),\quad G \sim \mathrm{normal}(0, \sigma^2)", (),
        pop.scaled_factors, pop, ("LIKES_SD",)),
    Row("hidden affinity", "H_{ui}", r"\operatorname{std}(\theta_u^{\mathrm{unseen}} \cdot \varphi_i + w_q q_i)",
        ("w_q",), pop.scaled_factors),
    Row("drift", r"\theta_u^{\mathrm{unseen}}(w)", r"\cos(\delta w)\,\theta_u^{\mathrm{unseen}} + \sin(\delta w)\,"
        r"\theta_u^{\perp};\quad q_i \text{ stays},\ H_{ui}(w) \text{ is standardised anew}", (), pop.turned_taste),
    Row("affinity", "A_{ui}", r"w_s S_{ui} + w_h H_{ui} \quad \text{(not standardised)}", ("w_s", "w_h"), m.affinity),
    Row("familiarity", "K_{ui}", r"s(k_0 + k_1 P_i + k_2 S_{ui})", ("k0", "k1", "k2"), m.familiarity),
    Row("effect, log-odds", r"\tau_{ui}", r"t_1 (1 - K_{ui})\, s(t_2 A_{ui}) - t_3 v_u", ("t1", "t2", "t3"),
        m.lift_log_odds),
    Row("base, log-odds", r"\beta_{ui}", r"b_0 + b_1 A_{ui} + b_2 P_i + b_3 L_u - b_4 C_i",
        ("b0", "b1", "b2", "b3", "b4"), m.base_log_odds),
    Row("potential outcomes", "Y_{ui}(t)", r"\mathbb{1}\{U_{ui} < s(\beta_{ui} + t\,\tau_{ui})\}", (),
        m.outcome_probability),
    Row("placebo (the week before)", r"Y^-_{ui}", r"\mathbb{1}\{U^-_{ui} < s(\beta_{ui})\}", (),
        m.outcome_probability),
    Row("hidden drive", "D_{ui}", r"0,\quad a_x X_i \text{ (text)},\quad a_h H_{ui} + a_q q_i \text{ (hidden)}",
        ("a_x", "a_h", "a_q"), m.hidden_drive),
    Row("exposure", "e_{ui}", r"s(a_0 + o\,\{a_1 P_i + a_2 S_{ui} + a_3 L_u + D_{ui}\}),"
        r"\quad o = \text{overlap scale}",
        ("a0", "a1", "a2", "a3"), m.exposure_log_odds, m, ("OVERLAP_SCALE",)),
    Row("exposure, overlap none", "e_{ui}", r"0 \text{ if } S_{ui} < -0.5,\quad 1 \text{ if } S_{ui} > 1.5", (),
        m.cut_overlap, m, ("NEVER_SHOWN_BELOW", "ALWAYS_SHOWN_ABOVE")),
    Row("exposure, no confounding", "e_{ui}", r"e_r", ("e_random",), m.exposure_log_odds),
    Row("marketing coin", r"P(T_{ui} = 1 \mid Z_{ui} = z)", r"e_{ui} + \kappa (z - \tfrac12)\, e_{ui} (1 - e_{ui}),"
        r"\quad P(Z_{ui} = 1) = \tfrac12", ("kappa",), m.exposure_given_marketing),
    Row("interference", r"p^\gamma_{ui}", r"p_{ui} + \gamma F_{ui} (1 - p_{ui}),\quad F_{ui} ="
        r" \text{share of } u\text{'s friends shown } i", (), m.tell_a_friend),
)  # fmt: skip
_PLATFORM = (
    Row("logging logits", r"\ell_{ui}", r"l_s S_{ui} + l_p P_i + l_m\, \mathrm{sponsored}_i", ("l_s", "l_p", "l_m"),
        policies.logging_log_odds),
    Row("policies", r"\pi(i \mid u)", r"(1 - \epsilon)\,\mathrm{softmax}_i(\mathrm{score}_{ui} / T) + \epsilon / n,"
        r"\quad \text{logging: } T = 1,\ \epsilon = 0.1,\ \text{uplift score: } 10\,(p_1 - p_0)", (),
        policies.make_policy, policies, ("LOGGING_TEMPERATURE", "LOGGING_EPSILON", "UPLIFT_SCALE")),
    Row("slate", r"P(i_k \mid i_1 \dots i_{k-1})", r"e^{\ell_{ui_k}} / \textstyle\sum_{j \in \mathrm{left}}"
        r" e^{\ell_{uj}},\quad \text{candidates drawn uniformly}", ("candidates",), slates.slate_log),
    Row("examination", r"\theta_k", r"k^{-\eta}", ("eta",), m.examination),
    Row("slate click", r"P(\mathrm{click}_{uik})", r"\theta_k\, s(\beta_{ui} + \tau_{ui})", (), slates.slate_log),
    Row("feedback loop", r"\mathrm{share}_{gi}", r"(1 - x)\,B_{gi}^{\,\sigma} / \textstyle\sum_j B_{gj}^{\,\sigma}"
        r" + x / n,\quad \text{first week: } e^{P_i / 2}", (), _feedback.spread, _feedback, ("FIRST_WEEK",)),
    Row("belief", "B_{gi}", r"c_{gi} + 1 \text{ (clicks)},\quad (c_{gi} + 50\,\bar r_g) / (n_{gi} + 50)"
        r" \text{ (weighted)},\quad 1 \text{ (random)}", (), _feedback.learned, _feedback,
        ("PRIOR_CLICKS", "PRIOR_IMPRESSIONS")),
    Row("launches", r"\mathrm{launch}_i", r"0,\quad \text{or with chance } 0.2 \text{ uniform over the weeks}", (),
        _dynamics.launch_weeks, _dynamics, ("NEW_ITEMS",)),
    Row("raw events", "", r"\text{sessions by activity, items by softmax of log popularity, click } s(\beta + \tau),"
        r"\text{ then dirt}", (), _events.event_stream, _events,
        ("START", "DEVICES", "PURCHASE_GIVEN_CLICK", "BOT_SHARE", "DUPLICATE_SHARE", "MISSING_SHARE",
         "OUTLIER_SHARE")),
    Row("a week of raw events", "", r"\text{exposure log } (T, Y),\ \text{plus } Y^- \sim s(\beta)"
        r" \text{ before, views} \sim \mathrm{Poisson}(e^{-1.5 + S / 2})", (), _core.build),
)  # fmt: skip
_PEOPLE = (
    Row("stars", "R_{ui}", r"1 + \#\{k : r_1 A_{ui} + r_\sigma \varepsilon_{ui} > c_k\}", ("r1", "r_sd", "cuts"),
        ratings.stars),
    Row("rated", r"P(O_{ui} = 1 \mid R_{ui} = r)", r"\{1 - (1 - \bar p_{ui})^{W}\}\, o_r,\quad \bar p = (1-e) p_0 +"
        r" e\, p_1,\quad W \text{ weeks, the last that of the exposure log}", ("history", "bother"),
        ratings.rating_propensity),
    Row("promise (sellers)", r"P(\mathrm{promise}_i)", r"s(c_0 + c_q q_i + c_C C_i)", ("c0", "c_q", "c_price"),
        m.promise_probability),
    Row("blurb click", r"P(\mathrm{click}_{ui})", r"s(\beta_{ui} + \tau_{ui} + g_1 a + g_2 b + g_{12} a b)",
        ("g_promise", "g_number", "g_both"), m.blurb_click, textroles, ("ATTRIBUTES",)),
    Row("expectation", "M_{ui}", r"m_A S_{ui} + m_a a + \sigma_M \varepsilon", ("m_a", "m_promise", "m_sd"),
        m.expectation),
    Row("satisfaction", "V_{ui}", r"s_0 + s_A A_{ui} + (s_M + s_{aM} a) M_{ui} + s_a a + \sigma_V \varepsilon",
        ("s_0", "s_a", "s_expect", "s_both", "s_promise", "s_sd"), m.satisfaction),
    Row("stars after a promise, sentiment", "", r"1 + \#\{k : V \ge v_k\};"
        r"\quad \operatorname{sign}(\mathrm{stars} - 3)",
        ("grades",), m.mood_probabilities),
    Row("not following", r"P(\mathrm{type}_u \ne \mathrm{complier})", r"\min\{1,\ 2 (1 - c)\, s(-L_u)\},\quad"
        r" \text{of these never-takers: two sides } 2/3,\ \text{one side } 1", (), m.non_complier_probability,
        _experiment, ("NEVER_SHARE",)),
    Row("arrivals and trend", "", r"P(u) \propto 1 \text{ or activity};\quad \text{chances times } 1 - \rho\,"
        r"(1 - t / (n_t - 1))", (), _experiment.demand, _experiment, ("UNITS", "ARRIVALS")),
    Row("pre-period", "", r"n_u \sim \mathrm{Poisson}(20\,\mathrm{weight}_u),\quad \mathrm{clicks} \sim"
        r" \mathrm{Bin}(n_u, \textstyle\sum_i \pi_a p_1),\quad \mathrm{found} \sim \mathrm{Bin}(100, \bar p_0)", (),
        _experiment.ab_test, _experiment, ("PRE_SESSIONS", "PRE_FOUND")),
)  # fmt: skip

ROWS: tuple[Row, ...] = (*_ITEMS, *_USERS, *_PAIRS, *_PLATFORM, *_PEOPLE)
