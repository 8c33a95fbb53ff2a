# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: chapter
#     reading_minutes: 45
#     exercise_minutes: 45
#     data: [womens_reviews]
#     optional_data: [upworthy]
#     max_seconds: 60
# ---

# %% [markdown]
# # A/B tests: what is left to go wrong after the coin
#
# Mara's team has a new ranker. Half of the users get it, by a coin; the other half keep the list of popular items.
# The test is to run for {glue:text}`days:d` days. Each morning she looks at the screen, and one morning it says:
# significant. Ship it?
#
# A colleague asks what that screen says when both halves get *the same* list. They try it, many times over. In
# {glue:text}`aa_daily:.0%` of these tests of nothing against nothing, some morning says: significant. The screen
# promised five per cent.
#
# A coin makes the two groups alike. It doesn't say what to count, when to stop, or who is alone in a group. This
# chapter is about the mistakes that a coin leaves room for, and what each of them costs.
#
# **You will be able to**
#
# - plan a test: its unit, its size, and its {term}`minimum detectable effect`;
# - test the split for a {term}`sample ratio mismatch` before you look at any result;
# - put the right error on a ratio such as purchases a session, and shrink it with {term}`CUPED`;
# - look at a running test as often as you like, with a {term}`confidence sequence`;
# - see when users are not alone, and choose clusters, a {term}`switchback`, or {term}`interleaving`.
#
# **Before you start:** {doc}`What a recommender log can't say </chapters/concepts/01_why_causal>`. Trials that some
# users don't follow are in {doc}`Instruments </chapters/latent/02_instruments>`.
#
# **Time:** about 45 minutes to read, 45 for the exercises.
#
# **Data:** the simulated shop, in which active users come more often. At the end, if it can be fetched, the Upworthy
# archive of headline tests.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from causalrec_lib import course, data, experiments, plots
from causalrec_lib.course import check, quiz
from causalrec_lib.data.world import make_world
from causalrec_lib.estimate import difference_in_means
from causalrec_lib.experiments import confidence_sequence, cuped, ratio_metric, sample_ratio

run = course.start(PROFILE, SEED, chapter="recommenders/04_ab_tests")
shop = make_world()
DAYS, SESSIONS = 28, 12_000
OLD, NEW = "popular", "score"  # the list of popular items, and the platform's own guess of what a user likes
design = {"n": SESSIONS, "periods": DAYS, "arrivals": "activity"}
truth = shop.truth.ab_effect(OLD, NEW, arrivals="activity")  # purchases a session; no real test has this

# %% [markdown]
# ## The naive answer: look every morning
#
# An {term}`A/A test` gives both arms the same list, so its true effect is zero. One log is enough for many of them:
# keep what the users did, and throw the coin again. The function below follows the difference in purchases a session
# through the days, for all coins at once. It is written so that users, not sessions, count; why that matters comes
# soon.


# %%
def by_day(log, column):
    """Running sums of a column, one row a user and one column a day."""
    table = log.pivot_table(column, "user", "period", aggfunc="sum", fill_value=0)
    return table.reindex(index=range(len(shop.users)), columns=range(DAYS), fill_value=0).cumsum(axis=1).to_numpy()


def running(coins, Y, N):
    """Difference of the ratios sum Y / sum N up to each day, and its standard error, for each row of coins."""
    value, variance = 0.0, 0.0
    for sign, arm in ((1, coins), (-1, 1 - coins)):
        total = arm @ N
        ratio = (arm @ Y) / total
        value = value + sign * ratio
        variance = variance + (arm @ Y**2 - 2 * ratio * (arm @ (Y * N)) + ratio**2 * (arm @ N**2)) / total**2
    return value, np.sqrt(variance)


nothing = shop.ab_test(OLD, OLD, seed=run.seed, **design)
n_coins = run.size(ci=2_000, full=20_000)
coins = run.rng.permuted(np.tile(np.arange(len(shop.users)) % 2, (n_coins, 1)), axis=1)
bought, came = by_day(nothing, "consumed"), by_day(nothing.assign(one=1), "one")
value, se = running(coins, bought, came)
z = value / se
alarms = pd.Series(
    {
        "one look, on the last day": np.mean(np.abs(z[:, -1]) > 1.96),
        "a look each week": np.mean((np.abs(z[:, 6::7]) > 1.96).any(axis=1)),
        "a look each morning": np.mean((np.abs(z) > 1.96).any(axis=1)),
    },
    name="share of A/A tests that are called significant",
)
alarms.round(3)

# %% tags=["hide-input"]
mc = np.sqrt(alarms * (1 - alarms) / n_coins)
run.record("days", DAYS)
run.record("coins", n_coins)
run.record("truth", truth)
for name, row in (("aa_once", 0), ("aa_weekly", 1), ("aa_daily", 2)):
    run.record(name, alarms.iloc[row], truth=0.05, kind="stochastic", mc_se=max(mc.iloc[row], 0.004))
run.claim("one look keeps its promise", abs(alarms.iloc[0] - 0.05) < 4 * np.sqrt(0.05 * 0.95 / n_coins))
run.claim("a look each week breaks it", alarms.iloc[1] > 0.05 + 5 * mc.iloc[1], weekly=alarms.iloc[1])
run.claim("a look each morning raises false alarms above weekly ones", alarms.iloc[2] > alarms.iloc[1] + 0.02)
run.claim("a look each morning is at least three times what was promised", alarms.iloc[2] > 0.15)

# %% [markdown]
# Looked at once, on the last day, {glue:text}`aa_once:.1%` of {glue:text}`coins:d` tests of nothing are called
# significant: the promise is kept. Looked at each week it is {glue:text}`aa_weekly:.1%`, each morning
# {glue:text}`aa_daily:.1%`. Nothing is wrong with any single p-value. What is wrong is to take the best of many.
#
# So the first answer is: Mara's morning proves little. We come back to {term}`peeking` once the test itself is
# sound.
#
# ## Plan: what is the unit, and how many of them?
#
# *The unit.* Mara throws the coin for users: a user who sees one list on Monday and another one on Tuesday would be
# in both arms. Then the user is what is independent, and the user is what counts.
#
# *The size.* A test of two means with $n_1$ and $n_0$ units has the error $\sigma\sqrt{1/n_1 + 1/n_0}$. It finds an
# effect $\delta$ with {term}`power` $1 - \beta$ if
#
# $$\delta = (z_{1-\alpha/2} + z_{1-\beta})\,\sigma\sqrt{1/n_1 + 1/n_0}.$$
#
# Read from left to right, that is the minimum detectable effect of a given size; solved for $n$, the size that an
# effect needs. $\sigma$ comes from a smaller pilot, or from last year's tests; here from another month of the shop.
# (Not from the A/A log: the new list has another variance than the old one.)


# %%
def of_users(log):
    """One row a user: sums over her sessions, her arm, and what was known before."""
    sums = log.groupby("user").agg(y=("consumed", "sum"), clicks=("clicked", "sum"), n=("consumed", "size"))
    return sums.join(log.groupby("user")[["assigned", *before]].first())


before = ["pre_sessions", "pre_clicks", "pre_found"]
pilot_log = shop.ab_test(OLD, NEW, seed=run.seeds(1, "pilot")[0], **design)
pilot = of_users(pilot_log)
people = len(pilot)
planned_se = ratio_metric(pilot["y"], pilot["n"], pilot["assigned"]).se
sd_user = planned_se * np.sqrt(people) / 2  # the error of a test in halves is 2 sd / sqrt(n)
sd_session = pilot_log["consumed"].std()
mde = experiments.minimum_detectable_effect(sd_user, people)
mde_wrong = experiments.minimum_detectable_effect(sd_session, SESSIONS)
chance = experiments.power(truth, sd_user, people)
needed = experiments.sample_size(truth / 2, sd_user)
assert np.isclose((norm.ppf(0.975) + norm.ppf(0.8)) * sd_user * np.sqrt(4 / people), mde, rtol=1e-3)
pd.Series({"users": mde, "sessions, as if independent": mde_wrong}, name="minimum detectable effect").round(4)

# %% tags=["hide-input"]
run.record("mde", mde, naive=mde_wrong)
run.record("mde_wrong", mde_wrong, truth=mde)
run.record("power", chance)
run.record("people", people)
run.record("needed", needed)
run.claim("counting sessions makes the test look sharper than it is", mde_wrong < 0.8 * mde)
run.claim("half the true effect is below what the test detects", truth / 2 < mde)
run.claim("the whole effect is above it, and not sure to be found", truth > mde and chance < 0.999, power=chance)

# %% [markdown]
# With {glue:text}`people:d` users Mara can hope to see an effect of {glue:text}`mde:.3f` purchases a session. Counted
# in sessions, the same log seems to promise {glue:text}`mde_wrong:.3f`; that promise will not be kept. The truth,
# which she doesn't know, is {glue:text}`truth:.3f`: her test finds it with a chance of {glue:text}`power:.0%`. For an
# effect half as large she would need {glue:text}`needed:d` users.
#
# ## Before any result: are the arms as large as planned?
#
# Rows get lost between the coin and the table: a slow page, a bot filter, a cache. If they are lost in one arm more
# than in the other, the arms are no longer alike, and no formula repairs that. The check is a chi-square test on the
# number of *users*. It is run on every test, so its alarm is set at a p-value of one in a thousand
# {cite:p}`fabijan2019diagnosing`. It takes for granted that each user has a coin of her own. The shop splits its
# users exactly in half instead, so its sound tests come nearer to equal arms than coins would.

# %%
trial = shop.ab_test(OLD, NEW, seed=run.seed, **design)
users = of_users(trial)
counts = users["assigned"].value_counts().sort_index().to_numpy()
split = sample_ratio(counts)
by_hand = ((counts - counts.sum() / 2) ** 2 / (counts.sum() / 2)).sum()
assert np.isclose(split.p_value, chi2.sf(by_hand, 1)) and not split.mismatch
print(f"{counts[0]} and {counts[1]} users came, p = {split.p_value:.2f}")

# %% [markdown]
# ## The answer, and its error
#
# Purchases a session is a ratio: all purchases over all sessions. Both are sums over users, and both are random. The
# {term}`delta method` writes the ratio as a mean of user-level terms. In an arm with ratio $R$, user $u$ with $Y_u$
# purchases in $N_u$ sessions adds
#
# $$\frac{Y_u - R N_u}{\bar N},$$
#
# and the error of $R$ is that of the mean of these terms {cite:p}`deng2018applying`. It is the same number that least
# squares on sessions gives when its errors are clustered by user. The ratio weighs users who come often more than
# others, and it answers Mara's question only if the list doesn't change how often people come. So test the sessions a
# user first.


# %%
def delta_residual(y, n):
    """What a user adds to the ratio sum y / sum n, beyond the ratio itself."""
    return (y - y.sum() / n.sum() * n) / n.mean()


def ratio_difference(y, n, t):
    """Difference of two ratios and its standard error, one row a user."""
    value, variance = 0.0, 0.0
    for sign, arm in ((1, t == 1), (-1, t == 0)):
        value += sign * y[arm].sum() / n[arm].sum()
        variance += np.var(delta_residual(y[arm], n[arm])) / arm.sum()
    return value, np.sqrt(variance * len(y) / (len(y) - 1))


found = ratio_metric(users["y"], users["n"], users["assigned"], planned=0.5, unit="purchases a session")
clustered = difference_in_means(trial["consumed"], trial["assigned"], clusters=trial["user"])
sessions = difference_in_means(trial["consumed"], trial["assigned"])
visits = difference_in_means(users["n"], users["assigned"])  # sessions a user
adjusted = ratio_metric(users["y"], users["n"], users["assigned"], users[before], planned=0.5)
assert np.allclose(ratio_difference(users["y"], users["n"], users["assigned"]), [found.value, found.se])
assert np.allclose([clustered.value, clustered.se], [found.value, found.se])
found

# %% tags=["hide-input"]
run.record("found", found, truth=truth, naive=sessions.high)
run.record("sessions", sessions, truth=truth)
run.record("adjusted", adjusted, truth=truth, naive=sessions.high)
run.record("visits", visits, truth=0.0)
run.claim("sessions a user differ by no more than chance", abs(visits.value) < 3.3 * visits.se)
run.claim("counting users makes the error larger by a quarter at least", found.se > 1.25 * sessions.se)
run.claim("CUPED makes the error of the ratio smaller", adjusted.se < found.se)

# %% [markdown]
# Sessions a user differ by {glue:text}`visits:.2f` (interval {glue:text}`visits.low:.2f` to
# {glue:text}`visits.high:.2f`). Purchases a session differ by {glue:text}`found:.3f`, interval
# {glue:text}`found.low:.3f` to {glue:text}`found.high:.3f`. As if sessions were independent, the error would be
# {glue:text}`sessions.se:.4f`; it is {glue:text}`found.se:.4f`. A user who buys much buys much in each of her
# sessions: the twentieth says less than the first.
#
# ## CUPED: take out what was known before
#
# Some users buy much under any list, and by chance one arm has more of them. What they did *before* the test says
# who. {cite:t}`deng2013improving` subtract what the past predicts:
#
# $$\hat\delta_{\text{CUPED}} = (\bar Y_1 - \bar Y_0) - \theta\,(\bar X_1 - \bar X_0), \qquad
# \theta = \frac{\operatorname{Cov}(Y, X)}{\operatorname{Var}(X)}.$$
#
# The coin makes the second bracket zero on average, so any fixed $\theta$ leaves the answer unbiased; one that is
# estimated does so up to a bias of order $1/n$. This one makes it sharpest: the variance falls by the factor
# $1 - \rho^2$, with $\rho$ the correlation of $Y$ and $X$ within an arm. How much is gained depends on the metric.


# %%
def cuped_by_hand(y, t, x):
    """Difference in means less theta times the difference in x; theta and rho within the arms."""
    inside_y, inside_x = (column - column.groupby(t).transform("mean") for column in (y, x))
    theta = (inside_x @ inside_y) / (inside_x @ inside_x)
    gaps = [column[t == 1].mean() - column[t == 0].mean() for column in (y, x)]
    return gaps[0] - theta * gaps[1], np.corrcoef(inside_y, inside_x)[0, 1]


sums = difference_in_means(users["y"], users["assigned"])
single = cuped(users["y"], users["assigned"], users[["pre_sessions"]])
sums_cuped = cuped(users["y"], users["assigned"], users[before])  # the three columns that `adjusted` has
value_by_hand, correlation = cuped_by_hand(users["y"], users["assigned"], users["pre_sessions"])
assert np.isclose(value_by_hand, single.value)
assert np.isclose((single.se / sums.se) ** 2, 1 - correlation**2, rtol=0.02)
kept = pd.DataFrame(
    {
        "plain": [sums.se, found.se],
        "CUPED": [sums_cuped.se, adjusted.se],
        "variance left": [(sums_cuped.se / sums.se) ** 2, (adjusted.se / found.se) ** 2],
    },
    index=["purchases a user", "purchases a session"],
)
kept.round(4)

# %% tags=["hide-input"]
run.record("left_user", kept.loc["purchases a user", "variance left"], naive=1.0)
run.record("left_session", kept.loc["purchases a session", "variance left"], naive=1.0)
run.record("correlation", correlation)
run.claim("less than half of the variance of sums is left", kept["variance left"].iloc[0] < 0.5)
run.claim("CUPED saves more on sums than on ratios", kept["variance left"].iloc[0] < kept["variance left"].iloc[1])

# %% [markdown]
# For purchases a *user*, {glue:text}`left_user:.0%` of the variance is left: most of the noise was how often somebody
# comes, and the past knows that. For purchases a *session*, which has the visits divided out, it is
# {glue:text}`left_session:.0%`. {cite:t}`deng2013improving` report about half for Bing. Ask what your metric's past
# predicts before you plan with a number from somebody else's shop.
#
# The column must come from *before* the coin. One that the treatment moves takes part of the effect out.
#
# ## Held against the truth
#
# One trial can be luck, so run the same test in other months of the same shop.

# %%
n_trials = run.size(ci=60, full=400)
columns = ["user", "period", "assigned", "consumed", "clicked", *before]
trials = [
    shop.ab_test(OLD, NEW, seed=seed, **design)[columns]
    for seed in run.progress(run.seeds(n_trials, "trials"), "trials")
]


def answers(log):
    """The three answers to one trial."""
    u = of_users(log)
    return {
        "sessions as if independent": difference_in_means(log["consumed"], log["assigned"]),
        "delta method, users": ratio_metric(u["y"], u["n"], u["assigned"], planned=0.5, refuse="flag"),
        "delta method and CUPED": ratio_metric(u["y"], u["n"], u["assigned"], u[before]),
    }


def table(runs, truth):
    """Over trials: bias, scatter, the error that is reported, and how often the interval holds the truth."""
    rows = {}
    for name in runs[0]:
        values = np.array([r[name].value for r in runs])
        rows[name] = {
            "bias": values.mean() - truth,
            "bias, MC error": values.std(ddof=1) / np.sqrt(len(runs)),
            "scatter": values.std(ddof=1),
            "reported error": np.mean([r[name].se for r in runs]),
            "coverage": np.mean([r[name].covers(truth) for r in runs]),
        }
    return pd.DataFrame(rows).T


answered = [answers(log) for log in trials]
held = table(answered, truth)
held.round(4)

# %% tags=["hide-input"]
naive_row, delta_row, cuped_row = (held.loc[name] for name in answered[0])
one_in = np.sqrt(0.05 * 0.95 / n_trials)
run.record("trials", n_trials)
run.record("coverage_mc", one_in)
for name, row in (("sessions", naive_row), ("delta", delta_row), ("cuped", cuped_row)):
    share = row["coverage"]
    noise = np.sqrt(max(share * (1 - share), 0.02) / n_trials)
    run.record(f"coverage_{name}", share, truth=0.95, kind="stochastic", mc_se=noise)
run.record("bias", delta_row["bias"], truth=0.0, kind="stochastic", mc_se=delta_row["bias, MC error"])
sound_p = [sample_ratio(log.groupby("assigned")["user"].nunique().to_numpy()).p_value for log in trials]
run.claim("sound tests of the shop are split more evenly than by coins",
          np.mean(sound_p) > 0.5 + 4 / np.sqrt(12 * n_trials), mean_p=np.mean(sound_p))  # fmt: skip
saved = np.array([r["delta method and CUPED"].se - r["delta method, users"].se for r in answered])
run.claim("the delta method is unbiased, up to chance", abs(delta_row["bias"]) < 3.3 * delta_row["bias, MC error"])
run.claim("intervals of users hold the truth about as often as they claim",
          min(delta_row["coverage"], cuped_row["coverage"]) > 0.95 - 3.3 * one_in)  # fmt: skip
run.claim(
    "intervals of sessions miss too often", naive_row["coverage"] < 0.95 - 2 * one_in, held=naive_row["coverage"]
)
of_sessions = nothing["consumed"].std() * np.sqrt(4 / SESSIONS)  # the error in A/A tests, as if sessions were free
aa_sessions = np.mean(np.abs(value[:, -1]) > 1.96 * of_sessions)
run.record("aa_sessions", aa_sessions, truth=0.05, kind="stochastic", mc_se=0.009)
run.claim("counted in sessions, one look at nothing alarms twice too often", aa_sessions > 0.1, share=aa_sessions)
run.claim("CUPED's error is smaller in every trial", (saved < 0).all())

# %% [markdown]
# Over {glue:text}`trials:d` trials the interval of users holds the truth in {glue:text}`coverage_delta:.0%`, with
# CUPED in {glue:text}`coverage_cuped:.0%`; chance moves such a share by about {glue:text}`coverage_mc:.0%`. The
# interval of sessions holds it in {glue:text}`coverage_sessions:.0%`. In the A/A tests, with one look on the last
# day, counting sessions calls {glue:text}`aa_sessions:.0%` of nothing significant. Same numbers, same coin, and an
# error for an experiment that nobody ran.
#
# ## Peeking, exactly
#
# How bad is it to look $K$ times? For looks after equal parts of the data the answer is a number that needs no
# simulation. The statistic at look $k$ is a sum of $k$ independent normal terms over $\sqrt k$. Carry the density of
# the sum from look to look, and cut off, each time, what has already raised an alarm.
# {cite:t}`armitage1969repeated` computed such numbers in 1969.


# %%
def false_alarm(looks, points=201):
    """Chance that one of so many equally spaced looks at nothing is significant."""
    z = norm.ppf(0.975)
    node, weight = np.polynomial.legendre.leggauss(points)
    place, mass = z * node, norm.pdf(z * node) * z * weight
    for k in range(2, looks + 1):
        edge = z * np.sqrt(k)  # no alarm: the sum stays inside
        mass = norm.pdf(edge * node[:, None] - place) @ mass * edge * weight
        place = edge * node
    return 1 - mass.sum()


rungs = [1, 2, 5, 10, 20, 50, 100]
ladder = pd.DataFrame(
    {
        "exact": [false_alarm(k) for k in rungs],
        "as if independent": [1 - 0.95**k for k in rungs],
    },
    index=pd.Index(rungs, name="looks"),
)
assert np.allclose(ladder["exact"], [experiments.chance_of_an_alarm(k) for k in rungs])
ladder.round(3)

# %% tags=["hide-input"]
for k in rungs:
    run.record(f"looks_{k}", ladder.loc[k, "exact"], naive=ladder.loc[k, "as if independent"] if k > 1 else None)
run.record("looks_month", experiments.chance_of_an_alarm(DAYS), naive=1 - 0.95**DAYS)
twice = ladder.loc[10, "as if independent"] / ladder.loc[10, "exact"]
run.claim("for ten looks the rule of thumb is off by a factor of two", 1.8 < twice < 2.2, factor=twice)
month = experiments.chance_of_an_alarm(DAYS)
run.claim("the shop's A/A tests come near the integral", abs(alarms.iloc[2] - month) < 0.06, integral=month)

# %% [markdown]
# Ten looks make {glue:text}`looks_10:.1%`, a hundred make {glue:text}`looks_100:.1%`. A rule of thumb says
# $1 - (1 - \alpha)^{10}$ for ten looks. That would be right for ten separate tests. Looks at one growing pile of data
# are alike, so it is wrong, by a factor of two.
#
# For {glue:text}`days:d` looks the integral says {glue:text}`looks_month:.1%`; the shop's own A/A tests, in which
# users come again and days are uneven, said {glue:text}`aa_daily:.1%`.
#
# ## An interval for people who look
#
# One cure is discipline: one look, on the day that was planned. Another one is an interval that holds on *all* days
# together, a {term}`confidence sequence`. Take the likelihood ratio of an effect $\delta$ against none, and average
# it over effects drawn from $N(0, 1/\rho)$. While nothing is going on, this average is a fair game: with probability
# at least $1 - \alpha$ it never reaches $1/\alpha$ {cite:p}`howard2021time`. That holds with a known variance; with
# an estimated one it holds in large samples {cite:p}`waudbysmith2024time`. Solved for the effect, with information
# $I = 1/\text{se}^2$:
#
# $$\hat\delta \;\pm\; \frac{1}{I}\sqrt{(I + \rho)\,\log\frac{I + \rho}{\rho\,\alpha^2}}.$$
#
# $\rho$ decides when it is tightest against the ordinary interval, and has to be set before the test: here for the
# planned last day.
# {cite:t}`johari2022always` brought such intervals to A/B testing.


# %%
def radius(information, rho, alpha=0.05):
    """Half the width of the interval that may be looked at at any time."""
    total = information + rho
    return np.sqrt(total * np.log(total / (rho * alpha**2))) / information


aim = se[:, -1].mean()  # known before: the error hardly depends on the coin
tries = np.geomspace(0.01, 1, 4_000) / aim**2
rho = tries[np.argmin([radius(1 / aim**2, r) for r in tries])]
one = confidence_sequence(value[0], se[0], tightest=aim)
assert np.allclose(one["high"] - one["value"], radius(1 / se[0] ** 2, rho), rtol=1e-3)
looks, n_walks = np.arange(1, 101), run.size(ci=20_000, full=200_000)
walks = run.rng.standard_normal((n_walks, 100)).cumsum(axis=1)
never_out = np.mean((np.abs(value) > radius(1 / se**2, rho)).any(axis=1))
by_walks = np.mean((np.abs(walks) / looks > radius(looks, rho * aim**2 * 100)).any(axis=1))
wider = radius(1 / aim**2, rho) / (1.96 * aim)
pd.Series({"A/A tests, 28 looks": never_out, "random walks, 100 looks": by_walks}, name="false alarms").round(4)

# %% tags=["hide-input"]
show = 60
width = radius(1 / se.mean(axis=0) ** 2, rho) / se.mean(axis=0)
day = np.arange(1, DAYS + 1)
fig, ax = plt.subplots(figsize=(5.6, 4.4))
crossed = (np.abs(z[:show]) > 1.96).any(axis=1)
for path, out in zip(z[:show], crossed, strict=True):
    color = plots.COLORS["accent" if out else "ink"]
    ax.plot(day, path, color=color, linewidth=1.4 if out else 0.6, alpha=0.9 if out else 0.35)
    if out:
        at = np.argmax(np.abs(path) > 1.96)
        ax.plot(day[at], path[at], "o", color=color, markersize=7)
for side in (-1, 1):
    ax.axhline(side * 1.96, color=plots.COLORS["accent"], linestyle="--", linewidth=1.6)
    ax.plot(day, side * width, color=plots.COLORS["estimate"], linewidth=2.6)
ax.text(DAYS, width[-1] + 0.15, "confidence sequence", ha="right", va="bottom", color=plots.COLORS["estimate"])
ax.text(
    DAYS, -width[-1] - 0.15, "dashed: one look, at five per cent", ha="right", va="top", color=plots.COLORS["accent"]
)
ax.set(xlim=(1, DAYS), ylim=(-5, 5), xlabel="day of the test", ylabel="difference, in standard errors")
plots.show(
    fig,
    alt="Sixty paths of a test statistic over the days of tests in which both arms get the same list. Two dashed "
    "lines at the usual limits; the paths that leave them at any time are drawn bold, with a dot where they "
    "do. Two solid curves lie farther out, widest on the first days.",
    caption="Tests of nothing against nothing. Bold paths leave the dashed lines on some morning, at the dot, and "
    "would have been shipped. The solid curves are the limits of the confidence sequence, made to be looked at "
    "every day.",
)
run.record("sequence_aa", never_out, naive=alarms.iloc[2], kind="stochastic", mc_se=0.003)
run.record("sequence_walks", by_walks, naive=ladder.loc[100, "exact"], kind="stochastic", mc_se=0.001)
run.record("wider", wider)
run.record("live", experiments.always_valid(found, tightest=planned_se), truth=truth, naive=found.low)
run.claim("the sequence keeps its promise in both", max(never_out, by_walks) < 0.05, shop=never_out, walks=by_walks)
run.claim("it costs at most seven tenths more width at the planned end", 1.3 < wider < 1.7, wider=wider)

# %% [markdown]
# Of the same A/A tests, {glue:text}`sequence_aa:.1%` ever leave it, looked at every morning; of random walks with a
# hundred looks, {glue:text}`sequence_walks:.1%`. The price is width: at the planned end it is {glue:text}`wider:.2f`
# times as wide as the ordinary interval. Who looks once should not pay it. A *group sequential* plan, with few looks
# fixed beforehand, lies in between.
#
# On the last day of Mara's real test, the sequence's interval (`experiments.always_valid`) is
# {glue:text}`live.low:.3f` to {glue:text}`live.high:.3f`; once some hundreds of users have come, it is as honest on
# any morning before.
#
# ## Several metrics
#
# Look at purchases and clicks in each of the shop's segments, and there are many tests in one. In A/A tests, that
# costs what looking costs.

# %%
segment = shop.users["segment"].to_numpy()
kinds = np.unique(segment)
clicks = by_day(nothing, "clicked")
last = [
    running(coins[:, segment == kind], *(table[segment == kind, -1:].astype(float) for table in (outcome, came)))
    for kind in kinds
    for outcome in (bought, clicks)
]
p = 2 * norm.sf(np.abs(np.column_stack([value / error for value, error in last])))
any_raw, any_holm = (np.mean(p.min(axis=1) < 0.05 / k) for k in (1, p.shape[1]))  # Holm's first step
click = ratio_metric(users["clicks"], users["n"], users["assigned"])
pd.Series({"uncorrected": any_raw, "Holm": any_holm}, name="trials of nothing with a significant test").round(3)

# %% tags=["hide-input"]
true_click = shop.truth.ab_effect(OLD, NEW, arrivals="activity", outcome="clicked")
run.record("metrics", p.shape[1])
run.record("any_raw", any_raw, truth=0.05, kind="stochastic", mc_se=0.012)
run.record("any_holm", any_holm, naive=any_raw, kind="stochastic", mc_se=0.006)
run.record("click", click, truth=true_click, naive=found.value)
run.claim("uncorrected, one of the tests alarms more than twice too often", any_raw > 0.12, share=any_raw)
run.claim("corrected, it doesn't", any_holm < 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_coins), share=any_holm)
run.claim("clicks fall and purchases rise, in truth", true_click < -0.01 and truth > 0.05)
finds = np.mean([ratio_metric(u["clicks"], u["n"], u["assigned"]).high < 0 for u in map(of_users, trials)])
run.record("click_found", finds, kind="stochastic", mc_se=max(np.sqrt(finds * (1 - finds) / n_trials), 0.02))
run.claim("most trials don't find the fall of clicks", finds < 0.5, share=finds)

# %% [markdown]
# With {glue:text}`metrics:d` tests (two metrics, in each segment), {glue:text}`any_raw:.0%` of the trials of nothing
# have one that is significant; after Holm's correction, {glue:text}`any_holm:.1%`. The correction is the easy part.
# The hard one: in this shop the two metrics *disagree*. In truth the new list earns {glue:text}`truth:.3f` purchases
# a session more, and {glue:text}`click.truth:.3f` clicks. A trial of this size mostly can't see that: on clicks this
# one says {glue:text}`click:.3f` ({glue:text}`click.low:.3f` to {glue:text}`click.high:.3f`), and of all trials
# {glue:text}`click_found:.0%` find the fall. Popular items get clicked, and would have been bought anyway. Which
# metric decides has to be written down before the test. Afterwards, each side will find its own.
#
# ## When it breaks
#
# **The split is broken, and nobody looked.** Suppose the new page loses every user who doesn't click once in the
# whole month, and the old one loses nobody. All else is as before. How often the check flags such a log is counted
# with real coins: as many users as in the trials, and in each arm the share of them that is kept there.


# %%
def lossy(log, arms):
    """The trial as logged where the pages of these arms lose users who don't click once in the month."""
    clicked = log.groupby("user")["clicked"].transform("sum") > 0
    return log[~log["assigned"].isin(arms) | clicked]


def flagged(kept, tests=20_000):
    """Share of tests with real coins that the check flags, if arms 0 and 1 keep these shares of their users."""
    new = run.rng.binomial(people, 0.5, tests)
    left = np.column_stack([run.rng.binomial(people - new, kept[0]), run.rng.binomial(new, kept[1])])
    return np.mean(chi2.sf((left[:, 1] - left[:, 0]) ** 2 / left.sum(axis=1), 1) < 0.001)


broken, clicking = [], []
for log in trials:
    one, both = (of_users(lossy(log, arms)) for arms in ([1], [0, 1]))
    clicking.append(both.groupby("assigned").size() / of_users(log).groupby("assigned").size())
    broken.append({
        name: ratio_metric(u["y"], u["n"], u["assigned"], planned=0.5, refuse="flag")
        for name, u in (("new page lossy", one), ("both pages lossy", both))
    })  # fmt: skip
ignored = table(broken, truth)
who_clicks = np.mean(clicking, axis=0)
ignored["flagged"] = [flagged([1.0, who_clicks[1]]), flagged(who_clicks)]
caught, caught_both, none_lost = *ignored["flagged"], flagged([1.0, 1.0])
ignored.round(4)

# %% tags=["hide-input"]
run.record("lossy", ignored["bias"].iloc[0] + truth, truth=truth, kind="stochastic",
           mc_se=ignored["bias, MC error"].iloc[0])  # fmt: skip
run.record("lossy_coverage", ignored["coverage"].iloc[0], truth=0.95, kind="stochastic", mc_se=0.05)
run.record("lossy_caught", caught, kind="stochastic", mc_se=0.003)
run.record("both_caught", caught_both, kind="stochastic", mc_se=0.005)
run.record("sound_caught", none_lost, truth=0.001, kind="stochastic", mc_se=0.0003)
run.claim("of sound tests it flags about one in a thousand", abs(none_lost - 0.001) < 0.001, share=none_lost)
run.record("both", ignored["bias"].iloc[1] + truth, truth=truth, kind="stochastic",
           mc_se=ignored["bias, MC error"].iloc[1])  # fmt: skip
run.claim("and the answer is off all the same", ignored["bias"].iloc[1] > 4 * ignored["bias, MC error"].iloc[1])
run.claim("the check is mostly silent when both pages lose users", caught_both < 0.3, caught=caught_both)
run.claim("the lossy log overstates", ignored["bias"].iloc[0] > 5 * ignored["bias, MC error"].iloc[0])
run.claim("its interval misses more often than a sound one", ignored["coverage"].iloc[0] < 0.95 - 3.3 * one_in)
run.claim("the sample ratio catches it in nearly every trial", caught > 0.9, caught=caught)

# %% [markdown]
# The lossy log says {glue:text}`lossy:.3f` on average, where the truth is {glue:text}`lossy.truth:.3f`; its interval
# holds the truth in {glue:text}`lossy_coverage:.0%` of the trials. The check of the sample ratio, which knows nothing
# of purchases, flags {glue:text}`lossy_caught:.0%` of such tests, and {glue:text}`sound_caught:.1%` of sound ones. If
# both pages lose such users, it flags {glue:text}`both_caught:.1%`, and the answer is still off, at
# {glue:text}`both:.3f`: who never clicks is also what the list decides. Equal sizes are no proof that nobody was
# lost.
#
# **The new wears off.** People try what is new because it is new. The shop has no such effect, so we add one, in
# plain sight: an extra purchase in the new arm, with a chance that falls by the day of the test, whenever a user
# first comes. What Mara wants to know is what stays.


# %%
def with_novelty(log, rng, at_first=0.4, fades_in=4.0):
    """The trial with an extra purchase in arm 1 that fades within days."""
    extra = rng.uniform(size=len(log)) < at_first * np.exp(-log["period"] / fades_in) * log["assigned"]
    return log.assign(consumed=log["consumed"] + extra)


novel = []
for log in trials:
    fresh = with_novelty(log, run.rng)
    week = fresh["period"] // 7
    novel.append({f"week {w + 1}": difference_in_means(*(fresh.loc[week == w, c] for c in ("consumed", "assigned")),
                  clusters=fresh.loc[week == w, "user"]) for w in range(4)} | {
        "all weeks": difference_in_means(fresh["consumed"], fresh["assigned"], clusters=fresh["user"])})  # fmt: skip
weekly = table(novel, truth)
weekly.round(4)

# %% tags=["hide-input"]
for name, row in (("novel_all", "all weeks"), ("novel_first", "week 1"), ("novel_last", "week 4")):
    run.record(name, weekly.loc[row, "bias"] + truth, truth=truth, kind="stochastic",
               mc_se=weekly.loc[row, "bias, MC error"])  # fmt: skip
run.claim("all weeks together overstate what stays", weekly.loc["all weeks", "bias"] > 0.03)
run.claim("the last week doesn't, up to chance and a rest",
          abs(weekly.loc["week 4", "bias"]) < 0.005 + 3.3 * weekly.loc["week 4", "bias, MC error"])  # fmt: skip
run.claim("the last week alone is less sharp", weekly.loc["week 4", "scatter"] > weekly.loc["all weeks", "scatter"])

# %% [markdown]
# Averaged over all weeks, the test says {glue:text}`novel_all:.3f`; its first week says {glue:text}`novel_first:.3f`,
# its last one {glue:text}`novel_last:.3f`. What stays is {glue:text}`truth:.3f`. Plot the effect by week, and let the
# test run long enough that the last weeks alone can answer.
#
# **Users are not alone.** All of this took for granted that one user's list does nothing to another user. Now let
# friends talk: switch on {term}`interference` in the shop, at strength {glue:text}`strength:.1f`. An item that
# friends were shown sells better. The popular list shows everybody the same items, so it has friends talking about
# one thing; the new ranker shows each user something else.

# %%
STRENGTH = 0.3
talking = make_world(interference=STRENGTH)
true_total = talking.truth.ab_effect(OLD, NEW, outcome="consumed")
n_talks = run.size(ci=6, full=60)
units = {"users": ("user", "user"), "communities": ("cluster", "community"), "days": ("switchback", "period")}
rows = []
for name, (unit, label) in units.items():
    for seed in run.seeds(n_talks, f"talking, {name}"):
        log = talking.ab_test(OLD, NEW, unit=unit, n=6_000, periods=60, seed=seed)
        found_there = difference_in_means(log["consumed"], log["assigned"], clusters=log[label])
        rows.append((name, found_there.value, found_there.se, found_there.covers(true_total)))
talks = pd.DataFrame(rows, columns=["coin for", "value", "se", "covers"])
by_unit = talks.groupby("coin for", sort=False).agg(
    mean=("value", "mean"), mc_error=("value", "sem"), error=("se", "mean"), coverage=("covers", "mean")
)
by_unit.round(4)

# %% tags=["hide-input"]
mean_error, gap = by_unit["mc_error"], (by_unit["mean"] - true_total).abs()
run.record("strength", STRENGTH)
run.record("talks", n_talks)
for name, row in (("talk_users", "users"), ("talk_clusters", "communities"), ("talk_days", "days")):
    run.record(name, by_unit.loc[row, "mean"], truth=true_total, kind="stochastic", mc_se=mean_error[row])
    run.record(f"{name}_mc", mean_error[row], kind="stochastic", mc_se=mean_error[row] / 2)
run.record("talk_truth", true_total, naive=by_unit.loc["users", "mean"])
run.claim(
    "coins for users have the wrong sign", by_unit.loc["users", "mean"] > 3 * mean_error["users"] and true_total < 0
)
run.claim("communities have the right sign, and most of the size", gap["communities"] < 0.5 * abs(true_total))
run.claim("days come nearer than communities", gap["days"] < gap["communities"], days=gap["days"])
run.claim("communities leave a bias", gap["communities"] > 2 * mean_error["communities"], gap=gap["communities"])

# %% [markdown]
# If everybody got the new list, purchases a session would change by {glue:text}`talk_truth:.3f`. The test with coins
# for users says {glue:text}`talk_users:.3f` ± {glue:text}`talk_users_mc:.3f` (mean over {glue:text}`talks:d` trials
# and its Monte-Carlo error): ship, and lose. In both of its arms half of the friends still see the popular list; it
# compares two worlds that are both half and half. Coins for communities of friends say {glue:text}`talk_clusters:.3f`
# ± {glue:text}`talk_clusters_mc:.3f`. They mend most of it, and not all: some friends live in other communities.
# Coins for days, a {term}`switchback`, say {glue:text}`talk_days:.3f` ± {glue:text}`talk_days_mc:.3f`. Here nothing
# carries over from day to day. Where it does, a switchback is biased in turn.
#
# No interval warned of this. The error of a design that measures the wrong thing is as small as any.
#
# ## Interleaving: another coin for another question
#
# Show both rankings on *one* page: in each round both pick their best item that is left, and a coin says who picks
# first ({term}`interleaving`, in its form *team draft*, {cite:t}`radlinski2008how`). A click is credited to whoever
# picked the item. Each session is then its own control, and the differences between users drop out.

# %%
n_pages, everyone = 6_000, np.arange(len(shop.users))
rng = run.rng
visitor = rng.integers(0, len(everyone), n_pages)
look = shop.truth.examination(np.arange(1, 6))  # chance that a place on the page is looked at
ranked = {
    name: np.argsort(-shop.policy(name, temperature=1.0).probabilities(everyone), axis=1, kind="stable")[:, :5]
    for name in (OLD, NEW, "consumption")
}


def click_chances(lists):
    """Chance of a click on each place: it is looked at, and the item is wanted."""
    pairs = pd.DataFrame({"user": np.repeat(visitor, 5), "item": lists.ravel()})
    return shop.truth.pairs(pairs)["p1"].to_numpy().reshape(lists.shape) * look


def compare(a, b):
    """Interleaved pages and an A/B test with as many sessions: estimates, and what a full switch would change."""
    first, second = ranked[a][visitor], ranked[b][visitor]
    mixed, teams = experiments.team_draft(first, second, rng=rng)
    credit = experiments.interleaving_credit(
        rng.uniform(size=mixed.shape) < click_chances(mixed), teams, clusters=visitor
    )
    arm = rng.permutation(everyone % 2)[visitor]
    chances = [click_chances(first), click_chances(second)]
    clicks = (rng.uniform(size=first.shape) < np.where(arm[:, None] == 1, chances[1], chances[0])).sum(axis=1)
    split = difference_in_means(clicks, arm, clusters=visitor)
    return credit, split, float((chances[1] - chances[0]).sum(axis=1).mean())


# %%
pairs = {"most bought against popular": compare(OLD, "consumption"), "new against popular": compare(OLD, NEW)}
pd.DataFrame(
    {
        name: {
            "interleaving, clicks a session": credit.value, "in errors": credit.value / credit.se,
            "A/B test, clicks a session": split.value, "in errors ": split.value / split.se,
            "a full switch, exactly": switch,
        }
        for name, (credit, split, switch) in pairs.items()
    }
).T.round(3)  # fmt: skip

# %% tags=["hide-input"]
(credit_easy, split_easy, _), (credit_new, split_new, switch_new) = pairs.values()


def expected_credit(a, b, repeats=20):
    """Expected credit a session, averaged over the captains' coins; no click is drawn."""
    totals = []
    for _ in range(repeats):
        mixed, teams = experiments.team_draft(ranked[a][visitor], ranked[b][visitor], rng=rng)
        totals.append((click_chances(mixed) * (2 * teams - 1)).sum(axis=1).mean())
    return np.mean(totals), np.std(totals) / np.sqrt(repeats)


credit_true, credit_noise = expected_credit(OLD, NEW)
gain = (credit_easy.value / credit_easy.se) / (split_easy.value / split_easy.se)
run.record("credit_easy", credit_easy)
run.record("split_easy", split_easy)
run.record("credit_z", credit_easy.value / credit_easy.se)
run.record("split_z", split_easy.value / split_easy.se)
run.record("gain", gain, naive=1.0)
run.record("gain_sessions", gain**2, naive=1.0)
run.claim("interleaving is worth less than twice as many sessions", gain**2 < 2, gain=gain)
run.record("credit_new", credit_new, truth=credit_true)
run.record("switch_new", switch_new, naive=credit_true)
run.claim("a full switch would gain clicks, and interleaving hardly sees it", switch_new > 3 * abs(credit_true))
run.claim("its expected credit is known well enough to say so", credit_noise < 0.2 * switch_new, noise=credit_noise)
run.claim("interleaving's number is smaller, too", credit_easy.high < split_easy.low)
run.claim("interleaving's error is less than half of the A/B test's", credit_easy.se < 0.5 * split_easy.se)

# %% [markdown]
# With the same sessions, interleaving's error is {glue:text}`credit_easy.se:.3f`, the A/B test's
# {glue:text}`split_easy.se:.3f`. But its number is smaller, too: items that both lists share are credited to chance,
# and good items of one list displace those of the other. Against the list of most-bought items, popular loses by
# {glue:text}`credit_z:.1f` errors here, and by {glue:text}`split_z:.1f` in the A/B test. So in this shop interleaving
# is worth less than twice as many sessions of the A/B test: here {glue:text}`gain_sessions:.1f` times. In web search
# {cite:t}`chapelle2012large` found interleaving far more sensitive.
#
# The second row is a warning. A full switch from popular to new would gain {glue:text}`switch_new:.3f` clicks a page.
# (The lists here are the top five of each ranking. The A/B test above drew *one* item, often from far down; so its
# effect on clicks is another number, even in sign.) The expected credit is {glue:text}`credit_new.truth:.3f`.
# Interleaving asks which *items* win when both compete for one page. It is no estimate of what a switch would do, not
# even in clicks, and says nothing of purchases that would have happened anyway. Use it to drop the weakest of many
# candidates early, and an A/B test to decide.
#
# ## A real archive: headlines
#
# Upworthy tested headlines for two years, and published the tests {cite:p}`matias2021upworthy`. Later the authors
# found that for half a year the split had likely not been random, probably because a cache served one arm at a time.
# They advise to leave those weeks out ([their
# report](https://upworthy.natematias.com/2024-06-upworthy-archive-update.html)). Would the chi-square test have told
# them?

# %%
arms = data.load_optional("upworthy")
if arms is not None:
    each = arms.groupby("test_id")["impressions"].agg(["sum", "count", lambda x: (x**2).sum()])
    total, k, squares = (each[c].to_numpy(float) for c in each)
    p_split = chi2.sf(squares * k / total - total, k - 1)  # equal shares; `sample_ratio` for all tests at once
    week = arms.groupby("test_id")["test_week"].first()
    when = pd.cut(week, [0, 201324, 201402, 300000], labels=["before", "weeks of the caution", "after"])
    bad = pd.DataFrame({"tests": 1, "mismatch": p_split < 0.001}, index=each.index).groupby(when, observed=True)
    by_period = bad.agg({"tests": "sum", "mismatch": "mean"})
    first_week = p_split[week.to_numpy() == 201325] < 0.001
    one_test = sample_ratio(arms.loc[arms["test_id"] == each.index[0], "impressions"])
    assert np.isclose(one_test.p_value, p_split[0])
    print("share of tests whose arms do not have the planned sizes:", by_period.round(3), sep="\n")


def digits(table):
    """Click rate of headlines with a digit minus the others: all arms pooled, and within tests that have both."""
    table = table[table["impressions"] > 0].assign(digit=table["headline"].str.contains(r"\d").astype(int))
    sums = table.groupby("digit")[["clicks", "impressions"]].sum()
    pooled = (sums["clicks"] / sums["impressions"]).diff().iloc[-1]
    both = table.pivot_table(["clicks", "impressions"], "test_id", "digit", aggfunc="sum").dropna()
    rates = both["clicks"] / both["impressions"]
    gap = rates[1] - rates[0]  # one number a test: the coin was thrown there
    return {"pooled": pooled, "within tests": gap.mean(), "its error": gap.std() / np.sqrt(len(gap))}


if arms is not None:
    compared = {"all weeks": digits(arms), "without the caution": digits(arms[~arms["randomization_suspect"]])}
    print("clicks in a thousand, digit minus none:", (1000 * pd.DataFrame(compared).T).round(2), sep="\n")

# %% tags=["hide-input"]
if arms is not None:
    share = by_period["mismatch"]
    whole, sound = compared.values()
    for name, row in (("srm_before", "before"), ("srm_caution", "weeks of the caution"), ("srm_after", "after")):
        run.record(name, share[row], naive=0.001, optional=True)
    for name, row in (("digit_all", whole), ("digit_sound", sound)):
        run.record(name, row["within tests"], naive=row["pooled"], optional=True)
        run.record(f"{name}_pooled", row["pooled"], optional=True)
        run.record(f"{name}_se", row["its error"], optional=True)
    run.claim("most tests of the cautioned weeks are broken", share["weeks of the caution"] > 0.5)
    run.claim("most tests of their first week, too", first_week.mean() > 0.5, share=first_week.mean())
    run.claim("few before them, and hardly any after", share["before"] < 0.05 and share["after"] < 0.01)
    run.claim("but more before them than chance", share["before"] > 0.01, before=share["before"])
    run.record("srm_first_week", first_week.mean(), naive=0.001, optional=True)
    run.claim("in the whole archive the sign flips", whole["within tests"] > 0 > whole["pooled"])
    run.claim(
        "without those weeks both are positive, and the pooled one is less than half",
        0 < sound["pooled"] < 0.5 * sound["within tests"],
    )
    run.claim(
        "within tests headlines with a digit did better, in both",
        min(r["within tests"] / r["its error"] for r in (whole, sound)) > 2,
    )
    course.say(
        f"In the weeks of the caution {share['weeks of the caution']:.0%} of the tests fail the check at "
        f"one in a thousand, in the first of these weeks {first_week.mean():.0%}; before them it is "
        f"{share['before']:.1%}, after them {share['after']:.1%}. The same line of code, run on each test, would "
        "have said so in the first week.\n\n"
        "The second lesson is about comparing what the coin didn't. Throw all arms of the archive together, and "
        f"headlines with a digit have {1000 * whole['pooled']:+.2f} clicks in a thousand against the others. Within "
        f"the tests that have both kinds it is {1000 * whole['within tests']:+.2f} (error "
        f"{1000 * whole['its error']:.2f}): the sign flips. Without the weeks of the caution the pooled number is "
        f"{1000 * sound['pooled']:+.2f}, the one within tests {1000 * sound['within tests']:+.2f} (error "
        f"{1000 * sound['its error']:.2f}). The flip is gone, the gap is not: which stories got a digit was no coin. "
        "The comparison within tests hardly moved. It is an experiment on packages of headline, picture and text: "
        "headlines with a digit did better in it; not that the digit did it."
    )

# %% [markdown]
# ## What this means for a language-model recommender
#
# - *The cache is part of the coin.* Answers of a language model are cached, because they are dear. A cache keyed
#   without the arm serves one arm's answer to both: the mistake in the headline archive. Test the sample ratio on
#   users, and log which prompt and which model version wrote each answer.
# - *The judge's score is a metric, not the outcome.* A model that grades recommendations is quick and reads only the
#   page. In this shop even clicks and purchases disagree. Write down which one decides.
# - *Slow arms lose users.* A re-ranker that takes seconds loses impatient users before they are logged. That is a
#   sample ratio mismatch with a cause, and the error it makes can have the size of the effect that you look for.
# - *Users are not alone.* If the model is tuned on the clicks of both arms, each arm learns from the other, and the
#   test compares two mixtures. Split the training logs as you split the users.
#
# ## Exercises
#
# ### Exercise 1: how many users
#
# An effect of `effect` shall be found with chance `power` by a two-sided test at five per cent, half of the users in
# each arm; a user's outcome has the standard deviation `sd`. Return the number of users in *both* arms together, not
# rounded. <details><summary>Hint</summary>Solve the formula of the plan for n, with n/2 users in each arm.</details>


# %% tags=["exercise"]
def users_needed(effect, sd, power):
    """Return how many users both arms need together."""
    # BEGIN SOLUTION
    quantiles = norm.ppf(0.975) + norm.ppf(power)
    return 4 * (quantiles * sd / effect) ** 2
    # END SOLUTION


# %% tags=["check"]
check("recommenders/04.1", users_needed)

# %% [markdown]
# ### Exercise 2: three arms, unequal shares
#
# A test gives the arms the shares `shares`, which add up to one. `counts` users were found in them. Return the
# p-value of the chi-square test of the sample ratio.
# <details><summary>Hint</summary>Compare each count with its own expectation; three arms leave two degrees of
# freedom.</details>


# %% tags=["exercise"]
def split_p_value(counts, shares):
    """Return the p-value of the sample ratio."""
    # BEGIN SOLUTION
    expected = counts.sum() * shares
    return chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)
    # END SOLUTION


# %% tags=["check"]
check("recommenders/04.2", split_p_value)

# %% [markdown]
# ### Exercise 3: a planted error in CUPED
#
# A colleague's function runs, and its answers are not even in the right unit. Find the mistake and mend it. The slope
# shall be taken over all users together, as hers is.
#
# ```python
# def adjusted_difference(y, x, t):
#     theta = np.var(x) / np.cov(y, x, ddof=0)[0, 1]
#     rest = y - theta * (x - x.mean())
#     return rest[t == 1].mean() - rest[t == 0].mean()
# ```
#
# <details><summary>Hint</summary>If y is in euros and x in visits, what is the unit of theta, and what must it
# be?</details>


# %% tags=["exercise"]
def adjusted_difference(y, x, t):
    """Return the difference in means after CUPED, with one slope for all users."""
    # BEGIN SOLUTION
    theta = np.cov(y, x, ddof=0)[0, 1] / np.var(x)
    rest = y - theta * (x - x.mean())
    return rest[t == 1].mean() - rest[t == 0].mean()
    # END SOLUTION


# %% tags=["check"]
check("recommenders/04.3", adjusted_difference)

# %% [markdown]
# ### Exercise 4: the first morning that counts
#
# `values` and `ses` are the estimate and its error on each morning; `rho` was set before the test. Return the number
# of the first morning (the first one is 1) on which the confidence sequence at $\alpha = 1/20$ leaves out zero, or 0
# if there is none. <details><summary>Hint</summary>The information is one over the squared error. Which mornings have
# an absolute value above the radius?</details>


# %% tags=["exercise"]
def first_morning(values, ses, rho):
    """Return the first morning on which the sequence leaves out zero, or 0."""
    # BEGIN SOLUTION
    information = 1 / ses**2
    total = information + rho
    out = np.abs(values) > np.sqrt(total * np.log(total / (rho * 0.05**2))) / information
    return int(out.argmax()) + 1 if out.any() else 0
    # END SOLUTION


# %% tags=["check"]
check("recommenders/04.4", first_morning)

# %% [markdown]
# ## Quiz

# %% tags=["quiz"]
quiz(
    "The coin was thrown for users. On which rows may the error be computed as if they were independent?",
    {
        "Sessions, since there are more of them": (False, "Sessions of a user share her taste, and her arm."),
        "Users": (True, "They are what the coin was thrown for."),
        "Days, since each has its own noise": (False, "Each user is in one arm on all days; days have no coin here."),
    },
)

# %% tags=["quiz"]
quiz(
    "Both arms should have half of the users. The chi-square test has a p-value of .0001. What now?",
    {
        "Weight the arms so that they have equal size": (
            False,
            "Who is missing isn't known; equal weights don't bring them back.",
        ),
        "Go on: the effect is far more significant than the split": (
            False,
            "A broken split makes effects of any size. The lossy log did.",
        ),
        "Stop, find out where users were lost, and count no result until then": (
            True,
            "The arms are not alike any more; the cause decides whether anything can be saved.",
        ),
    },
)

# %% tags=["quiz"]
quiz(
    "Friends talk. A test with coins for users finds a gain, with a narrow interval. What does that say of a switch "
    "for everybody?",
    {
        "Little: in both arms half of the friends see either list": (
            True,
            "The estimate is sharp, for a mixture that nobody wants.",
        ),
        "It will be a gain, though perhaps of another size": (False, "In the shop even the sign was wrong."),
        "The same, if there are enough users": (False, "More users make the wrong number sharper."),
    },
)

# %% [markdown]
# ## Takeaways
#
# - Plan and analyse the unit that the coin was thrown for. Test its split before you look at results.
# - The ratio of two sums has the error of a mean of user-level terms. CUPED shrinks what the past predicts.
# - Looking often at an ordinary interval breaks it. Look once, or pay the width of a confidence sequence.
# - One metric decides, and it is written down before.
# - A narrow interval doesn't know whether users talk. The design has to.
#
# ## Further reading
#
# - {cite:t}`kohavi2020trustworthy`: practice at scale, and most ways in which it fails.
# - {cite:t}`howard2021time` and {cite:t}`waudbysmith2024time`: confidence sequences, exact and in large samples.
# - {cite:t}`chapelle2012large`: how well interleaving agrees with other ways to compare rankings.
# - {cite:t}`fabijan2019diagnosing`: where mismatches of the split come from.
