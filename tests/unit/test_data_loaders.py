"""Every table of every set: its rows, its types, and that nothing but data was read to get it."""

import ast
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest

from causalrec_lib import data
from causalrec_lib.data import registry
from causalrec_lib.data.loaders import tidy
from tests.unit.data_tables import ROOT, SETS, TABLES, load

IDS = ("id", "_id", "zip_code", "seqn", "village", "hamlet", "agent", "company")
PROJECTS = {e.archive.project for e in registry.entries().values() if e.archive}
INSTALLED_ANYWAY = {"econml"}  # the course calls it; its data are read from the archive all the same


def test_every_set_has_a_loader_and_every_loader_a_set():
    assert set(data.LOADERS) == set(SETS)


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_rows_and_types(name, table):
    df = load(name, table)
    assert len(df) == registry.entry(name).rows[table]
    assert df.index.equals(pd.RangeIndex(len(df))) and df.columns.is_unique
    assert df.attrs["card"] == name
    for column, kind in df.dtypes.items():
        assert column == column.lower().replace(" ", "_") == column.strip("_"), column
        assert not pd.api.types.is_object_dtype(kind), f"{column} has no type"
        if kind.kind in "iufb" and not isinstance(kind, pd.CategoricalDtype):
            assert str(kind) in ("int64", "float64", "bool"), f"{column} is {kind}"
        if kind.kind == "f":
            assert np.isfinite(df[column].dropna()).all(), column


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_ids_are_labels(name, table):
    df = load(name, table)
    for column in [c for c in df if c.endswith(IDS)]:
        assert isinstance(df[column].dtype, pd.StringDtype), f"{column} is {df[column].dtype}"
        assert not df[column].dropna().str.contains(r"^\d+\.0$").any(), f"{column} went through float"


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [
        ("movielens_100k", "ratings", ["user_id", "item_id"]),
        ("movielens_100k", "items", ["item_id"]),
        ("movielens_100k", "users", ["user_id"]),
        ("movielens_small", "ratings", ["user_id", "item_id"]),
        ("movielens_small", "items", ["item_id"]),
        ("coat", "train", ["user_id", "item_id"]),
        ("coat", "test", ["user_id", "item_id"]),
        ("coat", "propensities", ["user_id", "item_id"]),
        ("nhefs", "full", ["seqn"]),
        ("open_bandit_small", "items_all", ["item_id"]),
        ("mode_canada", "alternatives", ["traveller_id", "alternative"]),
        ("ta_feng", "transactions", ["date", "customer_id", "product_id"]),
    ],
)
def test_keys_are_unique(name, table, key):
    assert not load(name, table).duplicated(key).any()


@pytest.mark.parametrize(
    ("name", "table", "column", "other"),
    [
        ("movielens_100k", "ratings", "item_id", "items"),
        ("movielens_100k", "ratings", "user_id", "users"),
        ("movielens_small", "ratings", "item_id", "items"),
        ("movielens_small", "items", "item_id", "links"),
        ("coat", "train", "user_id", "user_features"),
        ("coat", "test", "item_id", "item_features"),
        ("open_bandit_small", "bts_men", "item_id", "items_men"),
    ],
)
def test_tables_join_on_their_labels(name, table, column, other):
    assert set(load(name, table)[column]) <= set(load(name, other)[column])


def test_propensities_are_probabilities():
    for name, table in (("open_bandit_small", "all"), ("coat", "train"), ("coat", "propensities")):
        assert load(name, table)["propensity"].between(0, 1, inclusive="neither").all()


def test_the_bandit_stack_is_its_six_logs():
    stack = load("open_bandit_small", "all")
    for policy in ("random", "bts"):
        for campaign in ("all", "men", "women"):
            part = stack[(stack["policy"] == policy) & (stack["campaign"] == campaign)]
            log = load("open_bandit_small", f"{policy}_{campaign}")
            assert part["propensity"].tolist() == log["propensity"].tolist()
            assert part["item_id"].tolist() == log["item_id"].tolist()


def test_a_file_of_another_version_is_refused():
    with pytest.raises(ValueError, match="lacks the columns b; is it another version"):
        tidy(pd.DataFrame({"a": [1]}), {"a": "a", "b": "b"})


WATCH = """
import sys
loaded, started = set(), []
def hook(event, arguments):
    if event == "pickle.find_class":
        raise RuntimeError(f"a pickle was opened: {arguments}")
    if event == "import":
        loaded.add(arguments[0].partition(".")[0])
    if event == "subprocess.Popen":
        started.append(arguments)
sys.addaudithook(hook)
from causalrec_lib import data
for name in data.names():
    if data.present(name):
        for table in data.tables(name):
            data.load(name, table)
print(sorted(loaded & set(sys.argv[1:])), started)
"""


def test_loading_opens_no_pickle_imports_no_archive_and_starts_nothing():
    modules = [p.replace("-", "_") for p in PROJECTS]
    command = [sys.executable, "-W", "error::UserWarning", "-c", WATCH, *modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[] []"


def _calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)
            yield from (f"{k.arg}={ast.unparse(k.value)}" for k in node.keywords)


def test_no_line_of_the_library_can_open_a_pickle_or_run_foreign_code():
    barred = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "joblib.load"}
    barred |= {"pd.read_pickle", "torch.load", "allow_pickle=True", "trust_remote_code=True", "weights_only=False"}
    barred |= {"tar.extractall", "archive.extractall", "eval", "exec"}
    for path in (ROOT / "causalrec_lib" / "data").rglob("*.py"):
        found = barred & set(_calls(ast.parse(path.read_text(encoding="utf-8"))))
        assert not found, f"{path} uses {found}"


def test_no_registered_file_is_a_pickle():
    endings = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".npy", ".npz", ".joblib", ".rda", ".h5", ".py", ".so")
    for name, e in registry.entries().items():
        assert not [f.path for f in e.files if f.path.endswith(endings)], name


def test_archives_are_no_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"], *(d for e in project["optional-dependencies"].values() for d in e)]
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    names = {line.partition("=")[0].partition(">")[0].strip().lower() for line in [*listed, *pinned]}
    assert names & {p.lower() for p in PROJECTS} <= INSTALLED_ANYWAY


def test_archives_are_not_imported_anywhere():
    modules = {p.replace("-", "_") for p in PROJECTS - INSTALLED_ANYWAY}
    files = [*(ROOT / "causalrec_lib").rglob("*.py"), *(ROOT / "notebooks").rglob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not modules & {n.partition(".")[0] for n in named}, f"{path}:{node.lineno}"
