"""Conditional independence, tested: the covariance of what two columns keep when others are taken out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2, chi2_contingency
from sklearn.preprocessing import PolynomialFeatures

from causalrec_lib import _validate
from causalrec_lib._mestimation import cluster_codes
from causalrec_lib._separation import Independence
from causalrec_lib._validate import FloatArray

ROWS_A_PRODUCT = 50


class IndependenceTest(NamedTuple):
    """Result of one test: under independence `statistic` is chi-square with `df` degrees of freedom."""

    statistic: float
    df: int
    p: float


def independence_test(
    data: pd.DataFrame,
    a: Hashable,
    b: Hashable,
    given: Collection[Hashable] = (),
    *,
    clusters: ArrayLike | None = None,
    degree: int = 3,
) -> IndependenceTest:
    """Test whether two columns are independent once others are known (generalised covariance measure).

    Parameters
    ----------
    data : pandas.DataFrame of shape (n, k)
        Columns of numbers, or of labels (text, categories, booleans).
    a, b : label
        The two columns.
    given : collection of labels
        The columns held fixed.
    clusters : array-like of shape (n,), optional
        Labels of rows that belong together; by default rows are independent.
    degree : int
        Both sides are regressed on the numbers in `given` with all products up to this degree, beside an indicator
        for each label.

    Returns
    -------
    IndependenceTest
        Statistic, degrees of freedom, p-value.

    Raises
    ------
    ValueError
        If a column is unknown, used twice, constant, has missing or infinite values, or has too many labels.

    Notes
    -----
    Two columns of labels with nothing held fixed are tested by Pearson's chi-square. Else the products of the two
    columns' residuals have mean zero under independence, if the regressions are right. A small p-value refutes
    independence; a large one proves nothing: dependence without covariance is not seen.
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: shah2020hardness
    """
    n = len(_validate.frame(data, "data"))
    if isinstance(given, str):
        raise ValueError("given must be a list of columns, not one text.")
    names = [a, b, *_validate.iterable(given, "given")]
    if len(set(map(str, names))) < len(names):
        raise ValueError(f"a, b and given name a column twice: {', '.join(map(str, names))}.")
    for name, columns in (("a", [a]), ("b", [b]), ("given", names[2:])):
        _in_table(columns, name, data)
    if len(names) == 2 and clusters is None and _is_label(data[a]) and _is_label(data[b]):
        return _pearson(data, a, b)
    regressors = _explaining(data[names[2:]], _validate.integer(degree, "degree", low=1, high=6))
    left, right = (_take_out(_numbers(data, c), regressors) for c in (a, b))
    products = np.einsum("ni,nj->nij", left, right).reshape(n, -1)
    if products.shape[1] * ROWS_A_PRODUCT > n:
        raise ValueError(
            f"{a} and {b} have {products.shape[1]:,} combinations of labels, too many for {n:,} rows; merge labels."
        )
    return _wald(products, cluster_codes(clusters, n))


def _in_table(columns: Collection[Hashable], name: str, data: pd.DataFrame) -> None:
    lacking = ", ".join(str(c) for c in columns if not isinstance(c, Hashable) or c not in data.columns)
    if lacking:
        raise ValueError(f"{name} names {lacking}, no column of data; it has {', '.join(map(str, data.columns))}.")


def _is_label(values: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)


def _pearson(data: pd.DataFrame, a: Hashable, b: Hashable) -> IndependenceTest:
    """Test two columns of labels by their table of counts."""
    for column in (a, b):
        _numbers(data, column)
    found = chi2_contingency(pd.crosstab(data[a], data[b]), correction=False)
    few = float((found.expected_freq < 5).mean())
    if few > 0.2:
        raise ValueError(
            f"{few:.0%} of the combinations of {a} and {b} are expected fewer than five times; merge rare labels."
        )
    return IndependenceTest(float(found.statistic), int(found.dof), float(found.pvalue))


def _numbers(data: pd.DataFrame, column: Hashable) -> FloatArray:
    """Return a column of numbers, or one indicator for each label but the first."""
    values = data[column]
    if values.isna().any():
        raise ValueError(
            f"{column} of data has no value in {_validate.rows(values.isna().to_numpy())}; drop these rows."
        )
    if not _is_label(values):
        found = _validate.vector(values, f"{column} of data")[:, None]
    else:
        found = pd.get_dummies(values.astype(str), drop_first=True, dtype=float).to_numpy()
    if found.shape[1] == 0 or np.ptp(found, axis=0).min() == 0:
        raise ValueError(f"{column} of data has one value only; a constant is independent of everything.")
    return found


def _explaining(given: pd.DataFrame, degree: int) -> FloatArray:
    """Return the regressors: a constant, powers and products of the numbers, and an indicator for each label."""
    columns = {c: _numbers(given, c) for c in given}
    numbers = [v for v in columns.values() if v.shape[1] == 1]
    parts = [np.ones((len(given), 1))]
    if numbers:
        scaled = np.column_stack(numbers)
        scaled = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0)
        parts.append(PolynomialFeatures(degree, include_bias=False).fit_transform(scaled))
    return np.column_stack([*parts, *(v for v in columns.values() if v.shape[1] > 1)])


def _take_out(values: FloatArray, regressors: FloatArray) -> FloatArray:
    """Return the residuals of a least-squares fit."""
    fitted: FloatArray = regressors @ np.linalg.lstsq(regressors, values, rcond=None)[0]
    return values - fitted


def _wald(products: FloatArray, codes: np.ndarray | None) -> IndependenceTest:
    """Test that all products have mean zero; clusters are summed up first."""
    total = products.sum(axis=0)
    parts = products if codes is None else np.add.reduceat(
        products[np.argsort(codes, kind="stable")], np.flatnonzero(np.r_[True, np.diff(np.sort(codes)) > 0]), axis=0
    )  # fmt: skip
    inverse = np.linalg.pinv(parts.T @ parts, rcond=1e-10, hermitian=True)
    statistic, df = float(total @ inverse @ total), int(np.linalg.matrix_rank(parts.T @ parts, hermitian=True))
    return IndependenceTest(statistic, df, float(chi2.sf(statistic, df)))


def check_independences(
    claims: Iterable[Independence], data: pd.DataFrame, *, clusters: ArrayLike | None = None, degree: int = 3
) -> pd.DataFrame:
    """Hold the independences that a graph implies against data.

    Parameters
    ----------
    claims : iterable of Independence
        What `implied_independences` returned; nodes are columns of `data`.
    data : pandas.DataFrame of shape (n, k)
        The columns: numbers, or labels as text or categories.
    clusters : array-like of shape (n,), optional
        Labels of rows that belong together.
    degree : int
        Highest power, products included, by which the numbers in `given` explain both sides.

    Returns
    -------
    pandas.DataFrame
        One row a claim: `claim`, `statistic`, `df`, `p`, `p_holm` (corrected for the number of claims) and `refuted`
        (p_holm below .05).

    Raises
    ------
    ValueError
        If there is no claim, or `independence_test` refuses a column.

    Notes
    -----
    Chapter: dags/01_graphs_and_identification

    References
    ----------
    bib: shah2020hardness
    """
    _validate.frame(data, "data")
    rows = []
    for claim in _validate.iterable(claims, "claims"):
        _validate.instance(claim, "each of claims", Independence, "take what implied_independences returns")
        _in_table([claim.a, claim.b, *claim.given], "claims", data)
        found = independence_test(data, claim.a, claim.b, claim.given, clusters=clusters, degree=degree)
        rows.append((str(claim), found.statistic, found.df, found.p))
    if not rows:
        raise ValueError("claims is empty: this graph says nothing that these columns could refute.")
    table = pd.DataFrame(rows, columns=["claim", "statistic", "df", "p"])
    smallest_first = table["p"].sort_values()
    still = range(len(table), 0, -1)
    table["p_holm"] = (smallest_first * list(still)).cummax().clip(upper=1.0)
    return table.assign(refuted=table["p_holm"] < 0.05)
