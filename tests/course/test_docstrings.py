"""Public functions and classes have numpydoc docstrings that pass the chosen checks."""

import importlib
import inspect
import pkgutil
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import causalrec_lib

ROOT = Path(__file__).resolve().parents[2]
CHECKS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]["checks"])


def public_names():
    for info in pkgutil.walk_packages(causalrec_lib.__path__, "causalrec_lib."):
        if any(part.startswith("_") for part in info.name.split(".")) or ".checks." in info.name:
            continue
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != info.name:
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield f"{info.name}.{name}"


@pytest.mark.parametrize("name", sorted(public_names()))
def test_docstring(name):
    errors = [(code, text) for code, text in validate(name)["errors"] if code in CHECKS]
    assert not errors, errors
