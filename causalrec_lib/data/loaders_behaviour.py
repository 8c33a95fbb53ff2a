"""Loaders of the sets of behaviour: ratings, reviews, clicks, baskets, bookings, and choices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from causalrec_lib.data.loaders import loader, lower, tidy

_CAMPAIGNS = ("all", "men", "women")
_POLICIES = ("random", "bts")


@loader("womens_reviews")
def _womens_reviews(folder: Path, table: str) -> pd.DataFrame:
    """Read the reviews; the 21 exact duplicates stay in, the chapter decides."""
    names = {
        "Clothing ID": "clothing_id",
        "Age": "age",
        "Title": "title",
        "Review Text": "text",
        "Rating": "stars",
        "Recommended IND": "recommended",
        "Positive Feedback Count": "positive_feedback",
        "Division Name": "division",
        "Department Name": "department",
        "Class Name": "class_name",
    }
    raw = pd.read_parquet(folder / "reviews.parquet")
    return tidy(raw, names, ["clothing_id", "title", "text"], ["division", "department", "class_name"])


def _ratings(raw: pd.DataFrame, user: str, item: str) -> pd.DataFrame:
    names = {user: "user_id", item: "item_id", "rating": "stars"}
    raw["timestamp"] = pd.to_datetime(raw["timestamp"], unit="s", utc=True)
    return tidy(raw, {**names, "timestamp": "timestamp"}, ["user_id", "item_id"])


@loader("movielens_100k")
def _movielens_100k(folder: Path, table: str) -> pd.DataFrame:
    """Read the ratings, the items with their genres, or the users."""
    if table == "ratings":
        return _ratings(pd.read_parquet(folder / "data.parquet"), "user_id", "movie_id")
    raw = pd.read_parquet(folder / f"{table}.parquet")
    if table == "users":
        names = {c: c for c in ("user_id", "age", "gender", "occupation", "zip_code")}
        return tidy(raw, names, ["user_id", "zip_code"], ["gender", "occupation"])
    raw["release_date"] = pd.to_datetime(raw["release_date"], format="%d-%b-%Y")
    genres = {g: "genre_" + g.lower().replace("-", "_").replace("'", "") for g in raw.columns[5:]}
    names = {"movie_id": "item_id", "movie_title": "title", "release_date": "release_date", **genres}
    return tidy(raw, names, ["item_id", "title"])


@loader("movielens_small")
def _movielens_small(folder: Path, table: str) -> pd.DataFrame:
    """Read the ratings, the items, the free tags, or the links to other catalogues."""
    if table == "ratings":
        return _ratings(pd.read_csv(folder / "ratings.csv"), "user_id", "movie_id")
    if table == "items":
        names = {"movieId": "item_id", "title": "title", "genres": "genres"}
        return tidy(pd.read_csv(folder / "movies.csv"), names, ["item_id", "title", "genres"])
    if table == "links":
        names = {"movieId": "item_id", "imdbId": "imdb_id", "tmdbId": "tmdb_id"}
        return tidy(pd.read_csv(folder / "links.csv", dtype=str), names, list(names.values()))
    raw = pd.read_csv(folder / "tags.csv")
    raw["timestamp"] = pd.to_datetime(raw["timestamp"], unit="s", utc=True)
    names = {"userId": "user_id", "movieId": "item_id", "tag": "tag", "timestamp": "timestamp"}
    return tidy(raw, names, ["user_id", "item_id", "tag"])


@loader("filmtrust")
def _filmtrust(folder: Path, table: str) -> pd.DataFrame:
    """Read the ratings, or who trusts whom."""
    if table == "ratings":
        names = ["user_id", "item_id", "stars"]
        raw = pd.read_csv(folder / "ratings.txt", sep=r"\s+", header=None, names=names)
        return tidy(raw, {c: c for c in names}, ["user_id", "item_id"])
    names = ["truster_id", "trustee_id", "trust"]
    raw = pd.read_csv(folder / "trusts.txt", sep=r"\s+", header=None, names=names)
    return tidy(raw, {c: c for c in names}, ["truster_id", "trustee_id"])


def _open_bandit_log(folder: Path, policy: str, campaign: str) -> pd.DataFrame:
    raw = pd.read_csv(folder / f"{policy}_{campaign}.csv", index_col=0)
    raw["timestamp"] = pd.to_datetime(raw["timestamp"], utc=True, format="ISO8601")
    raw.insert(0, "policy", policy)
    raw.insert(1, "campaign", campaign)
    names = {**lower(raw), "propensity_score": "propensity"}
    names |= {c: c.replace("user-item_", "") for c in names if c.startswith("user-item_")}
    features = [f"user_feature_{i}" for i in range(4)]
    return tidy(raw, names, ["item_id"], ["policy", "campaign", *features])


@loader("open_bandit_small")
def _open_bandit_small(folder: Path, table: str) -> pd.DataFrame:
    """Read `all` six logs stacked, one log such as `random_men` with its affinities, `items_men`, or `bts_prior`."""
    if table == "bts_prior":
        told = yaml.safe_load((folder / "prior_bts.yaml").read_text(encoding="utf-8"))
        parts = [pd.DataFrame(told[c]).assign(campaign=c).rename_axis("item_id").reset_index() for c in _CAMPAIGNS]
        raw = pd.concat(parts, ignore_index=True)
        return tidy(raw, {c: c for c in ("campaign", "item_id", "alpha", "beta")}, ["item_id"], ["campaign"])
    if table.startswith("items_"):
        raw = pd.read_csv(folder / f"{table}.csv", index_col=0)
        labels = [f"item_feature_{i}" for i in range(1, 4)]
        return tidy(raw, {c: c for c in raw.columns}, ["item_id"], labels)
    if table != "all":
        policy, _, campaign = table.partition("_")
        return _open_bandit_log(folder, policy, campaign)
    logs = [_open_bandit_log(folder, p, c) for p in _POLICIES for c in _CAMPAIGNS]
    shared = [c for c in logs[0].columns if not c.startswith("affinity_")]
    out = pd.concat([log[shared].astype({c: "string" for c in _labels(log)}) for log in logs], ignore_index=True)
    return out.astype({c: "category" for c in _labels(logs[0])})


def _labels(log: pd.DataFrame) -> list[str]:
    return [str(c) for c, t in log.dtypes.items() if isinstance(t, pd.CategoricalDtype)]


def _grid(folder: Path, file: str) -> np.ndarray:
    return np.loadtxt(folder / file)


def _cells(values: np.ndarray, keep: np.ndarray, column: str) -> pd.DataFrame:
    user, item = np.nonzero(keep)
    raw = pd.DataFrame({"user_id": user, "item_id": item, column: values[user, item]})
    return tidy(raw, {c: c for c in raw.columns}, ["user_id", "item_id"])


def _coat_features(folder: Path, who: str) -> pd.DataFrame:
    names = (folder / f"{who}_features_map.txt").read_text(encoding="utf-8").split("\n")
    clean = [n.strip().replace(":", "_").replace(" ", "_").replace("-", "_") for n in names if n.strip()]
    raw = pd.DataFrame(_grid(folder, f"{who}_features.ascii").astype(int), columns=clean)
    raw.insert(0, f"{who}_id", np.arange(len(raw)))
    return tidy(raw, {c: c for c in raw.columns}, [f"{who}_id"])


@loader("coat")
def _coat(folder: Path, table: str) -> pd.DataFrame:
    """Read the chosen ratings (`train`), the random ones (`test`, with `in_train`), propensities or features."""
    if table.endswith("_features"):
        return _coat_features(folder, table.removesuffix("_features"))
    propensity = _grid(folder, "propensities.ascii")
    if table == "propensities":
        return _cells(propensity, np.ones(propensity.shape, dtype=bool), "propensity")
    train, test = _grid(folder, "train.ascii"), _grid(folder, "test.ascii")
    if table == "train":
        out = _cells(train, train > 0, "stars").astype({"stars": "int64"})
        return out.assign(propensity=propensity[train > 0])
    out = _cells(test, test > 0, "stars").astype({"stars": "int64"})
    return out.assign(in_train=(train > 0)[test > 0])


@loader("hillstrom")
def _hillstrom(folder: Path, table: str) -> pd.DataFrame:
    """Read the e-mail experiment; duplicate rows stay, since there are no ids to tell people apart."""
    raw = pd.read_csv(folder / "hillstrom_original.csv")
    raw["zip_code"] = raw["zip_code"].replace({"Surburban": "Suburban"})
    names = {c: c for c in raw.columns} | {"zip_code": "area"}
    return tidy(raw, names, labels=["history_segment", "area", "channel", "segment"])


@loader("upworthy")
def _upworthy(folder: Path, table: str) -> pd.DataFrame:
    """Read the arms of the headline tests; `randomization_suspect` marks the weeks that the authors warn of."""
    raw = pd.read_parquet(folder / "upworthy_clean.parquet")
    names = {"clickability_test_id": "test_id"} | {c: c for c in raw.columns if c != "clickability_test_id"}
    out = tidy(raw, names, ["test_id", "headline", "lede", "excerpt", "eyecatcher_id"])
    return out.assign(randomization_suspect=out["test_week"].between(201325, 201402))


@loader("hotel_bookings")
def _hotel_bookings(folder: Path, table: str) -> pd.DataFrame:
    """Read the bookings, with `arrival_date` put together and `room_changed` made from the two room types."""
    ids = ["agent", "company"]
    labels = ["hotel", "meal", "country", "market_segment", "distribution_channel", "reserved_room_type"]
    labels += ["assigned_room_type", "deposit_type", "customer_type", "reservation_status"]
    raw = pd.read_csv(
        folder / "hotel_bookings.csv.gz",
        keep_default_na=False,
        na_values={"children": ["NA"], "country": ["NULL"], "agent": ["NULL"], "company": ["NULL"]},
        dtype=dict.fromkeys(ids, str),
    )
    parts = (
        raw["arrival_date_year"].astype(str)
        + raw["arrival_date_month"]
        + raw["arrival_date_day_of_month"].astype(str)
    )
    raw["arrival_date"] = pd.to_datetime(parts, format="%Y%B%d")
    raw["reservation_status_date"] = pd.to_datetime(raw["reservation_status_date"])
    raw["room_changed"] = raw["reserved_room_type"] != raw["assigned_room_type"]
    return tidy(raw, {c: c for c in raw.columns}, ids, [*labels, "arrival_date_month"])


@loader("swissmetro")
def _swissmetro(folder: Path, table: str) -> pd.DataFrame:
    """Read the stated choices; the code of the choice becomes its name."""
    raw = pd.read_csv(folder / "swissmetro.csv.gz")
    raw["CHOICE"] = raw["CHOICE"].map({0: "unknown", 1: "train", 2: "swissmetro", 3: "car"})
    return tidy(raw, {**lower(raw), "ID": "traveller_id"}, ["traveller_id"], ["choice"])


@loader("mode_canada")
def _mode_canada(folder: Path, table: str) -> pd.DataFrame:
    """Read the travel alternatives, one row for each traveller and alternative."""
    raw = pd.read_csv(folder / "mode_canada.csv.gz")
    names = {
        "case": "traveller_id",
        "alt": "alternative",
        "choice": "chosen",
        "dist": "distance",
        "cost": "cost",
        "ivt": "in_vehicle_time",
        "ovt": "out_vehicle_time",
        "freq": "frequency",
        "income": "income",
        "urban": "urban_ends",
        "noalt": "n_alternatives",
    }
    return tidy(raw, names, ["traveller_id"], ["alternative"])


@loader("ta_feng")
def _ta_feng(folder: Path, table: str) -> pd.DataFrame:
    """Read the baskets, one row for each product on a receipt."""
    raw = pd.read_csv(folder / "ta_feng.csv.zip")
    raw["TRANSACTION_DT"] = pd.to_datetime(raw["TRANSACTION_DT"], format="%m/%d/%Y")
    names = {
        "TRANSACTION_DT": "date",
        "CUSTOMER_ID": "customer_id",
        "PRODUCT_ID": "product_id",
        "PRODUCT_SUBCLASS": "subclass_id",
        "AMOUNT": "amount",
        "ASSET": "cost",
        "SALES_PRICE": "sales_price",
        "AGE_GROUP": "age_group",
        "PIN_CODE": "pin_code",
    }
    return tidy(raw, names, ["customer_id", "product_id", "subclass_id"], ["age_group", "pin_code"])
