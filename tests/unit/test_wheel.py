"""The wheel holds all that a notebook needs where only the library is installed, as in Colab."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from causalrec_lib import data
from causalrec_lib.course.labs_setup import SOURCES

ROOT = Path(__file__).resolve().parents[2]
BUILD = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
SETTING = """
import sys
sys.path[:] = [p for p in sys.path if p and p != {root!r}]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in str(f).lower()]
sys.path.insert(0, {site!r})
"""
QUESTIONS = """
import causalrec_lib
from causalrec_lib import data
from causalrec_lib.course.labs_setup import SOURCES
from causalrec_lib.course import ledger
print(causalrec_lib.__file__)
print(*data.names(group=None))
print(data.cache_dir(), data.present("nsw"))
print(len(ledger.rows()))
print(data.card("coat"))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The content of the wheel, built from a copy of the sources without a network."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "cache"))
        else:
            shutil.copy(ROOT / name, source / name)
    (source / "data" / "cache").mkdir()
    (source / "data" / "cache" / "big.bin").write_bytes(b"must not be shipped")
    done = subprocess.run(
        [*BUILD, "--wheel-dir", out, source], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with zipfile.ZipFile(next(out.glob("*.whl"))) as z:
        z.extractall(out / "site")
    return out / "site"


def test_the_wheel_ships_registry_cards_ledger_templates_and_types(unpacked):
    have = {str(p.relative_to(unpacked)) for p in unpacked.rglob("*") if p.is_file()}
    wanted = {str(p.relative_to(ROOT)) for p in (ROOT / "causalrec_lib").rglob("*.py")}
    wanted |= {f"causalrec_lib/_registry/cards/{n}.md" for n in data.names(group=None)}
    wanted |= {f"causalrec_lib/_registry/{n}" for n in ("sources.toml", "constraints.txt")}
    wanted |= {"causalrec_lib/py.typed", "causalrec_lib/course/ledger.toml"}
    wanted |= {str(p.relative_to(ROOT)) for p in (ROOT / "causalrec_lib" / "course" / "templates").glob("*.*")}
    assert wanted - have == set()
    assert {p for p in have - wanted if ".dist-info/" not in p} == set(), "shipped and not needed"


def test_the_installed_library_finds_its_sets_and_cards(unpacked, tmp_path, monkeypatch):
    """With the wheel's folder and the environment's packages, but without this checkout."""
    monkeypatch.delenv("CAUSALREC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code = SETTING.format(root=str(ROOT), site=str(unpacked)) + QUESTIONS
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    where, names, cache, rows, *card = done.stdout.splitlines()
    assert Path(where).is_relative_to(unpacked)
    assert names.split() == data.names(group=None)
    if sys.platform == "linux":
        assert cache == f"{tmp_path / 'cache' / 'causalrec'} False"
    assert int(rows) > 0 and "\n".join(card) == str(data.card("coat"))


def test_the_doctor_works_where_only_the_library_is(unpacked, tmp_path):
    """In an empty folder without a network, as in a Colab session."""
    code = SETTING.format(root=str(ROOT), site=str(unpacked))
    code += "from causalrec_lib.course.cli import app\napp(['doctor'])\n"
    setting = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200", "CAUSALREC_OFFLINE": "1"}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=setting, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    pin = next(p for p in (ROOT / "constraints.txt").read_text().splitlines() if p.startswith("numpy=="))
    assert all(
        word in done.stdout for word in ("installed without a checkout", pin[7:], "run the first cell of a lab")
    )
