"""The registry: what it must say of a set, and how a wrong entry is refused."""

import re

import pytest

from causalrec_lib import data
from causalrec_lib.data import registry
from tests.unit.data_server import BODY

SETS = registry.entries()
MODELS = ["minilm", "smollm2"]
COMMIT = re.compile(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/[\w./-]+")
OFFICIAL = {"www.minethatdata.com"}
MIRROR_ONLY = {("filmtrust", "trusts.txt")}  # files for which no public address could be verified


def test_the_sets_of_the_course_are_there():
    package = {"womens_reviews", "movielens_100k", "open_bandit_small", "nsw", "cps", "psid", "nhefs"}
    package |= {"pension_401k", "insurance_network", "swissmetro", "ihdp_sim"}
    mirror = {"coat", "hillstrom", "upworthy", "hotel_bookings", "movielens_small", "filmtrust", "ihdp_npci"}
    assert package <= set(data.names(kind="package")) and mirror == set(data.names(kind="url"))
    assert data.names(group="model") == MODELS
    assert set(data.names()) | {*MODELS, "mathjax"} == set(data.names(group=None))


@pytest.mark.parametrize("name", SETS)
def test_every_file_is_recognised_by_hash_and_size(name):
    entry = SETS[name]
    assert entry.files and len({f.path for f in entry.files}) == len(entry.files)
    for file in entry.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.bytes > 0
        assert bool(file.member) == (entry.kind == "package")
        assert bool(file.urls) == (entry.kind == "url" and (name, file.path) not in MIRROR_ONLY)
    if entry.group == "data":
        assert entry.rows and all(n > 0 for n in entry.rows.values())
    if entry.archive:
        archive = entry.archive
        assert re.sub("[-_]", "", archive.filename).startswith(re.sub("[-_]", "", archive.project) + archive.version)


@pytest.mark.parametrize("name", data.names(kind="url"))
def test_addresses_are_official_or_pinned_to_a_commit(name):
    """A public copy may change under a branch; under a commit it can't."""
    for file in SETS[name].files:
        for url in file.urls:
            host = url.split("/")[2]
            assert host in OFFICIAL or COMMIT.fullmatch(url), url
            assert host in OFFICIAL or url.rpartition("/")[2] == file.path
        hosts = [url.split("/")[2] in OFFICIAL for url in file.urls]
        assert hosts == sorted(hosts, reverse=True), "the official address comes first"


def test_the_card_of_a_set_without_a_public_address_says_so():
    for name in data.names():
        alone = any(name == n for n, _ in MIRROR_ONLY)
        assert ("from a local mirror only" in data.card(name).about) == alone, name


ENTRY = """
[sets.toy]
kind = "url"
group = "data"
title = "t"
source = "s"
licence = "l"
citation = "c"
homepage = "h"
files = [{ path = "a", bytes = 1, sha256 = "00", urls = [] }]
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"url"', '"ftp"', "'toy' needs kind in"),
        ('"data"', '"toys"', "'toy' needs kind in"),
        ('"url"', '"package"', "names an archive that is not under"),
        ("bytes = 1, ", "", "a file of 'toy' lacks 'bytes'"),
        ('path = "a"', 'path = "../a"', "no plain relative path"),
        ('path = "a"', 'path = "/a"', "no plain relative path"),
        ("[sets.toy]", '[sets."../toy"]', "no plain relative path"),
    ],
)
def test_a_wrong_entry_is_refused(old, new, words):
    assert registry.parse(ENTRY)["toy"].files[0].bytes == 1
    with pytest.raises(ValueError, match=re.escape(words)):
        registry.parse(ENTRY.replace(old, new, 1))


def test_names_refuse_unknown_kinds_and_groups():
    with pytest.raises(ValueError, match="kind must be one of 'package', 'url'"):
        data.names(kind="mirror")
    with pytest.raises(ValueError, match="group must be one of 'data', 'model', 'asset'"):
        data.names(group="sets")


def test_status_lists_all_sets_without_reading_them(shelf):
    rows = data.status(group=None)
    assert list(rows.columns) == ["name", "kind", "present", "bytes", "licence", "title"]
    assert rows["name"].tolist() == data.names(group=None) and not rows["present"].any()


def test_a_size_alone_decides_presence_and_hashes_decide_use(shelf, books, server):
    books(toy={"a.bin": (BODY, [])})
    (shelf / "toy").mkdir()
    (shelf / "toy" / "a.bin").write_bytes(BODY[:-1])
    assert not data.present("toy")
    (shelf / "toy" / "a.bin").write_bytes(BODY[::-1])
    assert data.present("toy")
    with pytest.raises(data.DataCorrupt, match="is damaged"):
        data.fetch("toy", progress=False)


def test_a_model_is_no_table():
    with pytest.raises(ValueError, match=r"'minilm' is no table but a model; use data.fetch\('minilm'\)"):
        data.load("minilm")
    with pytest.raises(ValueError, match="name must be one of"):
        data.model_path("nsw")


def test_the_sentence_encoder_needs_no_conversion():
    if not data.present("minilm"):
        pytest.fail("minilm is not in the cache. Run: make data")
    folder = data.model_path("minilm")
    assert {f.path for f in SETS["minilm"].files} <= {p.name for p in folder.iterdir()}
