"""A valid call of every public function of the recommender world, of its raw week and of the tools that clean it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd

from causalrec_lib import behaviour
from causalrec_lib.data import week
from causalrec_lib.data.world import Parameters, World, equations, make_world, marginals, policies
from causalrec_lib.data.world.truth import Truth
from tests.unit import spoilings as say
from tests.unit.public_calls import add

SMALL = World.toy()
N_USERS, N_ITEMS = SMALL.shape
TRUTH = SMALL.truth
LOG = SMALL.exposure_log(40, seed=1)
TABLE = np.full(SMALL.shape, 1 / N_ITEMS)
LEANING = TABLE + np.where(np.arange(N_ITEMS) == 0, 1e-3, 0.0)
OTHER = World.toy(seed=1)


def holed(df: pd.DataFrame, column: str, value: object = np.nan) -> pd.DataFrame:
    """Return the frame with one entry of a column changed."""
    return df.assign(**{column: df[column].astype(object).where(np.arange(len(df)) != 1, value)})


def frame(value: pd.DataFrame, *columns: str, optional: bool = False, **more: object) -> say.Given:
    """A frame that needs some columns without holes."""
    bad = {f"without {c}": value.drop(columns=c) for c in columns} | {
        f"{c} missing": holed(value, c) for c in columns
    }
    return say.thing(value, optional=optional, empty=value.head(0), **bad, **more)


def pairs_of(value: pd.DataFrame, *columns: str, optional: bool = False) -> say.Given:
    """A log whose pairs must be those of the small world."""
    more = {f"{c} {k}": holed(value, c, k) for c in ("user", "item") for k in (-1, 0.5, 1_000, "a", np.inf)}
    return frame(value, "user", "item", *columns, optional=optional, **more)


# What several functions take ------------------------------------------------------------------------------------

SEED = say.whole(1, -1, optional=True)
COUNT = say.whole(20, 0, -1)
SHARE = say.number(0.5, -0.1, 1.1)
OUTCOME = say.option("reward")
ADD = say.flag(False)
BAD_POLICIES = {
    "a negative chance": TABLE - LEANING,
    "a sum above 1": LEANING,
    "a user short": TABLE[1:],
    "an item short": TABLE[:, 1:],
    "NaN": np.where(LEANING > TABLE, np.nan, TABLE),
    "of another world": OTHER.policy("score"),
}
POLICY = say.option("score", **BAD_POLICIES)
RULES_OF_ONES = {
    "ones": lambda users: np.ones((len(users), N_ITEMS)),
    "a row": lambda users: TABLE[0],
    "words": lambda users: "a",
}
BY_RULE = say.option("score", **BAD_POLICIES, **{f"a function of {k}": rule for k, rule in RULES_OF_ONES.items()})
SCORES = say.table(TRUTH.tau)
PLACES = say.vector(np.arange(N_USERS), partner=False, bad=(-1.0, 0.5, N_USERS))
SPELLED = {"user": 3, "item": ["item"]}

# Make it --------------------------------------------------------------------------------------------------------

_words = np.random.default_rng(0).choice(
    ["love", "poor", "thin", "soft", "red", "blue", "silk", "wool", "neck", "hem"], (96, 4)
)
REVIEWS = pd.DataFrame(
    {
        "clothing_id": np.repeat(np.arange(12), 8),
        "text": [" ".join(row) for row in _words.tolist()],
        "stars": np.arange(96) % 5 + 1,
        "department": np.repeat(["Tops", "Bottoms"], 48),
        "class_name": "knit",
        "age": 40,
    }
).drop_duplicates("text")
SIZES = {"n_users": say.whole(12, 9, 20_001), "n_items": say.whole(10, 9, 5_001), "seed": say.whole(1, -1)}
SWITCHES = {
    "confounding": say.option("observed"),
    "overlap": say.option("good"),
    "interference": say.number(0.0, -0.1, 1.1),
    "drift": say.number(0.1, -0.1),
    "parameters": say.thing(Parameters(), optional=True),
}
add(
    make_world,
    **SIZES,
    **SWITCHES,
    text=say.option("templates"),
    reviews=say.thing(None, optional=True, given=REVIEWS),
)
add(
    make_world,
    **{name: say.anything(given.value) for name, given in SIZES.items()},
    text=say.anything("reviews"),
    reviews=frame(
        REVIEWS,
        "clothing_id",
        "stars",
        optional=True,
        age=holed(REVIEWS, "age"),
        stars=holed(REVIEWS, "stars", 6),
        half=holed(REVIEWS, "stars", 1.5),
        number=holed(REVIEWS, "text", 3.0),
        words=REVIEWS[["text"]],
        alike=REVIEWS.assign(text=[f"red silk {number}" for number in REVIEWS.index]),
        foreign=REVIEWS.assign(text=[f"word{number}" for number in REVIEWS.index]),
    ),
)
LISTS = {
    "cuts": say.thing(
        (-1.0, 0.0, 0.5, 1.0), three=(0.0, 0.5, 1.0), turned=(1.0, 0.0, 2.0, 3.0), hole=(0.0, 1.0, 2.0, np.nan)
    ),
    "grades": say.thing(
        (4.0, 5.0, 7.0, 8.0),
        three=(0.0, 0.5, 1.0),
        level=(1.0, 1.0, 2.0, 3.0),
        listed=[4.0, 5.0, 7.0, 8.0],
        words=("1", "2", "3", "4"),
    ),
    "bother": say.thing(
        (0.5,) * 5, four=(0.5,) * 4, above=(0.5, 0.5, 0.5, 0.5, 1.5), below=(-0.1, 0.5, 0.5, 0.5, 0.5)
    ),
}
WHOLE = {name: say.whole(4, 0, -1) for name in ("d", "history", "candidates")}
BOUNDED = {
    "kappa": say.number(1.0, 0.0, 2.1),
    "e_random": say.number(0.3, 0.0, 1.0),
    "sponsored": SHARE,
    "eta": say.number(1.0, -0.1),
    "sd_popularity": say.number(1.0, 0.0),
    "pop_q": say.number(0.3, 1.0, -1.0, 0.9),
    "pop_m": say.number(0.5, 1.0, -1.0),
    "r_sd": say.number(1.0, 0.0),
    "m_sd": say.number(1.0, -0.1),
    "s_sd": say.number(1.0, 0.0),
}
FREE = {f.name: say.number(f.default) for f in fields(Parameters)}
add(Parameters, **(FREE | LISTS | WHOLE | BOUNDED))
add(Parameters.few_clicks, lambda changes: Parameters.few_clicks(**changes), changes=say.anything({"d": 4}))
add(
    World.toy,
    lambda seed, switches: World.toy(seed, **switches),
    seed=say.whole(1, -1),
    switches=say.anything({"drift": 0.0}),
)

# Its logs -------------------------------------------------------------------------------------------------------

HOW = {"temperature": say.number(1.0, -0.1, optional=True), "epsilon": say.number(0.1, -0.1, 1.1, optional=True)}
add(World.policy, SMALL.policy, policy=POLICY, **HOW)
add(World.policy, SMALL.policy, policy=say.anything(TABLE), temperature=say.thing(None, optional=True, given=1.0))
add(World.exposure_log, SMALL.exposure_log, n_pairs=say.whole(20, 0, 1_201, optional=True), seed=SEED,
    with_propensity=ADD, text=ADD, with_placebo=ADD)  # fmt: skip
add(World.bandit_log, SMALL.bandit_log, n_rounds=COUNT, policy=BY_RULE, seed=SEED)
SLATE = {"n_sessions": COUNT, "slate_size": say.whole(3, 0, N_ITEMS + 1), "seed": SEED}
add(World.slate_log, SMALL.slate_log, **SLATE, randomised_share=SHARE, with_slate_propensity=ADD)
add(World.slate_candidates, SMALL.slate_candidates, **SLATE)
add(World.ratings_log, SMALL.ratings_log, seed=SEED, with_propensity=ADD, weeks=say.whole(2, 0, 53, optional=True))
add(World.survey, SMALL.survey, per_user=say.whole(3, 0, N_ITEMS + 1), seed=SEED)
add(World.dag, SMALL.dag, question=say.option("exposure"))
add(
    World.feedback_loop,
    SMALL.feedback_loop,
    rounds=say.whole(1, 0, -1),
    retrain=say.option(
        "clicks",
        ones=lambda log: np.ones((1, 2)),
        nothing=lambda log: None,
        zero=lambda log: np.zeros((4, N_ITEMS)),
        below=lambda log: -np.ones((4, N_ITEMS)),
    ),
    sharpness=say.number(1.0, -0.1),
    explore=SHARE,
    seed=SEED,
    impressions=say.whole(100, 99),
    with_log=ADD,
)
add(World.weeks, SMALL.weeks, n_weeks=say.whole(2, 0), pairs_per_week=COUNT, seed=SEED, with_propensity=ADD)
STREAM = {"n_sessions": say.whole(5, 0, -1), "days": say.whole(2, 0, -1), "seed": SEED}
add(World.events, SMALL.events, **STREAM)
add(
    World.text_treatment_log,
    SMALL.text_treatment_log,
    n=COUNT,
    assignment=say.option("random"),
    seed=SEED,
    with_propensity=ADD,
)
add(World.reactions, SMALL.reactions, n=COUNT, seed=SEED, text=say.flag())
TRIAL = {
    "policy_a": POLICY,
    "policy_b": BY_RULE,
    "compliance": SHARE,
    "sides": say.option("two"),
    "trend": SHARE,
    "arrivals": say.option("activity"),
}
add(
    World.ab_test,
    SMALL.ab_test,
    **TRIAL,
    unit=say.option("user"),
    n=say.whole(20, 1, -1),
    periods=say.whole(4, 1, -1),
    carryover=SHARE,
    seed=SEED,
)

# Its truth ------------------------------------------------------------------------------------------------------

add(Truth.potential_outcomes, TRUTH.potential_outcomes, seed=SEED)
add(
    Truth.cate,
    TRUTH.cate,
    by=say.texts(("segment", "score"), single=True, unknown=("life",), name="life", none=(), twice=("age", "age")),
    bins=say.whole(3, 1, -1),
)
add(Truth.policy_value, TRUTH.policy_value, policy=BY_RULE, outcome=OUTCOME)
add(Truth.logging_value, TRUTH.logging_value, outcome=OUTCOME)
add(Truth.best_policy, TRUTH.best_policy, outcome=OUTCOME)
add(Truth.ranking, TRUTH.ranking, user=say.whole(3, -1, N_USERS), outcome=OUTCOME)
add(Truth.ndcg, TRUTH.ndcg, scores=SCORES, k=say.whole(5, 0, N_ITEMS + 1), outcome=OUTCOME)
add(
    Truth.position_effect,
    TRUTH.position_effect,
    k=say.whole(3, 0, -1),
    log=pairs_of(LOG, optional=True),
    relative=say.flag(),
)
SLATES = np.tile(np.arange(3), (N_USERS, 1))
add(
    Truth.slate_value,
    TRUTH.slate_value,
    slates=say.Given(
        SLATES,
        say.table(SLATES).spoilt
        | say.entries(SLATES, (-1.0, 0.5, N_ITEMS))
        | say.listed({"an item twice": np.zeros((N_USERS, 2)), "one user": SLATES[0]}),
    ),
)
add(Truth.pairs, TRUTH.pairs, log=pairs_of(LOG))
add(Truth.cate_given_observed, TRUTH.cate_given_observed, log=pairs_of(LOG))
FRIENDLY = World.toy(interference=0.3)
SHOWN = FRIENDLY.exposure_log(20)
add(Truth.cate_given_observed, FRIENDLY.truth.cate_given_observed, log=pairs_of(SHOWN, "friends_shown"))
add(Truth.spillover, TRUTH.spillover, friends=SHARE)
SLOTS = say.vector([1, 2, 3], partner=False, bad=(0.0, 0.5))
add(
    Truth.examination,
    TRUTH.examination,
    position=say.Given(
        SLOTS.value, SLOTS.spoilt.filter(lambda bad: bad.what != "a number") | say.listed({"half": 1.5})
    ),
)
add(
    Truth.slate_policy_value,
    TRUTH.slate_policy_value,
    policy=say.option("best", **{k: bad for k, bad in BAD_POLICIES.items() if "short" in k or k == "NaN"}),
    **SLATE,
    temperature=say.number(1.0, -0.1, optional=True),
)
add(Truth.ratings, TRUTH.ratings, log=pairs_of(LOG), seed=SEED)
add(Truth.attribute_effect, TRUTH.attribute_effect, name=say.option("promise"))
add(Truth.mediation, TRUTH.mediation, outcome=say.option("stars"), expectation=say.number(0.0))
add(Truth.compliance_types, TRUTH.compliance_types, compliance=SHARE, sides=say.option("two"))
add(Truth.ab_effect, TRUTH.ab_effect, **TRIAL, outcome=say.option("clicked"), estimand=say.option("itt"))
add(Truth.weekly_ate, TRUTH.weekly_ate, n_weeks=say.whole(2, 0, -1))
add(Truth.event_labels, TRUTH.event_labels, **STREAM)
add(Truth.dag, TRUTH.dag, question=say.option("weeks"))
add(Truth.adjustment_set, TRUTH.adjustment_set, question=say.option("bandit"))

# Its parts ------------------------------------------------------------------------------------------------------

CHOSEN = SMALL.policy("logging")
add(policies.Policy.probabilities, CHOSEN.probabilities, users=say.Given(
    PLACES.value, PLACES.spoilt.filter(lambda bad: bad.value is not None)))  # fmt: skip
add(
    policies.Policy.draw,
    CHOSEN.draw,
    users=PLACES,
    u=say.vector(np.linspace(0, 0.99, N_USERS), bad=(-0.1, 1.0)),
)
add(policies.make_policy, core=say.thing(SMALL.core), policy=POLICY, **HOW, what=say.words("policy"))
add(policies.logging_log_odds, x=say.thing(SMALL.core.pairs([0, 1], [0, 1])))
add(equations.equations, p=say.thing(Parameters()))
add(marginals.top_share, counts=say.weights(np.arange(5.0), partner=False), share=say.number(0.5, 0.0, 1.1))
add(marginals.of_stars, stars=say.vector([1, 3, 5], partner=False, bad=(0.0, 6.0, 2.5)))
RATED = pd.DataFrame({"user": [0, 0, 1, 1], "item": [0, 1, 0, 2], "stars": [5, 4, 3, 1]})
NAMED = {name: say.option(name) for name in RATED}
add(marginals.of_ratings, ratings=frame(RATED, *RATED, stars=holed(RATED, "stars", 7)), **NAMED)
add(marginals.of_world, world=say.thing(SMALL))

# A raw week, and the tools that clean it ------------------------------------------------------------------------

add(week.Dirt, bots=say.whole(2, -1), retry=SHARE, slow_clock=SHARE)
add(
    week.raw_week,
    world=say.thing(SMALL),
    n_pairs=say.whole(30, 0, 1_201),
    seed=say.whole(1, -1),
    dirt=say.thing(week.Dirt(bots=1), optional=True),
)
DAY = {f"{c} {k}": holed(LOG, c, k) for c in ("exposed", "consumed") for k in (2, 0.5, "a")}
BAD_PAIRS = {f"{c} {k}": holed(LOG, c, k) for c in ("user", "item") for k in (-1, 0.5, 1_000)}
add(
    week.looks,
    world=say.thing(SMALL),
    log=frame(LOG, "user", "item", "exposed", "consumed", **DAY, **BAD_PAIRS),
    seed=say.whole(1, -1),
)
RAW = week.raw_week(SMALL, 30, 1, week.Dirt(bots=1))
EVENTS = RAW.events
RATES = EVENTS.assign(stars=3.0)
CLOCK = {
    "numbers for times": EVENTS.assign(timestamp=np.arange(len(EVENTS))),
    "texts for times": EVENTS.assign(timestamp=EVENTS["timestamp"].astype(str)),
    "a time short": EVENTS.assign(timestamp=EVENTS["timestamp"].where(np.arange(len(EVENTS)) > 0)),
}
OF_A_USER = frame(EVENTS, "user_id", "timestamp", **CLOCK)
add(
    behaviour.sessionise,
    events=OF_A_USER,
    gap=say.thing(pd.Timedelta(minutes=30), none=pd.Timedelta(0), below=pd.Timedelta(minutes=-1), never=pd.NaT),
)
add(behaviour.fast_users, events=OF_A_USER, per_minute=say.whole(5, 0, -1))
add(
    behaviour.causal_table,
    candidates=frame(RAW.candidates, "user_id", "item_id", twice=pd.concat([RAW.candidates, RAW.candidates.head(1)])),
    events=frame(
        EVENTS,
        "event_id",
        "timestamp",
        "user_id",
        "item_id",
        "event",
        strangers=EVENTS.assign(user_id="nobody"),
        kinds=EVENTS.assign(event="life"),
        **CLOCK,
    ),
    decision=say.thing(RAW.decision, zone=RAW.decision.tz_localize("UTC"), never=pd.NaT),
    days=say.whole(7, 0, -1),
)
add(
    behaviour.history,
    rows=frame(RATES, "timestamp", "item_id", "stars", words=RATES.assign(stars="a")),
    label=say.option("item_id"),
    value=say.option("stars"),
)
add(
    behaviour.aa_p_values,
    outcome=say.vector(LOG["score"]),
    unit=say.labels(LOG["user"].to_numpy(), optional=False, three=np.arange(40) % 3),
    n_splits=say.whole(2, 0, -1),
    rng=say.thing(np.random.default_rng(0), seed=1),
    by_unit=say.flag(),
)
