# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 40
#     exercise_minutes: 45
#     data: [womens_reviews]
#     optional_data: [ihdp_npci]
#     max_seconds: 120
# ---

# %% [markdown]
# # Factor models, the deconfounder, and two proxies
#
# Lena may rent her slot again. It pays if a display sells more than {glue:text}`price:.0f` items per hundred. Her log
# says {glue:text}`naive_hundred:.1f`; adjusted for every column it holds, it says {glue:text}`columns_hundred:.1f`.
# A taste that is in no column drives both what is shown and what is bought. This week nobody tossed a coin.
#
# Three ideas promise to make up for it. Read the hidden taste off the *displays themselves*, with a factor model. Use
# two noisy *traces* of it. Or let a neural network find it. Each is right in one world and wrong in another, and the
# log looks the same in both. This chapter shows which sentence about the world each of them needs.
#
# **You will be able to**
#
# - fit a {term}`Poisson factorisation` of displays, by hand and with a library;
# - put a {term}`substitute confounder` into a regression, and say what the {term}`deconfounder` then assumes;
# - say when plain regression does as well, and when the deconfounder is the worse of the two;
# - estimate an effect from two {term}`proxies <proxy>`, and see when one of them fails;
# - train a {term}`CEVAE`, and hold its answer against a straight line.
#
# **Before you start:** {doc}`Instruments </chapters/latent/02_instruments>`, for two-stage least squares, and
# {doc}`What a recommender log can't say </chapters/concepts/01_why_causal>`.
#
# **Time:** about 40 minutes to read, 45 for the exercises.
#
# **Data:** the simulated shop, with hidden confounding switched on; small simulated shops with one thing changed at a
# time; the simulated outcomes on infants (IHDP) that CEVAE was first judged by.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import torch
from IPython.display import display
from torch import nn

from causalrec_lib import course, data, plots
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.factors import poisson_factorisation, proximal_two_stage

run = course.start(PROFILE, SEED, chapter="latent/03_factor_models_and_deconfounder")
torch.set_num_threads(1)
shop = make_world(confounding="hidden")
ato = shop.truth.ato()  # no real log has it
columns = ["score", "log_popularity", "log_activity"]
PRICE = 0.10  # sales a display at which the slot pays

# %% [markdown]
# ## The naive answer, and the adjusted one
#
# This week's log has every pair of a user and an item. A regression with one coefficient for the display weights
# pairs by how undecided their display was, so its target is the effect in the overlap population, the {term}`ATO`.


# %%
def slope(y, *terms):
    """Coefficient of the first term in a least-squares regression of y on all terms and a constant."""
    design = np.column_stack([*terms, np.ones(len(y))])
    return np.linalg.solve(design.T @ design, design.T @ y)[0]


week, *other_weeks = run.seeds(60, "weeks")
log = shop.exposure_log(n_pairs=len(shop.users) * len(shop.items), seed=week)
y, t, X = log["consumed"].to_numpy(float), log["exposed"].to_numpy(float), log[columns].to_numpy(float)
answers = {"naive": slope(y, t), "columns": slope(y, t, X), "truth": ato}
pd.Series(answers).round(4)

# %% tags=["hide-input"]
run.record("price", 100 * PRICE)
run.record("ato", ato, naive=answers["naive"])
run.record("naive", answers["naive"], truth=ato)
run.record("columns", answers["columns"], truth=ato, naive=answers["naive"])
run.record("naive_hundred", 100 * answers["naive"], truth=100 * ato)
run.record("columns_hundred", 100 * answers["columns"], truth=100 * ato, naive=100 * answers["naive"])
run.claim("both say that the slot pays", min(answers["naive"], answers["columns"]) > PRICE, **answers)
run.claim("it doesn't pay", max(ato, shop.truth.ate()) < PRICE, ato=ato, ate=shop.truth.ate())

# %% [markdown]
# The truth is {glue:text}`ato:.3f`: the slot loses money. The naive {glue:text}`naive:.3f` and the adjusted
# {glue:text}`columns:.3f` both say that it pays.
#
# ## Displays leave a trace of taste
#
# A user's hidden taste moves *many* displays. So displays that come together, in ways that no column explains, tell
# of it. A {term}`factor model` says how: user $u$ has $k$ numbers $\theta_u$, item $i$ has $k$ numbers $\lambda_i$,
# and the displays are Poisson counts,
#
# $$A_{ui} \sim \text{Poisson}(\theta_u \cdot \lambda_i), \qquad \theta, \lambda \ge 0.$$
#
# {cite:t}`gopalan2013scalable` made it a recommender. To fit it, share each display out among the factors in
# proportion to $\theta_{uf}\lambda_{if}$; a user's new $\theta_{uf}$ is their share divided by $\sum_i \lambda_{if}$.
# Then do the same for items. Each sweep raises the likelihood.


# %%
def factorise(A, k, sweeps, seed, seen=1):
    """Poisson factorisation by multiplicative updates: users (n, k) and items (k, m). `seen`: 1 where A counts."""
    rng, seen = np.random.default_rng(seed), seen * np.ones_like(A)
    theta = rng.gamma(2.0, 0.5, (len(A), k)).astype(A.dtype)
    lam = (rng.gamma(2.0, 0.5, (k, A.shape[1])) * A.mean() / k).astype(A.dtype)
    for _ in range(sweeps):
        theta *= (seen * A / (theta @ lam + 1e-9)) @ lam.T / (seen @ lam.T)
        lam *= theta.T @ (seen * A / (theta @ lam + 1e-9)) / (theta.T @ seen)
    return theta, lam


shown = np.zeros((len(shop.users), len(shop.items)))
shown[log["user"], log["item"]] = t
part = shown[:400, :200]
theta, lam = factorise(part, 3, sweeps=40, seed=run.seed)
library = poisson_factorisation(part, 3, sweeps=40, tol=0.0, seed=run.seed)
assert np.allclose(theta @ lam, library.means, atol=1e-6)


# %% [markdown]
# {cite:t}`wang2018deconfounded` call what comes out a substitute confounder and put it into the outcome model. That
# is the *deconfounded recommender*: fit the displays, predict each display from the factors, and adjust for the
# prediction. But a pair's own display is in the fit that predicts it: part of the treatment would be adjusted for.
# So we also predict each pair from a fit that leaves it out (four folds). And we give each regression squares and
# products of its columns, too, or a gain could be one of shape.


# %%
def left_out(A, k, sweeps, seed, folds=4):
    """Each pair's mean display, from a factor model of the pairs in other folds."""
    fold, out = np.random.default_rng(seed).integers(0, folds, A.shape), np.zeros(A.shape)
    for f in range(folds):
        theta, lam = factorise(A, k, sweeps, seed, seen=(fold != f).astype(A.dtype))
        out[fold == f] = (theta @ lam)[fold == f]
    return out


def bent(*terms):
    """All terms, standardised, with their squares and products."""
    V = np.column_stack(terms)
    V = (V - V.mean(axis=0)) / V.std(axis=0)
    return V, *(V[:, i] * V[:, j] for i in range(V.shape[1]) for j in range(i + 1))


def adjusted(log, shape, **drive):
    """Effect of a display by regressions, straight and with squares; the substitute that leaves a pair out."""
    y, t, X = log["consumed"].to_numpy(float), log["exposed"].to_numpy(float), log[columns].to_numpy(float)
    A, at = np.zeros(shape, np.float32), (log["user"].to_numpy(), log["item"].to_numpy())
    A[at] = t
    theta, lam = factorise(A, 5, 60, run.seed)
    out = left_out(A, 5, 60, run.seed)[at]
    more = {"columns": (), "and substitute": ((theta @ lam)[at],), "and substitute, pair left out": (out,)}
    more |= {name: (column,) for name, column in drive.items()}
    found = {name: (slope(y, t, X, *extra), slope(y, t, *bent(X, *extra))) for name, extra in more.items()}
    return pd.DataFrame(found, index=["straight", "with squares"]).T, out


hidden = shop.truth.pairs(log)["hidden"].to_numpy()
table, substitute = adjusted(log, shown.shape, **{"and the true hidden drive": hidden})
likeness = np.corrcoef(substitute, hidden)[0, 1]
table.round(4)

# %% tags=["hide-input"]
names = dict(zip(("columns", "inside", "out", "hidden"), table.index, strict=True))
for key, name in names.items():
    if key != "columns":
        run.record(f"dec_{key}", table.loc[name, "straight"], truth=ato, naive=answers["naive"])
    run.record(f"dec_{key}_bent", table.loc[name, "with squares"], truth=ato, naive=answers["naive"])
run.record("likeness", likeness, naive=0.0)
straight, squares = table["straight"].to_numpy(), table["with squares"].to_numpy()
closed = (straight[0] - straight[2]) / (straight[0] - ato)
run.record("closed", closed, truth=1.0, naive=0.0)
run.claim("the deconfounder says that the slot doesn't pay", max(straight[2], squares[2]) < PRICE)
run.claim("it closes part of the gap that columns leave, not all", 0.4 < closed < 0.8, closed=closed)
run.claim("with a pair's own display in the fit it looks better than it is", straight[2] - straight[1] > 0.001)
run.claim("squares of the columns close a small part", 0.05 < (straight[0] - squares[0]) / (straight[0] - ato) < 0.3)
run.claim("with squares, too, the substitute helps", squares[0] - squares[2] > 0.01)
gaps = squares[2:] - ato
run.claim("the true drive leaves a fifth of what the substitute leaves", abs(gaps[1]) < gaps[0] / 5, gaps=gaps)

# %% [markdown]
# The substitute, made from other pairs' displays alone, correlates with the hidden drive at
# {glue:text}`likeness:.2f`. Adjusting for it moves the answer to {glue:text}`dec_out:.3f` and closes
# {glue:text}`closed:.0%` of the gap that the columns leave. (With a pair's own display in the fit it would be
# {glue:text}`dec_inside:.3f`: a part of that gain is borrowed.) Squares of the columns alone arrive at
# {glue:text}`dec_columns_bent:.3f`, with the substitute at {glue:text}`dec_out_bent:.3f`, and with the *true* drive
# at {glue:text}`dec_hidden_bent:.3f`. What is left then is not the shape of the model: displays don't tell all of the
# taste. Lena would keep her money all the same.
#
# Does a substitute help in general? Take the shop without hidden confounding, where the three columns are enough (the
# half of its users with the lower numbers, to save time):

# %%
plain = make_world()
plain_log = plain.exposure_log(n_pairs=len(plain.users) * len(plain.items), seed=week).query("user < 1000")
pairs = plain.truth.pairs(plain_log)
undecided = pairs["propensity"] * (1 - pairs["propensity"])
plain_ato = float((undecided * pairs["tau"]).sum() / undecided.sum())  # of these users
plain_table, _ = adjusted(plain_log, (1000, len(plain.items)))
plain_table.round(4)

# %% tags=["hide-input"]
first, last = plain_table.iloc[0], plain_table.iloc[2]
run.record("plain_ato", plain_ato, naive=first["straight"])
for key, row in (("columns", first), ("out", last)):
    run.record(f"plain_{key}", row["straight"], truth=plain_ato)
    run.record(f"plain_{key}_bent", row["with squares"], truth=plain_ato)
run.claim("columns with squares are near the truth", abs(first["with squares"] - plain_ato) < 0.002)
run.claim("the substitute moves them by next to nothing", abs(last["with squares"] - first["with squares"]) < 0.001)
run.claim("next to straight columns it would look useful", first["straight"] - last["straight"] > 0.0005)

# %% [markdown]
# The truth there is {glue:text}`plain_ato:.3f`. Columns with squares say {glue:text}`plain_columns_bent:.3f`, and
# {glue:text}`plain_out_bent:.3f` with the substitute: plain regression does as well. Beside straight columns the
# substitute would have looked useful ({glue:text}`plain_columns:.4f` becomes {glue:text}`plain_out:.4f`): it mended
# their shape. So it helped in one shop and did no harm in the other. It can do harm; for that look inside.
#
# ## What the substitute is
#
# Take the smallest case: one factor, counts of displays by genre, and one purchase total $Y$ a user. The question is
# what one display of genre one sells. With one factor the fit is known in closed form: a user's $\hat\theta_u$ is
# proportional to the **total** of their displays. The substitute confounder is the row sum.


# %%
def draw_users(rng, n, m, effect=0.5, others=0.0, taste=2.0, own_cause=0.0, second=0.0):
    """Displays A (n, m), sales y, taste z. `others`: what a display of each other genre sells."""
    z, cause = rng.gamma(2, 0.5, n), rng.integers(0, 2, n)
    rate = z[:, None] * rng.uniform(0.5, 2, m)
    rate[:, 0] += 0.6 * cause * (own_cause > 0)  # a campaign for genre one alone
    if second:  # another factor, in a quarter of the genres
        rate[:, : m // 4] += second * rng.gamma(2, 0.5, n)[:, None]
    A = rng.poisson(rate).astype(float)
    y = effect * A[:, 0] + others * A[:, 1:].sum(axis=1) + taste * z + own_cause * cause + rng.normal(size=n)
    return A, y, z


def four_answers(A, y, z):
    """What a display of genre one sells, by four regressions."""
    return {
        "genre one alone": slope(y, A[:, 0]),
        "all genres": slope(y, A),
        "deconfounder": slope(y, A[:, 0], A.sum(axis=1)),
        "true taste": slope(y, A[:, 0], z),
    }


A, sales, taste = draw_users(np.random.default_rng(run.seed), 1500, 40)
one = poisson_factorisation(A, 1)
assert np.allclose(one.users[:, 0], A.sum(axis=1) / A.sum(axis=1).mean())
assert np.isclose(slope(sales, A[:, 0], one.users[:, 0]), four_answers(A, sales, taste)["deconfounder"])

# %% [markdown]
# Now look at what is regressed: $Y$ on $A_1$ and the total $S = \sum_j A_j$. The regression on *all* genres holds
# that one, for $S$ is a sum of its columns. The deconfounder is plain regression with a **restriction**: all other
# genres get one common coefficient. So it reads the effect of genre one as
#
# $$\hat\beta_{\text{deconfounder}} = (\text{coefficient of genre one}) - (\text{common coefficient of the others}).$$
#
# If the other genres sell nothing, their coefficient is pure confounding, and taking it off is right: they are
# {term}`negative controls <negative control>`. If a display of another genre sells $\delta$, exactly $\delta$ too
# much is taken off. Plain regression on all genres takes nothing off. Its bias is the weight of one genre in the
# best guess of taste, and that shrinks as genres are added: {cite:t}`grimmer2023naive` prove that where the
# deconfounder becomes right, so does plain regression.
#
# ## The picture to remember
#
# Four shops, {glue:text}`draws:d` draws of each.

# %%
shops = {
    "100 genres,\n150 users": {"n": 150, "m": 100},
    "200 genres,\n2,000 users": {"n": 2000, "m": 200},
    "other genres\nsell, too": {"n": 1000, "m": 40, "others": 0.2},
    "genre one has\na cause of its own": {"n": 1000, "m": 40, "own_cause": 3.0},
}
n_draws = run.size(ci=60, full=400)
runs = {}
for name, setting in shops.items():
    seeds = run.seeds(n_draws, name)
    draws = [four_answers(*draw_users(np.random.default_rng(seed), **setting)) for seed in run.progress(seeds, name)]
    runs[name] = pd.DataFrame(draws) - 0.5  # errors


def errors_of(frame):
    """Bias, its Monte-Carlo error, and the root mean squared error of each column."""
    rmse = np.sqrt((frame**2).mean())
    return pd.DataFrame({"bias": frame.mean(), "MC error": frame.std() / np.sqrt(len(frame)), "rmse": rmse})


table = pd.concat({name.replace("\n", " "): errors_of(frame) for name, frame in runs.items()}, axis=1).round(3)
table.T

# %% tags=["hide-input"]
four = dict(zip(("few", "many", "sell", "own"), runs.values(), strict=True))
short = {"all genres": "all", "deconfounder": "dec", "genre one alone": "alone", "true taste": "oracle"}
for key, frame in four.items():
    for column, word in short.items():
        noise = frame[column].std() / np.sqrt(n_draws)
        other = frame["genre one alone"].mean()
        held = {} if word == "alone" or key == "own" or (key, word) == ("sell", "dec") else {"naive": other}
        run.record(f"bias_{key}_{word}", frame[column].mean(), truth=0.0, kind="stochastic", mc_se=noise, **held)
        run.record(f"rmse_{key}_{word}", np.sqrt((frame[column] ** 2).mean()), kind="stochastic", mc_se=noise)
run.record("draws", n_draws)


def squared_gap(frame, worse, better):
    """t-ratio of the paired difference of squared errors."""
    gap = frame[worse] ** 2 - frame[better] ** 2
    return gap.mean() / (gap.std() / np.sqrt(len(gap)))


run.claim("few users: the deconfounder beats all genres", squared_gap(four["few"], "all genres", "deconfounder") > 2)
ratio = np.sqrt((four["many"]["all genres"] ** 2).mean() / (four["many"]["deconfounder"] ** 2).mean())
run.record("ratio_many", ratio, kind="stochastic", mc_se=0.05)
run.claim("many of both: within three tenths of each other", 0.75 < ratio < 1.3, ratio=ratio)
run.claim("others sell: all genres beat it", squared_gap(four["sell"], "deconfounder", "all genres") > 5)
off = (four["sell"]["deconfounder"].mean() + 0.2) / (four["sell"]["deconfounder"].std() / np.sqrt(n_draws))
run.claim("its bias is what a display of another genre sells, up to chance", abs(off) < 3.5, monte_carlo_errors=off)
run.claim("a cause of its own: none is right", (four["own"].mean() > 0.2).all(), **four["own"].mean())

# %% tags=["hide-input"]
style = {"all genres": ("control", "s"), "deconfounder": ("estimate", "o"), "true taste": ("truth", "D")}
fig, axes = plt.subplots(4, 1, figsize=(5.2, 6.6), sharex=True)
titles = ("deconfounder helps", "regression nearly as good", "deconfounder hurts", "nothing helps")
for ax, (name, frame), title in zip(axes, runs.items(), titles, strict=True):
    for row, (column, (color, mark)) in enumerate(style.items()):
        low, high = np.quantile(frame[column], [0.05, 0.95])
        ax.plot([low, high], [row, row], color=plots.COLORS[color], linewidth=2.4)
        ax.plot(frame[column].mean(), row, mark, color=plots.COLORS[color], markersize=7)
    ax.axvline(0, color=plots.COLORS["truth"], linestyle="--", linewidth=1.2)
    ax.set_yticks(range(3), list(style))
    ax.set_ylim(2.6, -0.6)
    ax.set_title(f"{title}: {name.replace(chr(10), ' ')}", fontsize=9.5, loc="left")
axes[-1].set_xlabel("error: estimate minus true effect of a display")
plots.show(
    fig,
    alt="Four panels of errors, with bars over the middle nine tenths. Many genres and few users: all three centre "
    "near zero, the deconfounder's bar is shorter than that of all genres. Many of both: bars much alike. "
    "Others sell: the deconfounder sits left of zero, all genres near it. A cause of genre one: all sit right of it.",
    caption="Mean error and the middle nine tenths of draws. The deconfounder gains where rows are few, hurts where "
    "other genres sell, and no method sees a cause of one genre only, not even the one that knows the taste.",
)

# %% [markdown]
# - **It helps** where rows are few and the others sell nothing: a root mean squared error of
#   {glue:text}`rmse_few_dec:.3f` against {glue:text}`rmse_few_all:.3f`. One common coefficient is cheaper than a
#   hundred.
# - **Plain regression does nearly as well** with many users and many genres: {glue:text}`rmse_many_all:.3f` against
#   {glue:text}`rmse_many_dec:.3f`.
# - **It hurts** where a display of another genre sells, too: its bias is {glue:text}`bias_sell_dec:.3f`, that of
#   plain regression {glue:text}`bias_sell_all:.3f`. The table of displays can't say whether they do.
# - **Nothing helps** against a cause of genre one alone: {glue:text}`bias_own_dec:.2f` with the deconfounder,
#   {glue:text}`bias_own_oracle:.2f` with the true taste itself.
#
# Leaving the other genres out is off by {glue:text}`bias_many_alone:.2f` in the second shop. So *do* use them.
# In Lena's shop each user meets many items, a hidden taste moves them all, and a display sells its own item only: a
# good world for it. She can't see that in the log. She has to know it.
#
# ## When it breaks
#
# **The model check passes.** {cite:t}`wang2019blessings` ask for a {term}`predictive check`: does the factor model
# predict displays it was not fitted to? With one factor, a user's displays given their total must be spread over
# genres as by one fixed die. Draw such tables, and compare how far off they are with how far off the log is.


# %%
def predictive_check(A, rng, copies=19):
    """Share of tables drawn from the one-factor model that are at least as far from it as A; same of genre one."""
    total, die = A.sum(axis=1).astype(int), A.sum(axis=0) / A.sum()
    expected = np.maximum(np.outer(total, die), 1e-12)

    def distances(table):  # of the whole table, and of genre one
        by_genre = ((table - expected) ** 2 / expected).sum(axis=0)
        return by_genre.sum(), by_genre[0]

    drawn = np.array([distances(rng.multinomial(total, die)) for _ in range(copies)])
    return (1 + (drawn >= distances(A)).sum(axis=0)) / (1 + copies)


checked = {"taste alone": {}, "a cause of genre one": {"own_cause": 3.0}, "two factors": {"second": 1.0}}
p_values = {name: [] for name in checked}
for seed in run.progress(run.seeds(run.size(ci=30, full=200), "checks"), "checks"):
    for name, setting in checked.items():
        rng = np.random.default_rng(seed)
        p_values[name].append(predictive_check(draw_users(rng, 1000, 40, **setting)[0], rng))
rejects = {name: np.mean(np.array(p) <= 0.05, axis=0) for name, p in p_values.items()}
pd.DataFrame(rejects, index=["all genres", "genre one alone"]).T

# %% tags=["hide-input"]
n_checks = len(p_values["taste alone"])
for key, name in (("plain", "taste alone"), ("own", "a cause of genre one"), ("two", "two factors")):
    for suffix, share in zip(("", "_one"), rejects[name], strict=True):
        noise = np.sqrt(max(share * (1 - share), 0.02) / n_checks)
        run.record(f"rejects_{key}{suffix}", share, kind="stochastic", mc_se=noise)
own, plain_share = rejects["a cause of genre one"], rejects["taste alone"]
run.claim("the check sees a second factor", rejects["two factors"][0] > 0.7, share=rejects["two factors"][0])
run.claim("it seldom sees the cause of genre one", own[0] < 0.35, share=own[0])
run.claim("a check of genre one alone sees it", own[1] > 0.8 > 0.2 > plain_share[1], own=own[1], plain=plain_share[1])

# %% [markdown]
# The check is no fool: it rejects one factor where there are two in {glue:text}`rejects_two:.0%` of draws. Where
# genre one has a cause of its own it rejects in {glue:text}`rejects_own:.0%`, and the estimate is as wrong as the
# picture shows. One genre of forty is lost in the sum. The same check on genre one alone rejects in
# {glue:text}`rejects_own_one:.0%` (where taste is the only cause, in {glue:text}`rejects_plain_one:.0%`). So look at
# the treatment's own column! It tells that something else drives these displays. It can't tell whether that sells:
# the check reads no purchase, and would say the same of a campaign that moves displays alone and does no harm.
# {cite:t}`damour2019multi` shows it with algebra: two worlds, the same log, different effects.
#
# ## Two proxies
#
# Lena has something else. She knows for each pair what was bought in the week before the shop showed anything; and
# what was *shown* in a later week, still before this one. (The order matters: had purchases come after displays, an
# earlier display would have moved them. Nor may the ranker read those purchases.) Both go with the hidden taste. The
# first, $W$, can't be moved by this week's display. The second, $Z$, doesn't move this week's purchase or $W$. That
# is {term}`proximal inference` {cite:p}`miao2018identifying`.

# %% tags=["hide-input"]
place = {
    "hidden taste": (1.5, 1.2), "shown before Z": (0, 0.55), "bought before W": (3, 0.55),
    "shown T": (0.75, -0.3), "bought Y": (2.25, -0.3),
}  # fmt: skip
graph = nx.DiGraph([("hidden taste", node) for node in list(place)[1:]] + [("shown T", "bought Y")])
nx.set_node_attributes(graph, place, "pos")
plots.draw_dag(
    graph,
    alt="Causal graph. Hidden taste points to shown before, bought before, shown and bought. Shown points to bought. "
    "No arrow leads from shown before to bought, or from shown to bought before.",
    caption="What the two proxies need is in the arrows that are missing: none from Z to Y or W, "
    "none between W and T in either direction, none from W to Z.",
    figsize=(5.2, 3.2),
)

# %% [markdown]
# Adjusting for $W$ alone isn't enough: it is a noisy copy, and noise in a column leaves part of the confounding in.
# But $Z$ is another noisy copy, with noise of its own. Predict $W$ from $Z$ and $T$: what the prediction keeps of $W$
# is taste, not noise. Then regress $Y$ on $T$ and the *prediction*. That is two-stage least squares, with the proxy
# in the place of the treatment. It needs a {term}`bridge`: some $b_0 + b_w W$ that reacts to taste, on average, as
# $Y$ does. Here the bridge is a straight line.


# %%
def two_proxies(y, t, w, z, X):
    """Effect of t with outcome proxy w and treatment proxy z, and its robust standard error."""
    base = np.column_stack([t, np.ones(len(y)), X])
    first = np.column_stack([z, base])
    predicted = first @ np.linalg.lstsq(first, w, rcond=None)[0]
    second = np.column_stack([base, predicted])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    residual = y - np.column_stack([base, w]) @ beta  # w itself, not its prediction
    bread = np.linalg.inv(second.T @ second)
    meat = (second * residual[:, None] ** 2).T @ second
    return beta[0], np.sqrt((bread @ meat @ bread)[0, 0])


def pairs_of_two_weeks(now, before, n_pairs):
    """Pairs that are in the logs of two weeks."""
    current = shop.exposure_log(n_pairs=n_pairs, seed=now, with_placebo=True)
    earlier = shop.exposure_log(n_pairs=n_pairs, seed=before)[["user", "item", "exposed"]]
    return current.merge(earlier.rename(columns={"exposed": "shown_before"}), on=["user", "item"])


both = pairs_of_two_weeks(*other_weeks[:2], 600_000)
arguments = [both[c].to_numpy(float) for c in ("consumed", "exposed", "consumed_before", "shown_before")]
by_hand = two_proxies(*arguments, both[columns].to_numpy(float))
proximal = proximal_two_stage(*arguments, both[columns])
assert np.allclose(by_hand, [proximal.value, proximal.se])
proximal = proximal_two_stage(*arguments, both[columns], clusters=both["user"])
proximal

# %% tags=["hide-input"]
with_w = slope(arguments[0], arguments[1], both[columns].to_numpy(float), arguments[2])
run.record("proximal", proximal, truth=ato, naive=answers["naive"])
run.record("with_w", with_w, truth=ato, naive=answers["naive"])
run.record("proximal_f", proximal.first_stage.f)
run.record("both", len(both))
run.claim("two proxies say that the slot doesn't pay", proximal.value < PRICE, proximal=proximal.value)
run.claim("one proxy as a column says that it does", with_w > PRICE, with_w=with_w)

# %% [markdown]
# {glue:text}`both:,d` pairs are in both logs. With $W$ as one more column the answer is {glue:text}`with_w:.3f`.
# With both proxies it is {glue:text}`proximal:.3f` (interval {glue:text}`proximal.low:.3f` to
# {glue:text}`proximal.high:.3f`); the truth is {glue:text}`ato:.3f`.
#
# ### Held against the truth
#
# One pair of weeks can be luck. Below are other weeks of this shop, and a shop with a straight bridge where many
# draws are cheap: taste $U$, proxies $U$ plus noise, display if $U$ plus noise is positive, effect 1.


# %%
def draw_proxies(seed, n=800, strength=1.0, carry=0.0, shared=0.0, moved=0.0):
    """Outcome, treatment and both proxies. carry: z sells; shared: w and z share noise; moved: t moves w."""
    rng = np.random.default_rng(seed)
    u, noise = rng.normal(size=n), rng.normal(size=n)
    t = (u + rng.normal(size=n) > 0).astype(float)
    z = strength * u + rng.normal(size=n) + shared * noise
    w = u + rng.normal(size=n) + shared * noise + moved * t
    return t + 2 * u + carry * z + rng.normal(size=n), t, w, z


cases = {"all holds": {}, "z sells": {"carry": 0.4}, "w and z share noise": {"shared": 0.7},
         "t moves w": {"moved": 0.3}, "z is weak": {"strength": 0.05}}  # fmt: skip
n_proxy, proxy_runs = run.size(ci=150, full=1000), {}
for name, setting in cases.items():
    found = [proximal_two_stage(*draw_proxies(seed, **setting), refuse="flag") for seed in run.seeds(n_proxy, name)]
    rows = [{"value": x.value, "covers": x.covers(1.0), "flagged": bool(x.flags)} for x in found]
    proxy_runs[name] = pd.DataFrame(rows)
proxy_table = pd.DataFrame({name: frame.mean() for name, frame in proxy_runs.items()}).T
proxy_table = proxy_table.set_axis(["median", "coverage", "flagged"], axis=1)
proxy_table["median"] = [frame["value"].median() for frame in proxy_runs.values()]
proxy_table.round(3)

# %%
shop_runs = []
for now, before in run.progress(list(zip(other_weeks[2:22:2], other_weeks[3:22:2], strict=True)), "weeks"):
    pairs = pairs_of_two_weeks(now, before, 300_000)
    arguments = [pairs[c] for c in ("consumed", "exposed", "consumed_before", "shown_before")]
    shop_runs.append(proximal_two_stage(*arguments, pairs[columns], clusters=pairs["user"], refuse="flag"))
shop_values = np.array([e.value for e in shop_runs])

# %% tags=["hide-input"]
for key, name in zip(("holds", "carry", "shared", "moved", "weak"), cases, strict=True):
    covered = proxy_table.loc[name, "coverage"]
    noise = np.sqrt(max(covered * (1 - covered), 0.02) / n_proxy)
    run.record(f"coverage_{key}", covered, kind="stochastic", mc_se=noise)
    spread = 1.25 * proxy_runs[name]["value"].std() / np.sqrt(n_proxy) if key != "weak" else 0.5
    run.record(f"median_{key}", proxy_table.loc[name, "median"], truth=1.0, kind="stochastic", mc_se=spread)
run.record("flagged_weak", proxy_table.loc["z is weak", "flagged"], kind="stochastic", mc_se=0.03)
mean_error = shop_values.mean() - ato
noise = shop_values.std() / np.sqrt(len(shop_values))
run.record("shop_bias", mean_error, truth=0.0, naive=answers["columns"] - ato, kind="stochastic", mc_se=noise)
run.record("shop_weeks", len(shop_values))
run.record("shop_covers", sum(e.covers(ato) for e in shop_runs), kind="stochastic", mc_se=1.0)
band = 3.5 * np.sqrt(0.05 * 0.95 / n_proxy)
run.claim("where all holds coverage is as claimed", abs(proxy_table.loc["all holds", "coverage"] - 0.95) < band)
broken = proxy_table.loc[["z sells", "w and z share noise", "t moves w"]]
run.claim("each broken assumption costs coverage", (broken["coverage"] < 0.6).all(), **broken["coverage"])
run.claim("and none of them is flagged", (broken["flagged"] == 0).all())
run.claim("the weak proxy is flagged in most draws", proxy_table.loc["z is weak", "flagged"] > 0.9)
run.claim("over weeks two proxies come three times as near", abs(mean_error) < (answers["columns"] - ato) / 3)
run.claim("the shop's intervals hold the truth in most weeks", sum(e.covers(ato) for e in shop_runs) >= 7)

# %% [markdown]
# Over {glue:text}`shop_weeks:d` other weeks of Lena's shop the mean error is {glue:text}`shop_bias:.4f`, and
# {glue:text}`shop_covers:.0f` intervals hold the truth. In the shop with a straight bridge the interval holds it in
# {glue:text}`coverage_holds:.0%` of draws.
#
# Then one assumption at a time fails. If an earlier display still sells, the median is {glue:text}`median_carry:.2f`
# in place of one. If both proxies share noise, a bot say, it is {glue:text}`median_shared:.2f`. If $W$ was recorded
# after the display had begun to act, it is {glue:text}`median_moved:.2f`. None of these is flagged: the first stage
# is strong. A weak proxy *is* visible; the F rule flags {glue:text}`flagged_weak:.0%` of draws. Don't drop the rule
# because the number looks good: {term}`weak instruments <weak instrument>` and weak proxies fail in the same way.
#
# ## A network that looks for the cause
#
# {cite:t}`louizos2017causal` give the job to a variational autoencoder. An encoder guesses the hidden $z$ from
# proxies $x$, $t$ and $y$; decoders rebuild all three. The effect is the difference of both outcome decoders,
# averaged over guesses of $z$. A new user has no $t$ or $y$ yet, so two more networks predict them from $x$.


# %%
def net(inputs, outputs, width=24):
    return nn.Sequential(nn.Linear(inputs, width), nn.ELU(), nn.Linear(width, outputs))


def normal(value, mean, log_sd):
    return -(((value - mean) / log_sd.exp()) ** 2 / 2 + log_sd).sum(1)


def coin(logit, value):
    return -nn.functional.binary_cross_entropy_with_logits(logit, value, reduction="none").sum(1)


# %%
class CEVAE(nn.Module):
    """Encoder of z from (x, t, y); decoders of x, t, y from z; guesses of t and y from x."""

    def __init__(self, p, k):
        super().__init__()
        self.encoder, self.x, self.t = net(p + 2, 2 * k), net(k, p), net(k, 1)
        self.y, self.guess_t, self.guess_y = nn.ModuleList([net(k, 1), net(k, 1)]), net(p, 1), net(p, 2)
        self.sd_x, self.sd_y, self.sd_guess = (nn.Parameter(torch.zeros(d)) for d in (p, 1, 1))

    def code(self, x, t, y):
        mean, log_sd = self.encoder(torch.cat([x, t, y], 1)).chunk(2, 1)
        return mean, log_sd, mean + log_sd.exp() * torch.randn_like(mean)

    def loss(self, x, t, y):
        mean, log_sd, z = self.code(x, t, y)
        outcome = torch.where(t == 1, self.y[1](z), self.y[0](z))
        guess = torch.where(t == 1, self.guess_y(x)[:, 1:], self.guess_y(x)[:, :1])
        fit = normal(x, self.x(z), self.sd_x) + coin(self.t(z), t) + normal(y, outcome, self.sd_y)
        distance = ((mean**2 + (2 * log_sd).exp()) / 2 - log_sd - 0.5).sum(1)
        return (distance - fit - coin(self.guess_t(x), t) - normal(y, guess, self.sd_guess)).mean()

    @torch.no_grad()
    def effect(self, x, draws=40):
        total = torch.zeros(len(x), 1)
        for _ in range(draws):
            t = torch.bernoulli(torch.sigmoid(self.guess_t(x)))
            guess = torch.where(t == 1, self.guess_y(x)[:, 1:], self.guess_y(x)[:, :1])
            z = self.code(x, t, guess + self.sd_guess.exp() * torch.randn(len(x), 1))[2]
            total += self.y[1](z) - self.y[0](z)
        return (total / draws).numpy()[:, 0]


# %%
def train(x, t, y, seed, k=1, epochs=60, batch=200, new=None):
    """Train a CEVAE on standardised columns; return the effect of each row, or of each new one, in the unit of y."""
    torch.manual_seed(seed)
    X, T, Y = (torch.tensor(np.asarray(a), dtype=torch.float32) for a in (x, t, y))
    wanted = X if new is None else torch.tensor(new, dtype=torch.float32)
    X, wanted = (X - X.mean(0)) / X.std(0), (wanted - X.mean(0)) / X.std(0)
    T, Y, size = T[:, None], ((Y - Y.mean()) / Y.std())[:, None], float(Y.std())
    model = CEVAE(X.shape[1], k)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(batch):
            optimiser.zero_grad()
            model.loss(X[rows], T[rows], Y[rows]).backward()
            optimiser.step()
    return size * model.effect(wanted)


def draw_traces(rng, shared, n=1000):
    """Four proxies of u. With `shared`, a second cause, which moves neither t nor y, moves all proxies."""
    u, other = rng.normal(size=(2, n))
    x = u[:, None] + shared * other[:, None] + rng.normal(size=(n, 4))
    t = (u + rng.logistic(size=n) / 1.5 > 0).astype(float)
    return x, t, t + 2 * u + rng.normal(size=n)


rows = []
for seed in run.progress(run.seeds(run.size(ci=4, full=40), "autoencoder"), "autoencoders"):
    for shared in (0.0, 1.0):
        x, t, y = draw_traces(np.random.default_rng(seed), shared)
        two = proximal_two_stage(y, t, x[:, 0], x[:, 1:], refuse="flag").value
        answer = {"CEVAE": train(x, t, y, seed).mean(), "straight line": slope(y, t, x), "two proxies": two}
        rows.append({"proxies": "share a cause" if shared else "share taste only", **answer})
traces = pd.DataFrame(rows).set_index("proxies") - 1.0
traces.groupby(level=0).agg(["mean", "std"]).round(2)

# %% tags=["hide-input"]
apart, common = traces.loc["share taste only"], traces.loc["share a cause"]
for key, frame in (("apart", apart), ("common", common)):
    for column, word in (("CEVAE", "cevae"), ("straight line", "line"), ("two proxies", "two")):
        noise = max(frame[column].std() / np.sqrt(len(frame)), 0.03)
        held = {"naive": frame["straight line"].mean()} if word != "line" and key == "apart" else {}
        run.record(f"{word}_{key}", frame[column].mean(), truth=0.0, kind="stochastic", mc_se=noise, **held)
run.record("trainings", len(apart))
run.claim("apart: the network beats the line in every draw", (apart["CEVAE"].abs() < apart["straight line"]).all())
run.claim("apart: by half on average", apart["CEVAE"].abs().mean() < 0.5 * apart["straight line"].mean())
run.claim("common: the network is wrong in every draw", (common["CEVAE"] > 0.7).all(), worst=common["CEVAE"].min())
run.claim("common: so are two proxies", (common["two proxies"] > 0.7).all())

# %% [markdown]
# Over {glue:text}`trainings:d` draws, where the proxies share nothing but taste, the network's mean error is
# {glue:text}`cevae_apart:.2f`, that of a line {glue:text}`line_apart:.2f`, that of two proxies
# {glue:text}`two_apart:.2f`. Now a second cause moves all four proxies, but neither display nor purchase. The network
# is off by {glue:text}`cevae_common:.2f`, the line by {glue:text}`line_common:.2f`, two proxies by
# {glue:text}`two_common:.2f`. The network found *a* cause that explains the proxies. Its loss does reward one that
# explains display and purchase, but proxies that share another cause can't tell the two apart.
# {cite:t}`rissanen2021critical` find the same in many more worlds: it works where the hidden variable is as the model
# has it.
#
# ### What was printed, and what came out
#
# CEVAE is known by a table on ten simulated outcomes of infants (IHDP). There is no hidden cause in that table's
# data.

# %%
infants = data.load_optional("ihdp_npci")
if infants is not None:
    PAPER_ATE, PAPER_PEHE = (
        0.46,
        2.6,
    )  # of held-out rows, as louizos2017causal has them, quoted in CEVAE_pytorch, issue 3
    ISSUE_PEHE = [3.054809, 1.795829, 4.631185, 3.241708, 5.495544, 4.687658, 2.548592, 4.380806, 157.393278,
                  58.681666]  # fmt: skip
    features = [c for c in infants if c.startswith("x")]
    found = []
    for (number, one_file), seed in zip(infants.groupby("replication"), run.seeds(10, "infants"), strict=True):
        x, t, y = one_file[features].to_numpy(float), one_file["treat"].to_numpy(float), one_file["y"].to_numpy(float)
        true = (one_file["mu1"] - one_file["mu0"]).to_numpy()  # never the noisy counterfactual
        rows = np.random.default_rng(seed).permutation(len(y))
        held, kept = rows[: len(y) // 10], rows[len(y) // 10 :]  # a tenth is held out, as in the paper
        network = train(x[kept], t[kept], y[kept], seed, k=5, epochs=60, new=x[held])
        design = np.column_stack([np.ones(len(y)), x])
        arms = [np.linalg.lstsq(design[kept][t[kept] == a], y[kept][t[kept] == a], rcond=None)[0] for a in (0, 1)]
        for name, effect in (("CEVAE", network), ("two lines", design[held] @ (arms[1] - arms[0]))):
            off = effect - true[held]
            found.append({"file": number, "method": name, "ATE error": abs(off.mean()),
                          "root PEHE": np.sqrt(np.mean(off**2))})  # fmt: skip
    infant_table = pd.DataFrame(found).pivot_table(index="file", columns="method")
    display(infant_table.round(2))

# %% tags=["hide-input"]
if infants is not None:
    center = infant_table.mean()
    wins = (infant_table["root PEHE"]["CEVAE"] < infant_table["root PEHE"]["two lines"]).sum()
    rerun_worse = int(np.sum(np.array(ISSUE_PEHE) > PAPER_PEHE))
    for word, name in (("cevae", "CEVAE"), ("lines", "two lines")):
        for measure in ("ATE error", "root PEHE"):
            key = f"ihdp_{word}_{'ate' if measure == 'ATE error' else 'pehe'}"
            noise = infant_table[measure][name].std() / np.sqrt(10)
            run.record(key, center[(measure, name)], kind="stochastic", mc_se=noise, optional=True)
    gaps = infant_table["root PEHE"]["CEVAE"] - infant_table["root PEHE"]["two lines"]
    run.claim("effect by effect the network is nearer in most files", (gaps < 0).sum() >= 7, files=(gaps < 0).sum())
    gaps = infant_table["ATE error"]["CEVAE"] - infant_table["ATE error"]["two lines"]
    run.claim("in the average effect ten files don't decide", abs(gaps.mean()) < 3 * gaps.sem(), gap=gaps.mean())
    run.claim("most reruns in the issue are worse than the paper's mean", rerun_worse >= 8, worse=rerun_worse)
    course.say(
        f"**IHDP**, ten files, a tenth of each held out. The paper's table says, for held-out rows, an error of "
        f"{PAPER_ATE} in the average effect and a root PEHE of {PAPER_PEHE}. A user of another implementation "
        f"(rik-helwegen/CEVAE_pytorch) reports ten values of root PEHE, held out, too: {rerun_worse} are "
        f"worse than that mean, the worst {max(ISSUE_PEHE):.0f}. On held-out rows our small network has means of "
        f"{center[('ATE error', 'CEVAE')]:.2f} and {center[('root PEHE', 'CEVAE')]:.2f}. Two straight lines, one an "
        f"arm, have {center[('ATE error', 'two lines')]:.2f} and {center[('root PEHE', 'two lines')]:.2f}. Effect by "
        f"effect the network is nearer in {wins} of ten files; in the average effect ten files don't decide. There "
        "is no hidden cause in these data: this says that a network bends, not that it finds a cause. "
        "And we did not reproduce the table: ours is another network with other training. Nor did the user: the "
        "implementation's author doubts that the training had converged."
    )

# %% [markdown]
# ## What this means for a language-model recommender
#
# - **Embeddings are substitutes, too.** A vector made from a user's history is a factor model in other clothes. As a
#   column in an outcome model it carries the same assumption: what the history says about purchases is taste, and no
#   earlier item sold by itself.
# - **A model's summary of a user is a proxy**, not the cause. *Likes quiet colours*, read off old reviews, is $W$ or
#   $Z$ material if it was written before the display. If one prompt writes both, they share noise, and two proxies
#   fail as above. Use two sources that can't copy from each other.
# - **The ranker reads the proxy.** If the prompt that ranks sees the summary, the summary moves $T$. That is allowed
#   for $Z$. It isn't for $W$, unless the ranker's own input is a column.
#
# ## Exercises
#
# ### Exercise 1: one half of a sweep
#
# Return the items' table after one multiplicative update, from counts `A` (n, m), users `theta` (n, k) and items
# `lam` (k, m).
#
# <details><summary>Hint</summary>
#
# What is the count divided by its mean, and whose share of it belongs to a factor?
#
# </details>


# %% tags=["exercise"]
def update_items(A, theta, lam):
    """Return the items' table after one update, shape (k, m)."""
    # BEGIN SOLUTION
    return lam * (theta.T @ (A / (theta @ lam))) / theta.sum(axis=0)[:, None]
    # END SOLUTION


# %% tags=["check"]
check("latent/03.1", update_items)

# %% [markdown]
# ### Exercise 2: the deconfounder with one factor
#
# Return what the deconfounder says one display of genre one sells, from displays `A` (n, m) and sales `y`: the first
# column's coefficient, with the substitute confounder of a one-factor Poisson model and a constant beside it.
#
# <details><summary>Hint</summary>
#
# You need no sweeps. What is a user's factor proportional to, if there is only one?
#
# </details>


# %% tags=["exercise"]
def deconfounder(A, y):
    """Return the effect of one display of the first genre, a float."""
    # BEGIN SOLUTION
    return np.linalg.lstsq(np.column_stack([A[:, 0], A.sum(axis=1), np.ones(len(y))]), y, rcond=None)[0][0]
    # END SOLUTION


# %% tags=["check"]
check("latent/03.2", deconfounder)

# %% [markdown]
# ### Exercise 3: two proxies
#
# Return the effect of `t` on `y` with an outcome proxy `w` and a treatment proxy `z`, by two-stage least squares on a
# straight bridge, without other columns.
#
# <details><summary>Hint</summary>
#
# Which variables may predict `w` in the first stage? Which of them stay in the second?
#
# </details>


# %% tags=["exercise"]
def effect_by_proxies(y, t, w, z):
    """Return the effect of t, a float."""
    # BEGIN SOLUTION
    first = np.column_stack([t, z, np.ones(len(y))])
    predicted = first @ np.linalg.lstsq(first, w, rcond=None)[0]
    return np.linalg.lstsq(np.column_stack([t, predicted, first[:, 2]]), y, rcond=None)[0][0]
    # END SOLUTION


# %% tags=["check"]
check("latent/03.3", effect_by_proxies)

# %% [markdown]
# ### Exercise 4: a planted error
#
# A colleague wrote the error of two proxies by hand. The estimate is right, its error is not:
#
# ```python
# def proxy_error(y, t, w, z):
#     one = np.ones(len(y))
#     first = np.column_stack([t, z, one])
#     predicted = first @ np.linalg.lstsq(first, w, rcond=None)[0]
#     second = np.column_stack([t, predicted, one])
#     beta = np.linalg.lstsq(second, y, rcond=None)[0]
#     residual = y - second @ beta
#     bread = np.linalg.inv(second.T @ second)
#     meat = (second * residual[:, None] ** 2).T @ second
#     return np.sqrt((bread @ meat @ bread)[0, 0])
# ```
#
# Find the error and mend it.
#
# <details><summary>Hint</summary>
#
# The bridge is a function of the proxy that was recorded. What does the colleague put into it?
#
# </details>


# %% tags=["exercise"]
def proxy_error(y, t, w, z):
    """Return the robust standard error of the effect of t, a float."""
    # BEGIN SOLUTION
    one = np.ones(len(y))
    first = np.column_stack([t, z, one])
    predicted = first @ np.linalg.lstsq(first, w, rcond=None)[0]
    second = np.column_stack([t, predicted, one])
    beta = np.linalg.lstsq(second, y, rcond=None)[0]
    residual = y - np.column_stack([t, w, one]) @ beta
    bread = np.linalg.inv(second.T @ second)
    meat = (second * residual[:, None] ** 2).T @ second
    return np.sqrt((bread @ meat @ bread)[0, 0])
    # END SOLUTION


# %% tags=["check"]
check("latent/03.4", proxy_error)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "A one-factor model of displays passes its predictive check. What do you know?",
    {
        "The substitute blocks every hidden cause": (False, "A cause of one display may hide in the sum, and sell."),
        "The displays look as one factor would make them": (True, "That is all: no purchase is in the check."),
        "The effect is identified": (False, "Two worlds with one table of displays can have different effects."),
    },
)

# %% tags=["quiz"]
quiz(
    "With one factor, the deconfounder subtracts the common coefficient of the other genres. When is that wrong?",
    {
        "When there are many genres": (False, "More genres make the total a better guess of taste."),
        "When the other genres sell, too": (True, "Their coefficient is then effect and confounding, and both go."),
        "When taste moves all genres": (False, "That is the case that it was made for."),
    },
)

# %% tags=["quiz"]
quiz(
    "Which of these may serve as W, the outcome's proxy, for a display on Monday?",
    {
        "Purchases on Tuesday of other items": (False, "Monday's display may move them: money is spent once."),
        "Purchases before all displays, which no ranker reads": (True, "Taste moved them; no display, nor they one."),
        "Clicks on Monday's display": (False, "The treatment moves them; they stand on its path to the purchase."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Displays tell of taste: a factor model of exposure is a sensible column, and a total may be all that it is.
# - The deconfounder takes what other displays sell for confounding; where they sell, it hurts.
# - A predictive check is about displays. It can't see whether what drives a display sells.
# - Two proxies work if the arrows that must be missing are missing; with one proxy of each kind only weakness can be
#   seen.
# - A network that finds a hidden cause has not found *the* hidden cause.
#
# ## Further reading
#
# - {cite:t}`wang2018deconfounded` and {cite:t}`wang2019blessings`: the method, from its authors.
# - {cite:t}`grimmer2023naive`: the critique, with every published analysis run again.
# - {cite:t}`tchetgentchetgen2020introduction`: proximal inference beyond straight lines.
# - {cite:t}`rissanen2021critical`: where CEVAE is right and where it isn't.
