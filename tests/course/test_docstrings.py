"""Public functions and classes, and what is public of a class, have numpydoc docstrings that pass the checks."""

import functools
import importlib
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import causalrec_lib
from causalrec_lib.course.chapters import PARTS

ROOT = Path(__file__).resolve().parents[2]
CHECKS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]["checks"])
MEMBERS = (property, functools.cached_property, classmethod, staticmethod)


def of_the_library(thing):
    return getattr(thing, "__module__", "").startswith("causalrec_lib")


def public_modules():
    for info in pkgutil.walk_packages(causalrec_lib.__path__, "causalrec_lib."):
        if not any(part.startswith("_") for part in info.name.split(".")) and ".checks." not in info.name:
            yield importlib.import_module(info.name)


def public_things():
    """Yield the functions and classes that a public module defines, or hands on from wherever they are defined."""
    for module in public_modules():
        handed_on = set(getattr(module, "__all__", ()))
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == module.__name__ and not name.startswith("_")
            if (own or (name in handed_on and of_the_library(thing))) and (
                inspect.isclass(thing) or inspect.isfunction(thing)
            ):
                yield thing


def members(cls):
    """Yield the public methods and properties of a class, those of its bases in the library too."""
    for base in filter(of_the_library, cls.__mro__):
        for name, member in vars(base).items():
            field = name in vars(base).get("__annotations__", {})  # of a dataclass: described among its parameters
            if not name.startswith("_") and not field and (inspect.isfunction(member) or isinstance(member, MEMBERS)):
                yield name


def public_names():
    found = set()
    for thing in public_things():
        home = f"{thing.__module__}.{thing.__qualname__}"
        found.add(home)
        if inspect.isclass(thing):
            found |= {f"{home}.{name}" for name in members(thing)}
    return found


NAMES = sorted(public_names())


@pytest.mark.parametrize("name", NAMES)
def test_docstring(name):
    errors = [(code, text) for code, text in validate(name)["errors"] if code in CHECKS]
    assert not errors, errors


def test_the_chapter_that_a_docstring_names_exists_or_is_a_part():
    known = {*PARTS, *(f"{path.parent.name}/{path.stem}" for path in (ROOT / "notebooks").glob("*/*.py"))}
    named = {
        (chapter, path.name)
        for path in (ROOT / "causalrec_lib").rglob("*.py")
        for chapter in re.findall(r"^ +Chapter: (\S+)$", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 20
    assert not sorted(at for at in named if at[0] not in known)


def test_every_member_of_the_world_names_its_chapter():
    inside = [name for name in NAMES if name.startswith("causalrec_lib.data.world.")]
    assert len(inside) > 60
    assert not [name for name in inside if "Chapter: " not in validate(name)["docstring"]]


def test_names_from_private_modules_and_members_are_among_them():
    wanted = {
        "causalrec_lib._propensity.propensity",
        "causalrec_lib._propensity.PropensityFit.predict",
        "causalrec_lib._match.match",
        "causalrec_lib._match.Matches.weights",
        "causalrec_lib._balance.overlap_summary",
        "causalrec_lib.estimate.Estimate.covers",
        "causalrec_lib.course.chapters.Chapter.notebook",
    }
    assert wanted <= set(NAMES)
