"""pyproject, constraints and environment.yml name one environment."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = {
    canonicalize_name(name): Version(version)
    for name, version in (
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    )
}
DECLARED = [Requirement(r) for r in PROJECT["dependencies"]] + [
    Requirement(r) for extra in PROJECT["optional-dependencies"].values() for r in extra
]
COLAB = {
    canonicalize_name(name): Version(version)
    for name, version in (
        line.split("==") for line in (ROOT / "tests/colab/versions.txt").read_text().splitlines() if "==" in line
    )
}


@pytest.mark.parametrize("requirement", DECLARED, ids=lambda r: r.name)
def test_every_declared_package_is_pinned_within_its_range(requirement):
    pin = CONSTRAINTS.get(canonicalize_name(requirement.name))
    assert pin is not None, f"{requirement.name} has no pin in constraints.txt"
    assert requirement.specifier.contains(pin), f"pin {requirement.name}=={pin} is outside of {requirement.specifier}"


def test_every_line_of_the_constraints_is_an_exact_public_pin():
    lines = [ln for ln in (ROOT / "constraints.txt").read_text().splitlines() if ln.strip() and ln[0] != "#"]
    assert len(lines) == len(CONSTRAINTS)
    for name, version in CONSTRAINTS.items():
        assert version.local is None, f"{name}=={version} is a local build that an index does not serve"


def test_conda_environment_installs_exactly_these_pins():
    env = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(d["pip"] for d in env["dependencies"] if isinstance(d, dict))
    assert "--constraint constraints.txt" in pip
    extras = ",".join(PROJECT["optional-dependencies"])
    assert f"--editable .[{extras}]" in pip
    python = next(d for d in env["dependencies"] if isinstance(d, str) and d.startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.split("=")[1])


def test_makefile_and_environment_install_the_same_extras():
    extras = ",".join(PROJECT["optional-dependencies"])
    assert f"'.[{extras}]'" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("extra", ["base", "causal", "language"])
def test_colab_needs_no_replacement_of_its_own_packages(extra):
    wanted = PROJECT["dependencies"] if extra == "base" else PROJECT["optional-dependencies"][extra]
    for requirement in map(Requirement, wanted):
        there = COLAB.get(canonicalize_name(requirement.name))
        if there is not None:
            assert requirement.specifier.contains(there), f"Colab has {requirement.name} {there}: {requirement}"
