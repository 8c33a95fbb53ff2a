"""The `causalrec` command: each subcommand on good and on bad input."""

import sys

import pytest
from typer.testing import CliRunner

from causalrec_lib.course import author, chapters, doctor, freshness, ledger, records, regression, runner
from causalrec_lib.course.cli import app

ID = "weighting/09_x"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A checkout with one chapter's records, in place of the course."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAUSALREC_BUILD", str(tmp_path / "build"))

    class Found:
        id = ID

    monkeypatch.setattr(chapters, "get", {ID: Found}.__getitem__)
    monkeypatch.setattr(chapters, "find", lambda: [Found])
    monkeypatch.setattr(freshness, "incomparable", lambda *_: "")
    return tmp_path


def call(*arguments):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))


def write(value):
    records.write(records.record_path(ID, "ci"), {}, {"ate": records.Record(value)})


def test_without_a_command_it_shows_help():
    done = call()
    assert all(word in done.output for word in ("doctor", "data", "run", "records", "ledger", "labs", "new-chapter"))


@pytest.mark.parametrize(
    ("level", "status", "verdict"), [("ok", 0, "Ready"), ("note", 0, "Ready"), ("fail", 1, "Not ready")]
)
def test_doctor_gives_verdict_and_mend(monkeypatch, level, status, verdict):
    monkeypatch.setattr(
        doctor, "examine", lambda: [doctor.Finding("data", level, "3 of 20", "causalrec data fetch nsw")]
    )
    done = call("doctor")
    assert done.exit_code == status
    assert verdict in done.output and "causalrec data fetch nsw" in done.output


def test_doctor_looks_at_all_that_the_course_needs():
    looked_at = ["library", "Python", "packages", "device", "data", "models", "free disk"]
    assert [f.what for f in doctor.examine()] == looked_at
    assert {"numpy", "pandas", "scikit-learn", "dowhy", "torch"} <= {p.name for p in doctor.packages()}


def test_doctor_names_a_package_off_its_pin(tmp_path):
    (tmp_path / "constraints.txt").write_text("numpy==0.1\nno-such-package==1.0\n")
    found = doctor._pinned(tmp_path)
    assert found.level == "fail" and "pin 0.1" in found.found and "no-such-package missing" in found.found


@pytest.mark.parametrize(
    ("here", "optional", "level"),
    [
        ("2.1.3", False, "ok"),
        ("2.1.3+cpu", False, "ok"),
        ("2.4", False, "note"),
        ("1.26", False, "fail"),
        ("1.26", True, "fail"),
        ("", False, "fail"),
        ("", True, "note"),
    ],
)
def test_outside_of_a_checkout_what_the_library_accepts_decides(here, optional, level):
    package = doctor.Package("numpy", here, "2.1.3", "numpy>=2.0.2", optional)
    assert package.level == level
    found = doctor._accepted([package])
    assert found.level == ("ok" if here == "" and optional else level)
    assert found.mend == ("pip install 'numpy>=2.0.2'" if level == "fail" else "")


def test_of_two_versions_on_the_path_the_imported_one_counts(tmp_path, monkeypatch):
    for folder, version in (("first", "9.1"), ("second", "9.2")):
        info = tmp_path / folder / f"made_up-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: made_up\nVersion: {version}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), *sys.path])
    assert doctor._installed()["made-up"] == "9.1"


def test_doctor_says_when_torch_is_broken(monkeypatch):
    class Broken:
        def find_spec(self, name, *_):
            if name == "torch":
                raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    found = doctor._device(None)
    assert found.level == "fail" and "libcudart" in found.found


def test_records_show_what_moved_and_update_writes_the_baseline(course):
    write(2.0)
    assert call("records", ID).exit_code == 1  # new: no baseline yet
    done = call("records", ID, "--update")
    assert done.exit_code == 0 and "baseline written" in done.output
    assert records.read(regression.baseline_path(ID, "ci", course))["ate"].value == 2.0
    assert call("records", ID).exit_code == 0
    write(2.5)
    done = call("records", ID)
    assert done.exit_code == 1
    assert all(word in done.output for word in (ID, "ate.value", "2", "2.5", "moved", "--update"))


def test_records_of_an_edited_or_failed_chapter_are_refused(course, monkeypatch):
    write(2.0)
    monkeypatch.setattr(freshness, "incomparable", lambda *_: f"{ID} was edited after its last run")
    done = call("records", ID, "--update")
    assert done.exit_code == 1 and "was edited" in done.output
    assert "If that is meant" not in call("records", ID).output
    assert not regression.baseline_path(ID, "ci", course).exists()


def test_another_seed_is_kept_apart(course, monkeypatch):
    asked = {}

    def run(found, profile, seed, build):
        asked.update(seed=seed, build=build)
        records.write(records.record_path(ID, profile, build), {}, {"ate": records.Record(3.0)})
        return build

    monkeypatch.setattr(runner, "run", run)
    done = call("run", ID, "--seed", "7")
    assert done.exit_code == 0 and "kept apart" in done.output and "ate" in done.output
    assert asked == {"seed": 7, "build": course / "build" / "seed-7"}
    assert not records.record_path(ID, "ci").exists()


def test_prose_needs_a_run_and_shows_the_seeds(course, monkeypatch):
    (course / "x.py").write_text("# %% [markdown]\n# Off by {glue:text}`ate:.1f`.\n")
    monkeypatch.setattr(chapters, "get", lambda _: chapters.Chapter(course / "x.py"))
    done = call("prose", "x")
    assert done.exit_code == 1 and "has not run" in done.output
    where = chapters.Chapter(course / "x.py").id
    records.write(records.record_path(where, "ci"), {}, {"ate": records.Record(3.0)})
    done = call("prose", "x")
    assert done.exit_code == 0 and "x.py:2" in done.output and "Off by 3.0." in done.output
    assert "seeds 2026" in done.output


def test_check_stops_where_going_on_makes_no_sense(course, monkeypatch):
    def step(what, code, needed=False):
        return author.Step(what, (sys.executable, "-c", f"print('told by {what}'); raise SystemExit({code})"), needed)

    monkeypatch.setattr(author, "steps", lambda _: [step("lint", 1), step("run", 1, True), step("labs", 0)])
    done = call("check", ID)
    assert done.exit_code == 1 and "told by lint" in done.output and "not yet: lint, run" in done.output
    assert "labs" not in done.output
    monkeypatch.setattr(author, "steps", lambda _: [step("lint", 0)])
    assert call("check", ID).exit_code == 0


def test_the_steps_of_a_chapter_name_its_own_files():
    todo = author.steps(chapters.get("concepts/01"))
    names = [s.what for s in todo]
    assert names.index("labs") < names.index("second run") < names.index("checks and labs' tests")
    assert "causalrec_lib/course/checks/concepts_01.py" in todo[0].command
    assert all("concepts/01" in " ".join(s.command) for s in todo[1:])
    for step in (s for s in todo if "pytest" in s.command):  # ids of chapters and of exercises both begin so
        assert step.command[-1].endswith("concepts/01")


def test_absent_data_are_no_fault_of_a_fresh_clone(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALREC_CACHE", str(tmp_path))
    for root, who in ((tmp_path, "make book fetches"), (None, "a lab's first cell fetches")):
        found = doctor._stock("data", "data", root)
        assert found.level == "note" and who in found.mend and "causalrec data fetch" in found.mend


def test_an_unknown_chapter_is_named_with_the_known_ones():
    for command in ("run", "records"):
        done = call(command, "weighting/99")
        assert done.exit_code == 1 and "weighting/99" in done.output and "concepts/01_why_causal" in done.output


def test_run_tells_how_a_chapter_failed(course, monkeypatch):
    def fail(*_):
        raise runner.ChapterFailed("chapter weighting/09_x failed in cell 3")

    monkeypatch.setattr(runner, "run", fail)
    done = call("run", ID)
    assert done.exit_code == 1 and "failed in cell 3" in done.output


@pytest.mark.parametrize(
    ("ours", "status", "code"), [(1.0, "reproduced", 0), (2.0, "DIFFERS", 1), (None, "not run", 0)]
)
def test_ledger_fails_only_where_a_number_differs(course, monkeypatch, ours, status, code):
    row = ledger.Row("id", "ATE", "nsw", 445, 1.0, "a/b", "Table 1", 0.1, "printed with one decimal", f"{ID}::ate")
    monkeypatch.setattr(ledger, "rows", lambda: {"id": row})
    if ours is not None:
        write(ours)
    done = call("ledger")
    assert done.exit_code == code and status in done.output


def test_new_chapter_writes_three_files_once(course):
    done = call("new-chapter", "weighting", "09_overlap")
    assert done.exit_code == 0
    assert (course / "notebooks" / "weighting" / "09_overlap.py").is_file()
    again = call("new-chapter", "weighting", "09_overlap")
    assert again.exit_code == 1 and "Nothing was written" in " ".join(again.output.split())
    assert call("new-chapter", "cooking", "01_soup").exit_code == 1
