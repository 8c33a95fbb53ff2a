# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 35
#     exercise_minutes: 40
#     data: [womens_reviews]
#     max_seconds: 150
# ---

# %% [markdown]
# # The cause is in the text
#
# Mara may promote a page for a week: a banner, a small discount. Her merchandisers choose the pages. They read the
# newest review, and where it says that the piece went back, they promote, to clear the stock. After a season the log
# holds three things a page: the text, whether it was promoted, and orders a day. Promoted pages sell *less*. Shall
# she stop?
#
# What drove the choice is in no column. It is in a sentence. This chapter turns sentences into something that can be
# adjusted for: words, topics, vectors of a frozen language model, and a language model that is fine-tuned for the
# question. Each is held against a known truth, and then each is broken.
#
# **You will be able to**
#
# - adjust for a text by bag of words, topics, frozen and fine-tuned vectors, with {term}`cross-fitting` and AIPW;
# - probe whether a {term}`representation` still holds the cause, and read bias off the probe;
# - see when a text predicts treatment too well, and drop what only predicts treatment;
# - find {term}`treatment leakage` in a text and take it out;
# - recognise the faults of a much-used public implementation.
#
# **Before you start:** {doc}`Two models, and neither is trusted </chapters/weighting/03_doubly_robust>`, for AIPW and
# cross-fitting.
#
# **Time:** about 35 minutes to read, 40 for the exercises.
#
# **Data:** the ends of real customer reviews of women's clothes; promotion and orders are simulated from what the
# texts say, so the truth is known. Later the simulated shop, whose items carry such reviews.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import copy
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LassoCV, LinearRegression, LogisticRegressionCV, RidgeCV
from sklearn.model_selection import KFold, cross_val_predict

from causalrec_lib import course, data, doubly_robust, effects, plots, simulation
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import difference_in_means
from causalrec_lib.language import causal_text, encoder
from causalrec_lib.language.finetune import Recipe

warnings.filterwarnings("ignore", "IProgress not found")
run = course.start(PROFILE, SEED, chapter="language/02_text_as_confounder")

# %% [markdown]
# ## The question and the naive answer
#
# The texts are real: the last 32 words of a review. We keep as many that speak of sending the piece back as that
# don't. Everything else is ours, in the spirit of {cite:t}`veitch2020adapting`, who simulate outcomes over real
# texts.
# Here a property of the text drives both promotion and orders. With $Z = 1$ where the text speaks of sending back,
# a page is promoted
# ($T = 1$) and sells $Y$ orders a day:
#
# $$P(T = 1 \mid Z) = \tfrac14 + \tfrac12 Z, \qquad Y(t) = 4 - Z + t\,(0.2 + 0.2\,Z) + \tfrac12\,\varepsilon,
# \qquad \varepsilon \sim N(0, 1).$$
#
# Both potential outcomes are known, so the truth is too: the mean of $0.2 + 0.2 Z$ over the pages. The analyst has
# the text, $T$ and $Y$. She doesn't have $Z$, and doesn't know that sending back is what matters.

# %%
SENT_BACK = (
    r"\breturn(?:s|ed|ing)?\b|\b(?:send|sent|sending|go|goes|going|went) (?:it |them |this |both |right )?back"
)
reviews = data.load("womens_reviews").dropna(subset=["text"]).drop_duplicates("text")
ends = reviews["text"].astype(object).map(lambda text: " ".join(text.split()[-32:]))
says = ends.str.contains(SENT_BACK, case=False, regex=True).to_numpy()

n_each = run.size(ci=1_000, full=1_900)
rows = np.concatenate([run.rng.choice(np.flatnonzero(says == side), n_each, replace=False) for side in (True, False)])
texts, sent_back = ends.iloc[rows].tolist(), says[rows].astype(float)
unhappy = (reviews["stars"].iloc[rows] <= 3).to_numpy(float)


def week(seed, hidden):
    """Promotions and orders of one week, driven by a hidden property of the text; and the true effect."""
    rng = np.random.default_rng(seed)
    t = (rng.random(len(hidden)) < 0.25 + 0.5 * hidden).astype(float)
    effect = 0.2 + 0.2 * hidden
    y = 4 - hidden + effect * t + rng.normal(0, 0.5, len(hidden))
    return y, t, effect.mean()


seeds = run.seeds(run.size(ci=6, full=50), "weeks")
y, t, truth = week(seeds[0], sent_back)
naive = difference_in_means(y, t, unit="orders a day")
pd.set_option("display.max_colwidth", None)
pd.DataFrame({"text": texts, "promoted": t, "orders": y}).iloc[[0, 1, -2, -1]].round(1)

# %%
naive

# %% tags=["hide-input"]
run.record("naive", naive, truth=truth)
run.record("truth", truth, naive=naive.value)
run.record("texts", len(texts))
run.claim("the naive sign is wrong", naive.high < 0 < truth)

# %% [markdown]
# Promoted pages sell {glue:text}`naive:.2f` orders a day more, which is to say fewer. A promotion in truth *adds*
# {glue:text}`truth:.2f`. The naive answer has the wrong sign, with an interval that excludes zero: it compares pages
# whose piece came back with pages whose piece was kept.
#
# ## What has to hold
#
# {cite:t}`keith2020text` review the ways to adjust for text. Beside what any comparison of pages needs (here above
# all
# that promoting one page takes no orders from another), three assumptions carry them, and text strains each.
#
# - *The text holds the cause.* Given the words, promotion is as good as random ({term}`exchangeability`). Here it
#   is true by construction. What the merchandiser knew and no word says stays hidden.
# - *{term}`Overlap`.* Each text could have been promoted or not. No text occurs twice, so this is a claim about a
#   model of texts, not about rows that one could count.
# - *The text came first.* A review that was written after the promotion may speak of it.
#
# Nobody can adjust for a text as it is: two pages never share one. Some function of it must do, a
# {term}`representation` $\phi(\text{text})$ with two jobs: keep what moves both treatment and outcome, and be small
# enough to learn from. The cheapest are made without looking at $T$ or $Y$: counts of words, topics, vectors of a
# frozen {term}`encoder`. They must keep everything, for they don't know what will matter.
#
# ## An encoder with three heads
#
# {cite:t}`veitch2020adapting` learn the representation instead, from treatment and outcome. One vector $\phi$ of the
# text, that of its first token, feeds three heads (linear here; the authors give the outcomes hidden layers): the
# {term}`propensity score` $e$, and the outcome without
# and with promotion, $q_0$ and $q_1$. The loss is cross-entropy for what was done plus squared error for what was
# seen:
#
# $$-\log P_e(T \mid \phi) + (Y - q_T(\phi))^2.$$
#
# The original adds the loss of guessing masked words, to keep the encoder fluent. We leave it out; who wants it goes
# on with pre-training first (`encoder.adapt`), and passes that encoder. The heads' predictions go into AIPW, and
# {term}`cross-fitting` sees to it that no text is predicted by an encoder that was trained on it. That is
# not a refinement: an encoder can learn a few hundred texts by heart.
#
# A trick makes this affordable. The five lower layers of the encoder stay frozen, so they read each text *once*, and
# every later fit starts from their states. Only the top layer is trained, and in it only the first token's vector is
# computed, since the heads read no other: exact, and a sixth of that layer's work.

# %%
minilm = encoder.load_encoder("minilm", device=run.device)
states = causal_text.read_lower(texts, model=minilm, max_tokens=64)
few = minilm.tokens(texts[:8], 64)
ids, mask = (torch.from_numpy(a).to(minilm.device) for a in few.padded(np.arange(8)))
with torch.inference_mode(), torch.autocast(minilm.device.type, enabled=False):
    whole = minilm.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
    quick = causal_text.first_token(states.top, *states.padded(np.arange(8)))
gap = (whole - quick).abs().max() / whole.abs().max()
assert gap < 0.02  # the lower layers may have run in bfloat16, with three digits

# %% [markdown]
# By hand: the heads, the loss, two passes over the other half of the pages, and AIPW.


# %%
def three_heads(y, t, inside, seed):
    """Train top layer and heads on the rows outside, and predict e, q0, q1 of those inside."""
    rng, outside = np.random.default_rng(seed), np.flatnonzero(~inside)
    torch.manual_seed(seed)
    top, heads = copy.deepcopy(states.top), torch.nn.Linear(minilm.width, 3).to(minilm.device)
    weights = [*top.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=1e-3)
    steps = 2 * len(outside) // 16
    falls = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min(10 * (s + 1), steps - s) / steps)
    centre, scale = y[outside].mean(), y[outside].std()
    for some in np.array_split(np.concatenate([rng.permutation(outside) for _ in range(2)]), steps):
        e, q0, q1 = heads(causal_text.first_token(top, *states.padded(some))).T
        Y, T = (torch.tensor(a, dtype=torch.float32, device=e.device) for a in ((y[some] - centre) / scale, t[some]))
        loss = (
            -torch.nn.functional.logsigmoid(e * (2 * T - 1)).mean() + ((Y - torch.where(T == 1, q1, q0)) ** 2).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        falls.step()
    with torch.inference_mode():
        parts = np.array_split(np.flatnonzero(inside), 20)
        found = torch.cat([heads(causal_text.first_token(top, *states.padded(some))) for some in parts])
    e, q0, q1 = found.cpu().numpy().astype(float).T
    return np.clip(expit(e), 0.01, 0.99), centre + scale * q0, centre + scale * q1


# %%
recipe = Recipe(epochs=2, learning_rate=1e-3)
heads = causal_text.cross_fit_text(y, t, states, recipe=recipe, seed=run.seed)
tuned = doubly_robust.aipw(y, t, heads, unit="orders a day")

e, q0, q1 = np.empty((3, len(y)))
for fold in (0, 1):
    inside = heads.fold == fold
    e[inside], q0[inside], q1[inside] = three_heads(y, t, inside, run.seed)
by_hand = np.mean(q1 - q0 + t * (y - q1) / e - (1 - t) * (y - q0) / (1 - e))
mu0, mu1, chance = heads.mu0, heads.mu1, heads.e
psi = mu1 - mu0 + t * (y - mu1) / chance - (1 - t) * (y - mu0) / (1 - chance)
assert np.isclose(psi.mean(), tuned.value, atol=1e-9) and np.isclose(psi.std() / len(y) ** 0.5, tuned.se, rtol=1e-9)
tuned

# %% tags=["hide-input"]
run.record("tuned", tuned, truth=truth, naive=naive.value, kind="stochastic", mc_se=tuned.se)
run.record("by_hand", by_hand, truth=truth, naive=naive.value, kind="stochastic", mc_se=tuned.se)
same = np.corrcoef(q0, heads.mu0)[0, 1]
run.record("same", same, kind="stochastic", mc_se=0.02)
run.claim(
    "hand and library agree", abs(by_hand - tuned.value) < 2 * tuned.se and same > 0.8, gap=by_hand - tuned.value
)
run.claim("fine-tuned, the sign is right", tuned.low > 0)

# %% [markdown]
# The library says {glue:text}`tuned:.2f` ({glue:text}`tuned.low:.2f` to {glue:text}`tuned.high:.2f`), the code above
# {glue:text}`by_hand:.2f`. Two trainings in another order of batches never agree to the digit; their predictions of
# orders correlate by {glue:text}`same:.2f`. The sign is right.
#
# ## Held against the truth: seven ways to adjust
#
# The same pages, new weeks. All adjusted answers use AIPW with two folds; what differs is what the models may
# read and, with it, the kind of model.

# %%
singles = TfidfVectorizer(min_df=10, sublinear_tf=True).fit_transform(texts).toarray()
pairs = TfidfVectorizer(min_df=10, sublinear_tf=True, ngram_range=(1, 2)).fit_transform(texts).toarray()
topics = NMF(20, init="nndsvda", max_iter=1_000, tol=1e-3, random_state=0).fit_transform(singles)
frozen = states.vectors()


def ridge():
    """Penalised models that keep all columns, the penalty chosen within the training rows."""
    chance = LogisticRegressionCV(Cs=[0.1, 0.3, 1, 3, 10], cv=3, scoring="neg_log_loss", max_iter=500)
    return {"outcome": RidgeCV(np.logspace(-1, 2, 6)), "propensity": chance}


def lasso():
    """Penalised models that choose columns."""
    chance = LogisticRegressionCV(
        Cs=[0.5, 1, 2, 4], cv=3, penalty="l1", solver="liblinear", scoring="neg_log_loss", random_state=0
    )
    return {"outcome": LassoCV(cv=3, n_alphas=10, eps=0.02, max_iter=10_000), "propensity": chance}


READ = {
    "20 topics": (topics, dict),
    "frozen vectors": (frozen, ridge),
    "words, ridge": (singles, ridge),
    "words and pairs, lasso": (pairs, lasso),
    "the property itself": (None, dict),
}


# %%
def nuisances(y, t, hidden, seed):
    """Both models of each way to read the texts."""
    found = {"fine-tuned": causal_text.cross_fit_text(y, t, states, recipe=recipe, seed=seed)}
    for name, (x, models) in READ.items():
        columns = hidden[:, None] if x is None else x
        found[name] = doubly_robust.cross_fit(y, t, columns, folds=2, seed=seed, clip=0.01, **models())
    return found


def explained(x, hidden, model):
    """Share of the variance of a hidden property that a cross-validated probe explains."""
    guess = cross_val_predict(model, x, hidden, cv=KFold(5, shuffle=True, random_state=0))
    return 1 - np.mean((hidden - guess) ** 2) / np.var(hidden)


def knows(models, hidden):
    """What the three predictions, put together, tell of the hidden property."""
    return explained(np.column_stack([models.e, models.mu0, models.mu1]), hidden, LinearRegression())


probes = []


def answers(seed, hidden, label):
    """All estimates of one week; the probes are kept beside them."""
    y, t, _ = week(seed, hidden)
    found = {"nothing": difference_in_means(y, t)}
    probes.append({"hidden": label, "name": "nothing", "r2": 0.0})
    for name, models in nuisances(y, t, hidden, seed).items():
        found[name] = doubly_robust.aipw(y, t, models, refuse="flag")
        probes.append({"hidden": label, "name": name, "r2": knows(models, hidden)})
    return found


weeks = simulation.repeat(
    lambda seed: answers(seed, sent_back, "sent back"), run.progress(seeds, "weeks"), sent_back.mean() * 0.2 + 0.2
)


# %%
def left(runs):
    """Bias as a share of the naive bias, with its Monte-Carlo error, paired over weeks."""
    error = runs.assign(error=runs["value"] - runs["truth"]).pivot_table("error", index="seed", columns="name")
    off = error["nothing"]
    share = error.mean() / off.mean()
    noise = (error - np.outer(off, share)).std() / len(error) ** 0.5 / abs(off.mean())
    return pd.DataFrame({"bias left": share, "its error": noise})


ORDER = ["nothing", "20 topics", "frozen vectors", "words, ridge", "words and pairs, lasso", "fine-tuned"]
ORDER += ["the property itself"]
table = left(weeks).join(
    weeks.groupby("name").agg(value=("value", "mean"), covers=("covers", "sum"), se=("se", "mean"))
)
table = table.join(pd.DataFrame(probes).groupby("name")["r2"].mean().rename("probe")).loc[ORDER]
table[["value", "bias left", "its error", "covers", "se", "probe"]].round(2)

# %% tags=["hide-input"]
KEYS = dict(zip(ORDER, ("none", "topics", "frozen", "ridge", "lasso", "fine", "oracle"), strict=True))
run.record("weeks", len(seeds))
for name, key in KEYS.items():
    part = table.loc[name]
    spread = max(part["its error"], 0.01)
    if key != "none":
        run.record(f"left_{key}", part["bias left"], truth=0.0, naive=1.0, kind="stochastic", mc_se=spread)
        run.record(f"probe_{key}", part["probe"], kind="stochastic", mc_se=0.01)
    run.record(f"covers_{key}", int(part["covers"]), kind="stochastic", mc_se=1.0)
by = weeks.pivot_table("value", index="seed", columns="name")
right = int((by["fine-tuned"] > 0).sum())
run.record("sign_right", right, kind="stochastic", mc_se=0.25)
fine = table.loc["fine-tuned"]
in_se = (truth - fine["value"]) / fine["se"]
run.record("bias_in_se", in_se, kind="stochastic", mc_se=0.4)
run.claim("fine-tuned: a bias that the interval doesn't know of", in_se > 0.5, standard_errors=in_se)
run.claim("no naive week has the right sign", bool((by["nothing"] < 0).all()))
run.claim("fine-tuned: every week has the right sign", right == len(by))
run.claim("fine-tuned: less than a quarter of the bias is left", fine["bias left"] + 2 * fine["its error"] < 0.25,
          left=fine["bias left"], error=fine["its error"])  # fmt: skip


def ahead(a, b):
    """Paired mean gap of two columns of estimates, in its own standard errors."""
    gap = by[a] - by[b]
    return gap.mean() / gap.std() * len(gap) ** 0.5


for other in ("20 topics", "frozen vectors", "words, ridge", "words and pairs, lasso"):
    run.claim(f"fine-tuned is closer than {other}", ahead("fine-tuned", other) > 4, errors=ahead("fine-tuned", other))
    half = table.loc[other]
    least = 0.1 if "lasso" in other else 0.25
    run.claim(f"{other}: more than {least:.0%} is left", half["bias left"] - 2 * half["its error"] > least)
run.claim("lasso on words leaves less than frozen vectors", ahead("words and pairs, lasso", "frozen vectors") > 4)
run.claim("lasso on words leaves less than ridge", ahead("words and pairs, lasso", "words, ridge") > 3)
run.claim("the property itself leaves no bias", abs(table.loc["the property itself", "bias left"]) < 0.1)
run.claim(
    "frozen vectors: an error like that of fine-tuning", 0.7 < table.loc["frozen vectors", "se"] / fine["se"] < 1.3
)
run.claim("frozen vectors: no week is covered", table.loc["frozen vectors", "covers"] == 0)

# %% [markdown]
# Over {glue:text}`weeks:d` weeks, the share of the naive bias that is left:
#
# - *Unsupervised.* Topics leave {glue:text}`left_topics:.0%`, frozen vectors {glue:text}`left_frozen:.0%`. The
#   intervals of frozen vectors are about as narrow as those after fine-tuning, and none holds the truth.
# - *Words.* Ridge, which spreads the weight over all words, leaves {glue:text}`left_ridge:.0%`. The lasso on words
#   and pairs of words finds the few that matter, and leaves {glue:text}`left_lasso:.0%`.
# - *Fine-tuned.* {glue:text}`left_fine:.0%` is left, and the sign is right in {glue:text}`sign_right:d` of
#   {glue:text}`weeks:d` weeks. {glue:text}`covers_fine:d` of {glue:text}`weeks:d` intervals hold the truth. Don't
#   count on more: the bias is small beside the naive one, and still {glue:text}`bias_in_se:.1f` standard errors. Over
#   the fifty weeks of the course's long test the sign is right in all, and the intervals cover too seldom.
#
# The lasso costs next to nothing and finds most of the cause: where it lives in a handful of phrases, try this first.
# Frozen vectors come from the same encoder as the fine-tuned ones, so the encoder isn't what divides them. What does,
# this page can't take apart: training the top layer on treatment and outcome, reading the first token in place of the
# mean of all, and another kind of model on top. One encoder was run, so nothing is said on size.
#
# ## The picture to keep: what the models know, and what is left
#
# In a simulation the cause is known, so we can ask each method for it. The {term}`probe` takes what a method
# predicts, $(e, q_0, q_1)$, and tells from these three numbers whether the text spoke of sending back. Its $R^2$ is
# the share of the cause's variance that the estimate had at hand. The rest is $1 - R^2$. If the models make the
# best of
# the three numbers, the share of the bias that stays here lies between about $1 - R^2$, where some pages are known
# fully and others not at all, and about $(1 - R^2) / (1 - R^2/4)$, where all are known equally well. The two are
# close
# together; the picture draws the first.
#
# Now change the cause. Let promotion and orders follow the *stars* of the review, three or fewer against four or
# five. The text names no stars.

# %%
again = seeds[: run.size(ci=3, full=50)]
hints = simulation.repeat(
    lambda seed: answers(seed, unhappy, "stars"), run.progress(again, "stars"), unhappy.mean() * 0.2 + 0.2
)
known = pd.DataFrame(probes).groupby(["hidden", "name"])["r2"].mean()
shares = {"sent back": left(weeks)["bias left"], "stars": left(hints)["bias left"]}

fig, ax = plt.subplots(figsize=(6.4, 4.2))
for hidden, face in (("sent back", plots.COLORS["estimate"]), ("stars", "none")):
    x, height = known[hidden].loc[ORDER], shares[hidden].loc[ORDER]
    ax.scatter(x, 100 * height, s=60, facecolor=face, edgecolor=plots.COLORS["estimate"], label=f"cause: {hidden}")
    if hidden == "sent back":
        for name in ORDER:
            ax.annotate(name, (x[name], 100 * height[name]), xytext=(8, 3), textcoords="offset points")
tuned_stars = (known["stars"]["fine-tuned"], 100 * shares["stars"]["fine-tuned"])
ax.annotate("fine-tuned", tuned_stars, xytext=(8, 3), textcoords="offset points")
ax.plot([0, 1], [100, 0], color=plots.COLORS["truth"], linewidth=1, linestyle="--", label="what the probe misses")
ax.set(
    xlabel="probe: R² for the hidden cause",
    ylabel="bias left, % of naive",
    xlim=(-0.04, 1.3),
    xticks=[0, 0.25, 0.5, 0.75, 1],
)
ax.legend(loc="lower left")
plots.show(
    fig,
    alt="Scatter of bias left against what the probe explains, with a falling dashed line from all of the bias to "
    "none. Nothing lies at its upper end, the property itself at its lower end, fine-tuned close by. Frozen vectors "
    "and topics lie on its upper half, ridge and lasso further right and above it. The open points of the stars all "
    "lie high, but for the stars themselves.",
    caption="What a method lost of the cause stays as bias. Points far above the line know more than they use. "
    "Where the cause is the stars (open), these readers remove little.",
)

# %% tags=["hide-input"]
stars = left(hints)
run.record("left_fine_stars", stars.loc["fine-tuned", "bias left"], truth=0.0, naive=1.0, kind="stochastic",
           mc_se=max(stars.loc["fine-tuned", "its error"], 0.02))  # fmt: skip
run.record("probe_fine_stars", known["stars"]["fine-tuned"], kind="stochastic", mc_se=0.02)
readers = [name for name in ORDER if name not in ("nothing", "the property itself")]
worst = (stars["bias left"] - 2 * stars["its error"]).loc[readers].min()
run.claim("stars: every reader leaves a third or more", worst > 1 / 3, least=worst)
run.claim("stars: the stars themselves leave little", abs(stars.loc["the property itself", "bias left"]) < 0.15)
off = table["bias left"] - (1 - table["probe"])
run.record("off_line", off.abs().mean(), kind="stochastic", mc_se=0.01)
run.record("off_lasso", off["words and pairs, lasso"], kind="stochastic", mc_se=0.02)
run.claim("bias left is what the probe misses, nearly", off.abs().max() < 0.25, furthest=off.abs().max())
for name in ("words, ridge", "words and pairs, lasso"):
    run.claim(f"{name}: above the line", off[name] > 2 * table.loc[name, "its error"], off=off[name])
run.claim("better probes go with less bias", table["bias left"].corr(table["probe"]) < -0.9)
inside = explained(frozen, sent_back, RidgeCV(np.logspace(-3, 2, 8)))
run.record("probe_given", inside, kind="stochastic", mc_se=0.01)
run.claim("the frozen vector holds more than the models use", inside > table.loc["frozen vectors", "probe"] + 0.05)

# %% [markdown]
# Over all seven points, two of which lie on the line by construction, the distance is {glue:text}`off_line:.0%` of
# the
# naive bias on average. A little above the line is no fault, as said. The lasso lies higher, by
# {glue:text}`off_lasso:.0%`. A likely reason: a penalty shrinks coefficients, which a probe with labels can stretch
# again and the estimate can't. It *uses* less than it knows.
#
# With the stars as cause, fine-tuning's probe explains {glue:text}`probe_fine_stars:.0%` of them, and
# {glue:text}`left_fine_stars:.0%` of the bias is left. Some of the stars may not be in these words, and no encoder
# can read
# what isn't written; some may be there, and too faint for so few pages. This page doesn't tell the two apart.
#
# A warning about probes. Given the labels, a ridge regression on the *frozen vectors* explains
# {glue:text}`probe_given:.0%` of the sent-back property. The models behind the estimate, which never see labels,
# know {glue:text}`probe_frozen:.0%` of it. That something is in the vector doesn't mean that your models use it:
# probe what the estimate uses.
#
# ## When it breaks
#
# ### A text that predicts treatment too well
#
# Suppose that the season is for dresses: pages that mention one are promoted almost always, others almost never,
# and sending back only adds to it. Mentions of a dress move no orders. They are no cause of the outcome, and nothing
# needs to be adjusted for them. But they are in the text, and any good model of promotion will find them. The
# lasso on single words is enough to see it.

# %%
dress = np.array(["dress" in text.lower() for text in texts], dtype=float)


def season(seed):
    """A week in which mentions of a dress nearly decide the promotion."""
    rng = np.random.default_rng(seed)
    e = expit(12 * (dress - 0.5) + 2 * (sent_back - 0.5))
    t = (rng.random(len(e)) < e).astype(float)
    return 4 - sent_back + (0.2 + 0.2 * sent_back) * t + rng.normal(0, 0.5, len(e)), t


def both_ways(seed):
    """AIPW with a propensity of the whole text, and with one of what the outcome models say about it."""
    y, t = season(seed)
    whole = doubly_robust.cross_fit(y, t, singles, folds=2, seed=seed, clip=0.005, **lasso())
    said = np.column_stack([whole.mu0, whole.mu1])
    reduced = doubly_robust.cross_fit(y, t, said, folds=2, seed=seed, clip=0.02)
    few = whole._replace(e=reduced.e, clipped=reduced.clipped)
    return {n: doubly_robust.aipw(y, t, m, refuse="flag") for n, m in (("whole text", whole), ("reduced", few))}


seasons = simulation.repeat(both_ways, seeds[:6], truth)
how = {"value": ("value", "mean"), "se": ("se", "median"), "ess": ("ess", "median"), "refused": ("refused", "sum")}
strict = seasons.groupby("name").agg(**how)
strict.round(2)

# %% tags=["hide-input"]
for name, part in strict.iterrows():
    tag = name.split()[0]
    run.record(f"ess_{tag}", part["ess"], kind="stochastic", mc_se=max(part["ess"] / 8, 3))
    run.record(f"se_{tag}", part["se"], kind="stochastic", mc_se=part["se"] / 6)
    run.record(f"refused_{tag}", int(part["refused"]), kind="stochastic", mc_se=1.0)
run.record("of_weeks", len(seeds[:6]))
gone, kept = strict.loc["whole text"], strict.loc["reduced"]
run.claim("whole text: a small effective sample", gone["ess"] < 0.3 * kept["ess"], whole=gone["ess"], few=kept["ess"])
run.claim("reduced: a smaller error", 1.4 * kept["se"] < gone["se"], whole=gone["se"], few=kept["se"])
run.claim("whole text: some weeks are refused, reduced: fewer", kept["refused"] < gone["refused"])
run.claim("reduced: near the truth", abs(kept["value"] - truth) < 0.12, value=kept["value"])

# %% [markdown]
# In the median week the weights of the whole text leave the thinner group {glue:text}`ess_whole:.0f` effective pages,
# of {glue:text}`texts:,d` pages in both groups, and the card refuses {glue:text}`refused_whole:d` of
# {glue:text}`of_weeks:d` weeks. The
# standard error is {glue:text}`se_whole:.2f`. A better model of promotion would make it worse: *a propensity model
# isn't judged by how well it predicts.*
#
# {cite:t}`gui2022causal` ask less of the text. What matters for the outcome is in $q_0$ and $q_1$; a propensity given
# these two numbers alone is enough if both are right, and it forgets the dress. The effective sample of the median
# week is
# {glue:text}`ess_reduced:.0f`, the standard error {glue:text}`se_reduced:.2f`, and {glue:text}`refused_reduced:d`
# weeks are refused. Part of the gap is clipping, which is higher for the reduced propensity: that alone makes weights
# smaller. The price: the outcome models must have found the cause, since the propensity can no longer cover
# for what they lost.
#
# ### A text that was written afterwards
#
# Next season the log keeps the newest review *at the end* of the week. Some buyers on promoted pages now write "such
# a bargain", and more of them do where more was sold. The sentence is a consequence of treatment and outcome:
# {term}`treatment leakage` {cite:p}`daoud2022conceptualizing`.

# %%
BARGAIN = " such a bargain"


def leaked(seed):
    """A week whose promoted pages may end with a sentence on the promotion, more often where they sold well."""
    rng = np.random.default_rng([seed, 1])
    y, t, _ = week(seed, sent_back)
    well = y > 4 - sent_back + (0.2 + 0.2 * sent_back) * t
    wrote = (t == 1) & (rng.random(len(t)) < np.where(well, 0.8, 0.2))
    return y, t, [text + BARGAIN * bool(w) for text, w in zip(texts, wrote, strict=True)]


def three_readings(seed):
    """Texts from before, from after, and from after without the words that only promoted pages have."""
    y, t, after = leaked(seed)
    reader = TfidfVectorizer(min_df=10, sublinear_tf=True)
    words = reader.fit_transform(after).toarray()
    has = words > 0
    kept = has[t == 1].sum(axis=0) < 0.95 * has.sum(axis=0)
    found = {"before": singles, "after": words, "after, distilled": words[:, kept]}
    return {
        name: doubly_robust.aipw(
            y, t, doubly_robust.cross_fit(y, t, x, folds=2, seed=seed, clip=0.01, **lasso()), refuse="flag"
        )
        for name, x in found.items()
    }


readings = simulation.repeat(three_readings, seeds[:6], truth)
when = readings.groupby("name").agg(value=("value", "mean"), se=("se", "mean"), covers=("covers", "sum"))
when.loc[["before", "after", "after, distilled"]].round(3)

# %% tags=["hide-input"]
at = readings.pivot_table("value", index="seed", columns="name")
for key, name in (("before", "before"), ("after", "after"), ("distilled", "after, distilled")):
    wrong = {} if key == "after" else {"naive": at["after"].mean()}
    run.record(f"leak_{key}", at[name].mean(), truth=truth, kind="stochastic",
               mc_se=max(at[name].std() / len(at) ** 0.5, 0.005), **wrong)  # fmt: skip
for name in ("before", "after, distilled"):
    gap = at[name] - at["after"]
    run.claim(f"leakage takes from the effect, against {name}", gap.mean() > 4 * gap.std() / len(gap) ** 0.5)
lost = (at["before"] - at["after, distilled"]).abs().mean()
run.claim("distilled: close to the text from before", lost < 0.3 * (at["before"] - at["after"]).mean(), lost=lost)

# %% [markdown]
# With texts from before, this lasso on single words gives {glue:text}`leak_before:.2f` on average. With texts from
# after the week it gives {glue:text}`leak_after:.2f`: much of the effect is credited to the sentence that it caused.
# Distilling, here taking out words that nearly only promoted pages have, brings back
# {glue:text}`leak_distilled:.2f`. It works because the leak is a word that is
# easy to find. A safer cure is a time stamp: read what the merchandiser read, when she read it. Such a text can't
# be a
# consequence, though it may announce the promotion {cite:p}`daoud2022conceptualizing`: look at the overlap, too.
#
# ### The shop
#
# In the course's shop, with the switch `confounding="text"`, displays depend on the tone of an item's reviews as well
# as on the usual columns. Tone has no column. We add to the columns the first 20 directions of the reviews' words.

# %%
shop = make_world(confounding="text")
words = shop.reviews.groupby("item")["text"].agg(" ".join)
directions = TruncatedSVD(20, random_state=0).fit_transform(
    TfidfVectorizer(min_df=3, sublinear_tf=True).fit_transform(words)
)
COLUMNS = ["score", "log_popularity", "log_activity"]


def shop_week(seed):
    """What the words add to the columns, with the joint error."""
    log = shop.exposure_log(n_pairs=20_000, seed=seed)
    y, t = log["consumed"].to_numpy(float), log["exposed"].to_numpy(float)
    both = np.column_stack([log[COLUMNS], directions[log["item"]] / directions.std(axis=0)])
    plain = doubly_robust.aipw(y, t, doubly_robust.cross_fit(y, t, log[COLUMNS], seed=seed))
    read = doubly_robust.aipw(y, t, doubly_robust.cross_fit(y, t, both, seed=seed))
    return {"naive": difference_in_means(y, t), "columns": plain, "columns and words": read,
            "gain": effects.contrast(plain, read)}  # fmt: skip


ate = shop.truth.ate()
shop_weeks = simulation.repeat(
    shop_week, seeds[:6], {"naive": ate, "columns": ate, "columns and words": ate, "gain": 0.0}
).pivot_table("value", index="seed", columns="name")
shop_weeks.mean().to_frame("mean over weeks").T.assign(truth=ate).round(4)

# %% tags=["hide-input"]
mean, error = shop_weeks.mean(), shop_weeks.std() / len(shop_weeks) ** 0.5
run.record("shop_truth", ate, naive=mean["naive"])
for key, name in (("naive", "naive"), ("columns", "columns"), ("words", "columns and words")):
    wrong = {} if key == "naive" else {"naive": mean["naive"]}
    run.record(f"shop_{key}", mean[name], truth=ate, kind="stochastic", mc_se=max(error[name], 5e-4), **wrong)
run.claim("shop: words move the answer down", mean["gain"] > 4 * error["gain"], gain=mean["gain"])
run.claim("shop: and nearer to the truth", abs(mean["columns and words"] - ate) < abs(mean["columns"] - ate))

# %% [markdown]
# The truth is {glue:text}`shop_truth:.3f`. The naive answer is {glue:text}`shop_naive:.3f`, the columns give
# {glue:text}`shop_columns:.3f`, columns and words {glue:text}`shop_words:.3f`. Words bring the answer nearer.
# Whether something is still missing, and whether tone or the linear models are to blame, so few weeks don't tell.
#
# ### A much-used implementation
#
# The best-known PyTorch version of this estimator (`rpryzant/causal-bert-pytorch`) returns the mean of $q_0 - q_1$,
# an effect with its sign turned; its issue 6 says so and is open. With calibration switched on it takes class 0 of
# one
# head and class 1 of the other. The example in its manual trains on the rows that it then estimates from. And the
# mean of the heads' difference is a plug-in: a propensity is trained, and corrects nothing. A one-line simulation
# finds the sign: *before you trust an estimator, give it data with an effect that you know.* The exercises repair the
# rest.
#
# ## What this means for a language-model recommender
#
# - Prompts, reviews, chats and queries decide what a recommender shows, and what people then do. They are
#   confounders in the shape of text, and a column "topic" seldom holds what mattered.
# - A frozen embedding is made to tell texts apart, not to keep your confounder. Check with a probe on simulated
#   outcomes over *your* texts, as this page does; it takes an afternoon.
# - A model that reads everything also reads what only decided the display. Look at the effective sample, not at the
#   accuracy.
# - Generated text, written after the recommendation, leaks by design.
#
# For text as treatment or outcome, other questions arise: {cite:t}`pryzant2021causal` and {cite:t}`egami2022make`.
#
# ## Exercises
#
# ### Exercise 1: a planted error, or three
#
# A colleague has heads for both outcomes and a propensity, all cross-fitted. This is her "doubly robust" effect. On
# simulated data its sign is wrong, and once that is mended, a bad outcome model still spoils it:
#
# ```python
# def effect(y, t, q0, q1, e):
#     correction = t * (y - q0) / e - (1 - t) * (y - q1) / (1 - e)
#     return np.mean(q0 - q1 + 0 * correction)
# ```
#
# Mend all three errors.
#
# <details><summary>Hint</summary>
#
# Which head predicts the outcome of a promoted page? And what is the correction multiplied by?
#
# </details>


# %% tags=["exercise"]
def repaired(y, t, q0, q1, e):
    """Return the AIPW estimate of the effect of treatment."""
    # BEGIN SOLUTION
    correction = t * (y - q1) / e - (1 - t) * (y - q0) / (1 - e)
    return np.mean(q1 - q0 + correction)
    # END SOLUTION


# %% tags=["check"]
check("language/02.1", repaired)

# %% [markdown]
# ### Exercise 2: rows that the encoder never saw
#
# Write cross-fitting for any learner. `fit_predict(train_x, train_y, x)` trains on the first two and returns
# predictions for the rows of `x`. Return one prediction for each row, made by a fit on the *other* folds.
#
# <details><summary>Hint</summary>
#
# For fold $k$, who trains and who is predicted?
#
# </details>


# %% tags=["exercise"]
def out_of_fold(fit_predict, x, y, fold):
    """Return predictions of y, each by a fit that did not see its fold."""
    # BEGIN SOLUTION
    found = np.empty(len(y))
    for k in np.unique(fold):
        here = fold == k
        found[here] = fit_predict(x[~here], y[~here], x[here])
    return found
    # END SOLUTION


# %% tags=["check"]
check("language/02.2", out_of_fold)

# %% [markdown]
# ### Exercise 3: words that leak
#
# `has` has one row a text and one column a word, True where the text has the word. Return the numbers of the columns
# to take out: words that at least `least` texts have, `0.95` of them or more treated.
#
# <details><summary>Hint</summary>
#
# Share of what: of the treated texts, or of the texts that have the word?
#
# </details>


# %% tags=["exercise"]
def leaking(has, t, least):
    """Return the columns of words that nearly only treated texts have."""
    # BEGIN SOLUTION
    count = has.sum(axis=0)
    treated = has[t == 1].sum(axis=0)
    return np.flatnonzero((count >= least) & (treated >= 0.95 * count))
    # END SOLUTION


# %% tags=["check"]
check("language/02.3", leaking)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "Two encoders. One predicts who was promoted with an AUC of 0.99, the other with 0.80. Which one to adjust with?",
    {
        "The first: it has captured more of the confounding": (
            False,
            "Or more of what only decided the promotion. At 0.99 hardly a page is left to compare with.",
        ),
        "AUC can't say: ask what moves the outcome, and look at the effective sample": (
            True,
            "Adjustment needs the causes of both. What predicts treatment alone costs overlap and removes no bias.",
        ),
        "The second: a weak propensity model always has less bias": (
            False,
            "It may have lost the confounder. The topics of this page did.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "A probe that is given labels reads the confounder well from frozen vectors. What follows?",
    {
        "Most of the bias is removed": (
            False,
            "The probe saw labels. The models behind the estimate see treatment and outcome, and use less.",
        ),
        "Little: probe what the fitted models predict": (
            True,
            "What they don't use, they don't adjust for, be it in the vector or not.",
        ),
        "The vectors are sufficient, by definition": (False, "Sufficient would mean that nothing else helps."),
    },
)

# %% tags=["quiz"]
quiz(
    "The log holds each page's newest review at the end of the promotion week. What is the safest repair?",
    {
        "Delete words that nearly only treated pages have": (
            False,
            "It helps with plain leaks, as here. A change of tone has no word of its own.",
        ),
        "Use the review that was newest before the week": (
            True,
            "What comes before treatment can't be its consequence. It is also what the merchandiser read.",
        ),
        "Use a larger encoder": (False, "It reads the leak better still."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - A text can be the confounder; adjust for what it says, not for what it is.
# - A representation made without treatment and outcome may lose the cause; frozen vectors and topics did here.
# - A lasso on words is cheap and beats a frozen language model here: try it before you fine-tune.
# - Too good a prediction of treatment destroys overlap; text from after the treatment destroys the answer.
# - A simulated outcome on your own texts shows all of this before a real one can mislead you.
#
# ## Further reading
#
# - {cite:t}`veitch2020adapting`: the three heads, and why supervision is enough.
# - {cite:t}`keith2020text`: a map of methods, and how they were evaluated.
# - {cite:t}`gui2022causal`: overlap when the text decides the treatment.
# - {cite:t}`daoud2022conceptualizing`: leakage, and when distilling repairs it.
# - {cite:t}`egami2022make`: why the measure must be found on other texts than those it is used on.
