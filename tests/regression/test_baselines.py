"""Every recorded number stays within a reasoned tolerance of its baseline; no tolerance reaches the naive value."""

from pathlib import Path

import pytest

from causalrec_lib.course import chapters, records, regression
from causalrec_lib.course.freshness import incomparable

ROOT = Path(__file__).resolve().parents[2]
PROFILE = "ci"
CHAPTERS = [c.id for c in chapters.find()]


def baseline(chapter):
    path = regression.baseline_path(chapter, PROFILE)
    return records.read(path) if path.is_file() else {}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_records_match_their_baseline(chapter):
    assert not (why := incomparable(chapter, PROFILE, ROOT, ROOT / "build")), why
    moved = regression.told(chapter, regression.compare(chapter, PROFILE))
    other = regression.packages(chapter, PROFILE)
    assert not moved, "\n".join(["", *other, *moved, f"if this is meant: causalrec records {chapter} --update"])


@pytest.mark.parametrize("chapter", [c.id for c in chapters.find() if not c.is_page])
def test_every_chapter_has_a_baseline_with_a_truth_and_a_naive_value(chapter):
    found = baseline(chapter)
    assert len(found) >= 8, f"{chapter} has {len(found)} baseline records"
    assert any(r.truth is not None and r.naive is not None for r in found.values()), chapter


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_tolerance_reaches_the_naive_value(chapter):
    for name, r in baseline(chapter).items():
        if r.naive is None or r.naive == r.value:
            continue
        reach = regression.tolerance(r, "value")
        assert reach < abs(r.value - r.naive), (
            f"{chapter}: tolerance {reach:g} of {name} reaches the naive {r.naive:g}"
        )


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_naive_value_differs_from_the_estimate(chapter):
    same = [name for name, r in baseline(chapter).items() if r.naive is not None and r.naive == r.value]
    assert not same, f"{chapter}: naive equals the estimate in {same}; then it is not a naive value"


def make(tmp_path, value, **more):
    build = tmp_path / "build"
    record = records.Record(value, **more)
    records.write(records.record_path("weighting/09_x", PROFILE, build), {}, {"ate": record})
    return build


@pytest.mark.parametrize(
    ("kind", "mc_se", "moved_to", "verdict"),
    [
        ("closed_form", None, 2.0 * (1 + 9e-7), "same"),
        ("closed_form", None, 2.0 * (1 + 2e-6), "moved"),
        ("stochastic", 0.1, 2.39, "same"),
        ("stochastic", 0.1, 2.41, "moved"),
        ("exact", None, 2.0 + 1e-12, "moved"),
    ],
)
def test_the_comparison_bites(tmp_path, kind, mc_se, moved_to, verdict):
    path = regression.baseline_path("weighting/09_x", PROFILE, tmp_path)
    records.write(path, {}, {"ate": records.Record(2.0, kind=kind, mc_se=mc_se)})
    build = make(tmp_path, moved_to, kind=kind, mc_se=mc_se)
    (row,) = regression.compare("weighting/09_x", PROFILE, build, tmp_path)
    assert (row.name, row.verdict) == ("ate.value", verdict)


def test_a_lost_and_a_new_record_are_noticed(tmp_path):
    path = regression.baseline_path("weighting/09_x", PROFILE, tmp_path)
    records.write(path, {}, {"old": records.Record(1.0), "optional": records.Record(1.0, optional=True)})
    build = make(tmp_path, 2.0)
    verdicts = {r.name: r.verdict for r in regression.compare("weighting/09_x", PROFILE, build, tmp_path)}
    assert verdicts == {"ate.value": "new", "old.value": "gone"}


def test_packages_of_other_versions_are_named(tmp_path):
    path = regression.baseline_path("weighting/09_x", PROFILE, tmp_path)
    build = make(tmp_path, 2.0)
    assert regression.packages("weighting/09_x", PROFILE, build, tmp_path) == []
    old, new = {"numpy": "2.1.3", "scipy": "1.15.3", "gone": "1"}, {"numpy": "2.2.0", "scipy": "1.15.3"}
    records.write(path, {"versions": old}, {"ate": records.Record(1.0)})
    records.write(
        records.record_path("weighting/09_x", PROFILE, build), {"versions": new}, {"ate": records.Record(2.0)}
    )
    assert regression.packages("weighting/09_x", PROFILE, build, tmp_path) == ["numpy was 2.1.3, is 2.2.0"]


@pytest.mark.parametrize("chapter", [c.id for c in chapters.find() if baseline(c.id)])
def test_a_baseline_says_what_it_was_made_with(chapter):
    made_with = regression.load_meta(regression.baseline_path(chapter, PROFILE))["versions"]
    assert {"python", "numpy", "scipy", "scikit-learn"} <= set(made_with)
