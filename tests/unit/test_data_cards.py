"""Cards: every column of every table is documented, and every number in a card is computed here from the data."""

import fnmatch
import re

import numpy as np
import pytest
from scipy import stats

from causalrec_lib import data
from causalrec_lib.data import registry
from tests.unit.data_tables import TABLES, load

EVERYTHING = data.names(group=None)


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_set_has_a_card_with_a_story_and_traps(name):
    card = data.card(name)
    assert len(card.about.split()) >= 20 and card.traps
    for fact in (card.title, card.source, card.licence, card.citation):
        assert fact
    assert card.homepage.startswith("https://")
    assert all(len(h) == 64 for h in card.sha256.values())
    shown = card._repr_markdown_()
    for part in (card.title, card.licence, *card.traps):
        assert part in shown
    assert str(card) == shown


def test_there_is_no_card_without_a_set():
    assert {p.stem for p in (registry.registry_dir() / "cards").glob("*")} == set(EVERYTHING)


@pytest.mark.parametrize("name", data.names())
def test_a_card_documents_the_tables_of_its_set(name):
    assert list(data.card(name).columns) == data.tables(name)


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_every_column_is_documented_once_and_no_other(name, table):
    documented = data.card(name).columns[table]
    columns = [str(c) for c in load(name, table).columns]
    for column in columns:
        by = [d for d in documented if fnmatch.fnmatchcase(column, d)]
        assert len(by) == 1, f"{column} is documented by {by}"
    for entry, meaning in documented.items():
        assert fnmatch.filter(columns, entry), f"{entry} is no column"
        assert len(meaning.split()) >= 2, f"{entry}: {meaning}"


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_quantities_have_units(name, table):
    """A column of measured numbers says what they are counted in."""
    units = "year month week day minute dollar franc euro cm kg g km mu mm mg count share probability cent points"
    units += " standardised index score 0 1 2 code stars label divided weight number UTC covariates missing"
    known = set(units.split()) | {u + "s" for u in units.split()}
    df, documented = load(name, table), data.card(name).columns[table]
    for column in df.select_dtypes(["int64", "float64"]):
        meaning = next(m for d, m in documented.items() if fnmatch.fnmatchcase(column, d))
        assert known & set(re.findall(r"\w+", meaning)), f"{column}: {meaning}"


def gap(df, group, value):
    return df.loc[df[group] == 1, value].mean() - df.loc[df[group] == 0, value].mean()


def short(x, digits=3):
    """.054 for 0.054: as the cards write shares."""
    return f"{x:.{digits}f}".replace("0.", ".", 1)


def womens():
    df = load("womens_reviews")
    text = df["text"].dropna()
    yield f"mean of {df['stars'].mean():.2f} and {100 * (df['stars'] == 5).mean():.0f} % five-star reviews"
    share = [short(x) for x in df.groupby("stars")["recommended"].mean()]
    yield f"{', '.join(share[:4])} and {share[4]} from one star to five"
    yield f"{df['text'].isna().sum()} texts and {df['title'].isna().sum():,} titles are missing"
    yield f"{df['department'].isna().sum()} rows have no division, department and class"
    yield f"{df.duplicated().sum()} rows are exact copies of others; {text.duplicated().sum()} texts occur a second"
    several = df.groupby("clothing_id")["department"].nunique()
    yield f"{(several == 0).sum()} of {len(several):,} items have no department in any row"
    assert several.max() == 1
    size = text.str.len()
    yield f"{(size >= 500).mean():.0%} of the texts are 500 characters or longer and none is longer than {size.max()}"


def movielens_100k():
    df, items, users = load("movielens_100k"), load("movielens_100k", "items"), load("movielens_100k", "users")
    span = df.groupby("user_id")["timestamp"].agg(lambda t: (t.max() - t.min()).total_seconds()) < 86_400
    second = df.duplicated(["user_id", "timestamp"], keep=False).mean()
    yield f"{100 * second:.0f} % of ratings share their second"
    yield f"{100 * span.mean():.0f} % of users did all their rating within one day"
    yield f"at least {df.groupby('user_id').size().min()} ratings"
    yield f"{items['title'].duplicated().sum()} titles occur twice"
    men = (users["gender"] == "M").sum()
    yield f"{100 * men / len(users):.0f} % of the users are men ({men} of {len(users)})"


def movielens_small():
    df, items = load("movielens_small"), load("movielens_small", "items")
    film = df.groupby("item_id")["stars"].agg(["size", "mean"])
    half = df.loc[df["stars"] % 1 != 0, "timestamp"].min()
    yield f"the first half star is of {half:%B %Y}"
    yield f"at least {df.groupby('user_id').size().min()} ratings, {df['user_id'].nunique()} users"
    top = film["size"].nlargest(round(len(film) / 100)).sum() / len(df)
    yield f"{len(film):,} of {len(items):,} films have a rating"
    yield f"the hundredth part with the most ratings holds {top:.0%}"
    yield f"log count and mean {short(np.corrcoef(np.log(film['size']), film['mean'])[0, 1])}"
    no_genre = (items["genres"] == "(no genres listed)").sum()
    no_year = (~items["title"].str.contains(r"\(\d{4}\)\s*$")).sum()
    yield f'{no_genre} films have "(no genres listed)", {no_year} have no year in the title, 2 titles occur twice'
    assert items["title"].duplicated().sum() == 2


def open_bandit():
    df = load("open_bandit_small")
    clicks = df.groupby(["policy", "campaign"], observed=True)["click"].sum()
    r, b = clicks["random"], clicks["bts"]
    yield f"{r['all']}, {r['men']} and {r['women']} under random and"
    yield f"under random and {b['all']}, {b['men']} and {b['women']} under bts"
    log = load("open_bandit_small", "bts_women")
    weight = 1 / 46 / log["propensity"]
    yield f"Propensities go down to {df['propensity'].min():.6f}"
    yield f"weight {weight.max():,.0f} against the uniform policy, the weights' mean is {weight.mean():.2f}"
    yield f"effective sample size is {weight.sum() ** 2 / (weight**2).sum():.1f}"
    ipw, normed = (weight * log["click"]).mean(), np.average(log["click"], weights=weight)
    yield f"gets {short(ipw, 4)} by inverse propensities and {short(normed, 4)} with normalised weights"
    yield f"it really had {short(load('open_bandit_small', 'random_women')['click'].mean(), 4)}"


def nsw():
    df, printed = load("nsw"), load("psid", "experiment")
    yield f"The benchmark is {gap(df, 'treat', 're78'):,.2f} dollars"
    assert f"{gap(printed, 'treat', 're78'):.2f}" == f"{gap(df, 'treat', 're78'):.2f}"
    assert 0.04 < np.abs(np.sort(printed["re78"]) - np.sort(df["re78"])).max() < 0.055
    zero = [(df[c] == 0).mean() for c in ("re74", "re75", "re78")]
    yield "{:.0%} earned nothing in 1974, {:.0%} nothing in 1975 and {:.0%} nothing in 1978".format(*zero)
    assert ((df["education"] < 12) == df["nodegree"]).all()
    parts = [df.loc[df["treat"] == t, "re78"] for t in (0, 1)]
    yield f"standard error of the difference is {np.sqrt(sum(p.var() / len(p) for p in parts)):.0f} dollars"


def cps():
    df, experiment = load("cps"), load("nsw")
    trained = experiment[experiment["treat"] == 1]
    yield f"Trainees minus this group is {trained['re78'].mean() - df['re78'].mean():,.2f} dollars"
    zero, black = [[(d["re74"] == 0).mean(), d["black"].mean()] for d in (trained, df)], "{:.0%} and {:.0%} are Black"
    yield f"{zero[0][0]:.0%} of the trainees and {zero[1][0]:.0%} of this group earned nothing in 1974"
    yield black.format(zero[0][1], zero[1][1])
    yield f"at {df['re74'].max():,.0f} dollars in 1974"
    cap = [(df[c] == df[c].max()).mean() for c in ("re74", "re75", "re78")]
    yield "{:.0%} of the men sit on the cap in 1974, {:.0%} in 1975 and {:.0%} in 1978".format(*cap)
    yield f"{df.duplicated().sum():,} rows equal another row"
    assert (df["treat"] == 0).all()


def psid():
    df, controls, printed = load("psid"), load("psid", "controls"), load("psid", "experiment")
    yield f"Trainees minus this group is {gap(df, 'treat', 're78'):,.2f} dollars"
    for known in (printed, load("cps")):
        assert ((known["education"] < 12) == known["nodegree"]).all()
    trained = df[df["treat"] == 1]
    zero = [(d["re74"] == 0).mean() for d in (controls, trained)]
    yield "{:.0%} of this group and {:.0%} of the trainees earned nothing in 1974".format(*zero)
    assert len(controls) == 2490 and len(trained) == 185


def nhefs():
    df, full = load("nhefs"), load("nhefs", "full")
    missing = full.groupby("qsmk")["censored"].mean()
    yield f"{full['wt82'].isna().sum()} people have no weight in 1982, {missing[1]:.1%} of those who stopped"
    yield f"and {missing[0]:.1%} of the others"
    codes = ["hbp", "diabetes", "pica", "hbpmed", "boweltrouble", "birthcontrol", "alcoholpy"]
    yield ", ".join(f"`{c}`" for c in codes[:-1]) + f" and `{codes[-1]}`: half of the rows in six of them"
    assert sum((df[c] == 2).mean() > 0.45 for c in codes) == 6 and (df["alcoholpy"] == 2).any()
    means = df.groupby("qsmk")["wt82_71"].mean()
    yield f"The crude difference is {means[1] - means[0]:.2f} kg ({means[1]:.2f} against {means[0]:.2f})"
    stopped = df[df["qsmk"] == 1]
    yield f"For the {len(stopped)} who stopped, `smkintensity82_71` is exactly minus `smokeintensity`"
    assert (stopped["smkintensity82_71"] == -stopped["smokeintensity"]).all()
    assert np.allclose(df["price71"] - df["price82"], df["price71_82"], atol=1e-3, equal_nan=True)
    assert np.allclose(df["tax71"] - df["tax82"], df["tax71_82"], atol=1e-3, equal_nan=True)
    assert ((df["age"] > 50) == df["older"]).all()
    assert stopped["age"].mean() > df["age"].mean()
    assert stopped["smokeintensity"].mean() < df["smokeintensity"].mean()


def insurance():
    df = load("insurance_network")
    by = df.groupby("hamlet")
    assert by["default_buy"].nunique().max() == by["earlier_takeup"].nunique().max() == 1
    yield f"There are {by.ngroups} hamlets, not {len(df):,} independent rows"
    yield f"Its correlation with buying is {short(df['takeup'].corr(df['earlier_takeup']), 2)}"
    yield f"{df.isna().any(axis=1).sum()} rows miss age, sex, reading, size or area"
    area = df["rice_area"]
    yield f"One household states {area.max():.0f} mu of rice, where the median is {area.median():.0f}"


def pension():
    df = load("pension_401k")
    naive = gap(df, "eligible", "net_assets")
    yield f"naive gap of the eligible is {naive:.3f}, which is {1000 * naive:,.0f} dollars"
    assets = df["net_assets"]
    yield f"mean {assets.mean():.1f}, median {assets.median():.1f}, from {assets.min():.0f} to {assets.max():,.0f}"
    yield f"{(assets < 0).mean():.0%} of families are below zero"
    assert (df["participates"] <= df["eligible"]).all()
    yield f"{df.loc[df['eligible'] == 1, 'participates'].mean():.0%} of the eligible do"
    yield f"This file has {len(df):,}."


def swissmetro():
    df = load("swissmetro")
    assert (df["choice"] == "unknown").sum() == 9 and set(df.groupby("traveller_id").size()) == {9}
    yield "Nine choices are unknown."
    none = df[df["car_av"] == 0]
    yield f"In {len(none) / len(df):.0%} of rows there is no car."
    assert (none[["car_tt", "car_co"]] == 0).all().all()
    cost = df.groupby("ga")["train_co"].mean()
    yield f"{cost[1]:,.0f} francs on average, against {cost[0]:.0f} for others"
    yield f"`traveller_id`, {df['traveller_id'].nunique():,} of them"
    yield f"{(df['purpose'].isin([1, 3]) & (df['choice'] != 'unknown')).sum():,} rows. Compare"


def mode_canada():
    df = load("mode_canada")
    by = df.groupby("traveller_id")
    yield f"{len(df):,} rows are {by.ngroups:,} choices"
    assert (by["chosen"].sum() == 1).all() and (by.size() == by["n_alternatives"].first()).all()
    yield f"{(by.size() == 4).sum():,} of {by.ngroups:,} travellers had all four"
    yield f"Only {((df['alternative'] == 'bus') & (df['chosen'] == 1)).sum()} travellers took the bus"
    car = df[df["alternative"] == "car"]
    assert (car[["frequency", "out_vehicle_time"]] == 0).all().all()


def ta_feng():
    df = load("ta_feng")
    dearest = df.loc[df["sales_price"].idxmax()]
    yield f"the dearest row is {dearest['amount']} units for {dearest['sales_price']:,} dollars"
    yield f"A customer's day ({df.groupby(['date', 'customer_id']).ngroups:,} of them)"
    yield f"{(df['sales_price'] < df['cost']).mean():.1%} of rows sell below cost"
    yield f"{(df['amount'] >= 100).sum()} rows have 100 units or more"
    yield f"{df['age_group'].isna().sum():,} rows have no age group"


def ihdp_sim():
    df = load("ihdp_sim")
    yield f"All {len(df)} infants are here, and treatment ({df['treat'].mean():.0%})"
    gone = (df["treat"] == 1) & (df["momwhite"] == 0)
    left = df[~gone]
    yield f"Removing them ({gone.sum()} in this file) leaves the {len(left)} rows of `ihdp_npci`"
    yield f"of which {left['treat'].sum()} are treated"
    levels = df[["mom_lths", "mom_hs", "mom_scoll"]].sum(axis=1)
    yield f"unwritten level ({(levels == 0).sum()} mothers)"
    assert (df.filter(like="site").sum(axis=1) == 1).all()
    assert (df[["momwhite", "momblack", "momhisp"]].sum(axis=1) == 1).all()
    assert f"{df['drugs'].mean():.0%}".replace("%", " %") in data.card("ihdp_sim").columns["infants"]["drugs"]


def ihdp_npci():
    df, one = load("ihdp_npci"), load("ihdp_npci", "1")
    df = df.assign(effect=df["mu1"] - df["mu0"])
    by = df.groupby("replication")
    ate, spread = by["effect"].mean(), by["effect"].std()
    yield f"Replication 9 has an average effect of {ate[9]:.2f} with a standard deviation of {spread[9]:.1f}"
    yield f"the other nine between {ate.drop(9).min():.2f} and {ate.drop(9).max():.2f}"
    assert np.allclose(df[df["treat"] == 1].groupby("replication")["effect"].mean(), 4, atol=1e-9)
    means = df.groupby(["treat", "replication"])["y"].mean()
    miss = (means[1] - means[0] - ate).abs()
    yield f"misses by {miss.mean():.2f} on average over the ten, and by {miss.drop(9).mean():.2f} with replication 9"
    yield f"{one['treat'].sum()} of {len(one)} are treated"
    for k in range(2, 11):
        other = load("ihdp_npci", str(k))
        assert other.filter(regex="^x|treat").equals(one.filter(regex="^x|treat"))
    sim = load("ihdp_sim")
    sim = sim[~((sim["treat"] == 1) & (sim["momwhite"] == 0))].reset_index(drop=True)
    names = [c for c in sim if c not in ("treat", "site8", "momwhite", "momblack", "momhisp")]
    assert len(names) == 25
    for k, name in enumerate(names, start=1):
        x = sim[name] + (name == "first")
        assert np.allclose(one[f"x{k}"], (x - x.mean()) / x.std() if k <= 6 else x, atol=1e-9), f"x{k} is not {name}"


def coat():
    train, test = load("coat", "train"), load("coat", "test")
    both = train.merge(test, on=["user_id", "item_id"])
    assert (both["stars_x"] == both["stars_y"]).all() and test["in_train"].sum() == len(both)
    yield f"{len(both)} pairs of person and coat are in both `train` and `test`"
    yield f"{len(both) / len(test):.1%} of the test"
    rest = test[~test["in_train"]]
    yield f"{len(rest):,} stay, with a mean of {rest['stars'].mean():.3f}"
    p, w = load("coat", "propensities")["propensity"], 1 / train["propensity"]
    yield f"from {short(p.min(), 4)} to {short(p.max())}, so the largest weight is {w.max():.0f}"
    yield f"effective sample size of {len(train):,} ratings is {w.sum() ** 2 / (w**2).sum():,.0f}"
    yield f"Chosen coats got {train['stars'].mean():.2f} stars, random ones {test['stars'].mean():.2f}."
    yield f"Weighted by the propensities the chosen ones get {np.average(train['stars'], weights=w):.2f}"
    assert set(train.groupby("user_id").size()) == {24} and set(test.groupby("user_id").size()) == {16}


def hillstrom():
    df = load("hillstrom")
    yield f"{df.duplicated().sum():,} rows equal an earlier row"
    yield f"Only {df['conversion'].sum()} of {len(df):,} bought"
    assert ((df["spend"] > 0) == (df["conversion"] == 1)).all()
    df = df.assign(any=(df["segment"] != "No E-Mail").astype(int))
    yield f"(+{gap(df, 'any', 'spend'):.3f} dollars for any e-mail)"
    yield f"(+{short(gap(df, 'any', 'visit'), 4)})"
    pair = df[df["segment"] != "Mens E-Mail"]
    lift = {v: gap(pair[pair["womens"] == v], "any", "visit") for v in (0, 1)}
    yield f"visits by {short(lift[1])} for those who bought women's goods before and by {short(lift[0])} for the"
    yield f"`history` starts at {df['history'].min()}"


def upworthy():
    df = load("upworthy")
    tests = df.groupby("test_id")
    week, p = tests["test_week"].min(), tests["impressions"].apply(lambda n: stats.chisquare(n).pvalue) < 0.001
    inside, before, after = week.between(201326, 201402), week < 201326, week > 201402
    yield f"{p[inside].mean():.1%} of the {inside.sum():,} tests of weeks 201326 to 201402"
    yield f"{p[before].mean():.1%} of tests before"
    yield f"({p[week == 201325].sum()} of those {p[before].sum()} in week 201325)"
    yield f"and for {p[after].mean():.1%} after"
    clean = week[(week < 201325) | (week > 201402)]
    yield f"{len(clean):,} of {tests.ngroups:,} tests stay"
    assert df["randomization_suspect"].sum() == df["test_week"].between(201325, 201402).sum()
    picture = (tests["headline"].nunique() > 1) & (tests["eyecatcher_id"].nunique() == 1)
    alone = picture & (tests["lede"].nunique(dropna=False) == 1) & (tests["excerpt"].nunique(dropna=False) == 1)
    yield f"In {picture.sum():,} tests the picture stays and the headline changes; only {alone.sum():,} of those"
    digit = df.assign(digit=df["headline"].str.contains(r"\d").astype(int))
    sums = digit.groupby("digit")[["clicks", "impressions"]].sum()
    pooled = sums["clicks"] / sums["impressions"]
    kept = digit[digit["test_id"].isin(picture[picture & picture.index.isin(clean.index)].index)]
    arms = kept.groupby(["test_id", "digit"])["ctr"].mean().unstack().dropna()
    yield "slightly lower click rate when all arms are pooled, and a slightly higher one within tests: the sign flips"
    assert pooled[1] < pooled[0] and (arms[1] - arms[0]).mean() > 0
    assert np.allclose(df["ctr"], df["clicks"] / df["impressions"])
    assert ((tests["winner"].sum() != 1) == tests["winner_count_anomaly"].first()).all()


def hotel():
    df = load("hotel_bookings")
    by = df.groupby("room_changed")["is_canceled"].mean()
    yield f"{short(by[True])} of bookings with another room are cancelled, {short(by[False])} of the others"
    yield f"{df.duplicated().sum():,} rows equal an earlier row"
    fixed = df[df["deposit_type"] == "Non Refund"]
    yield f"{short(fixed['is_canceled'].mean())} of {len(fixed):,} non-refundable bookings are cancelled"
    home = df["country"].astype("string") == "PRT"
    share = [df.loc[home.fillna(False), "is_canceled"].mean(), df.loc[~home.fillna(True), "is_canceled"].mean()]
    yield f"{short(share[0])} of Portuguese bookings are cancelled, {short(share[1])} of those from other"
    nobody = (df["adults"] + df["children"].fillna(0) + df["babies"]) == 0
    night = df["stays_in_week_nights"] + df["stays_in_weekend_nights"] == 0
    yield f"{nobody.sum()} rows have no guest at all, {night.sum()} no night"
    yield f"one rate is negative and one is {df['adr'].max():,.0f} euros"
    assert (df["adr"] < 0).sum() == 1
    assert (df["is_canceled"] == (df["reservation_status"] != "Check-Out")).all()
    assert df.loc[df["required_car_parking_spaces"] > 0, "is_canceled"].sum() == 0


def filmtrust():
    df, trust = load("filmtrust"), load("filmtrust", "trust")
    yield f"A mean of {df['stars'].mean():.2f} is high"
    people = set(trust["truster_id"]) | set(trust["trustee_id"])
    yield f"{len(people - set(df['user_id']))} of the {len(people)} users in the trust table have no rating"
    assert df.duplicated(["user_id", "item_id"]).sum() == 4 and df.duplicated().sum() == 2
    pairs = set(zip(trust["truster_id"], trust["trustee_id"], strict=True))
    yield f"of {len(pairs):,} statements {sum((b, a) in pairs for a, b in pairs):,} are returned"


def darfur():
    df = load("darfur")
    villages = df.groupby("village", observed=True)["directlyharmed"]
    yield f"The {villages.ngroups} villages of origin are adjusted for one by one"
    one, same = (villages.size() == 1).sum(), (villages.nunique() == 1).sum()
    yield f"{one} of them have one person only, and in {same} nobody or everybody was hurt"
    yield f"{df.duplicated().sum()} row equals an earlier row"
    assert (df["peacefactor"].min(), df["peacefactor"].max()) == (0, 1)


CLAIMS = {
    "womens_reviews": womens, "movielens_100k": movielens_100k, "movielens_small": movielens_small,
    "open_bandit_small": open_bandit, "nsw": nsw, "cps": cps, "psid": psid, "nhefs": nhefs,
    "insurance_network": insurance, "pension_401k": pension, "swissmetro": swissmetro, "mode_canada": mode_canada,
    "ta_feng": ta_feng, "ihdp_sim": ihdp_sim, "ihdp_npci": ihdp_npci, "coat": coat, "hillstrom": hillstrom,
    "darfur": darfur, "upworthy": upworthy, "hotel_bookings": hotel, "filmtrust": filmtrust,
}  # fmt: skip


def test_every_set_has_its_numbers_checked():
    assert set(CLAIMS) == set(data.names())


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_the_numbers_of_a_card_are_those_of_the_data(name):
    text = " ".join((data.card(name).about, *data.card(name).traps))
    for claim in CLAIMS[name]():
        sentence = claim.replace("%", " %") if " %" not in claim else claim
        assert sentence in text, f"the data say: {sentence}"
