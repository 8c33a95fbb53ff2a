"""Records: written whole, read back, and turned into the numbers of the prose."""

import pytest

from causalrec_lib.course import ledger, records
from causalrec_lib.course.records import Record, Resolver

HERE, THERE = "weighting/01_here", "dags/02_there"
ROW = Record(-1794.345, se=0.5, low=-2.0, high=-0.25, truth=3.0, naive=12345.678, n=445.0, ess=44.4)


@pytest.fixture
def build(tmp_path):
    """A build with two chapters."""
    for chapter, rows in ((HERE, {"ate": ROW}), (THERE, {"ate": Record(7.0)})):
        records.write(records.record_path(chapter, "ci", tmp_path), {"chapter": chapter}, rows)
    return tmp_path


def test_what_is_written_is_read(build):
    assert records.read(records.record_path(HERE, "ci", build)) == {"ate": ROW}


def test_the_same_records_make_the_same_bytes_and_leave_no_part_behind(build):
    path = records.record_path(HERE, "ci", build)
    before = path.read_bytes()
    records.write(path, {"chapter": HERE}, {"ate": ROW})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_chapter_that_has_not_run_is_named(build):
    with pytest.raises(FileNotFoundError, match="causalrec run trees/01_none"):
        records.read(records.record_path("trees/01_none", "ci", build))


@pytest.mark.parametrize(
    ("role", "text"),
    [
        ("ate:.2f", "\u22121794.35"),
        ("ate.value:,.1f", "\u22121,794.3"),
        ("ate.se:.3f", "0.500"),
        ("ate.low:.1f", "\u22122.0"),
        ("ate.high:.2f", "\u22120.25"),
        ("ate.truth:.0f", "3"),
        ("ate.naive:,.0f", "12,346"),
        ("ate.n:d", "445"),
        ("ate.n:,d", "445"),
        ("ate.ess:.1f", "44.4"),
        ("ate.se:.0%", "50%"),
        ("ate:+.0f", "\u22121794"),
        ("ate.se", "0.5"),
        (f"{THERE}::ate:.1f", "7.0"),
        (f"{THERE}::ate", "7"),
        (f"{HERE}::ate.low:.1f", "\u22122.0"),
    ],
)
def test_a_role_becomes_a_number(build, role, text):
    assert Resolver("ci", build).text(role, HERE) == text
    assert Resolver("ci", build).resolve(f"a {{glue:text}}`{role}` b", HERE) == f"a {text} b"


@pytest.mark.parametrize("role", ["none:.2f", "ate.colour:.2f", f"{THERE}::none:.1f", "ate.mc_se:.1f"])
def test_an_unknown_number_stops_the_build(build, role):
    with pytest.raises(KeyError):
        Resolver("ci", build).text(role, HERE)


def test_an_empty_field_says_what_was_recorded(build):
    with pytest.raises(KeyError, match=r"no field 'se'; recorded: \['value'\]"):
        Resolver("ci", build).text(f"{THERE}::ate.se:.1f", HERE)


def test_a_chapter_that_has_not_run_stops_the_build(build):
    with pytest.raises(FileNotFoundError):
        Resolver("ci", build).text("trees/01_none::ate:.1f", HERE)
    with pytest.raises(FileNotFoundError):
        Resolver("full", build).text("ate:.1f", HERE)


def test_a_wrong_format_stops_the_build(build):
    with pytest.raises(ValueError, match="format"):
        Resolver("ci", build).text("ate:.2q", HERE)


def test_ledger_numbers_come_from_the_ledger(build, monkeypatch):
    monkeypatch.setattr(ledger, "published", lambda row, field: {"nsw": {"published": 1794.34, "n": 445}}[row][field])
    resolver = Resolver("ci", build)
    assert resolver.text("ledger::nsw:.2f", HERE) == "1794.34"
    assert resolver.text("ledger::nsw.published:.1f", HERE) == "1794.3"
    assert resolver.text("ledger::nsw.n:d", HERE) == "445"


def test_keys_are_found_in_a_text():
    text = "{glue:text}`a:.2f`, {glue:text}`b/c::d.se:.1f` and `code` {term}`x`"
    assert list(records.glue_keys(text)) == ["a:.2f", "b/c::d.se:.1f"]


def test_the_build_folder_is_set_by_the_environment_then_by_the_course(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALREC_BUILD", str(tmp_path / "elsewhere"))
    assert records.build_dir() == tmp_path / "elsewhere"
    monkeypatch.delenv("CAUSALREC_BUILD")
    monkeypatch.chdir(tmp_path)
    assert records.build_dir() == tmp_path / "causalrec_build"
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    assert records.build_dir() == tmp_path / "build"


def test_a_path_holds_profile_part_and_name(tmp_path):
    assert records.record_path(HERE, "full", tmp_path) == tmp_path / "records" / "full" / "weighting" / "01_here.json"
