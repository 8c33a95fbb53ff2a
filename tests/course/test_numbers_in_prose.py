"""Typed results are found, and what is no result is left alone."""

import pytest

from . import form
from .form_text import spoken, typed_numbers

RESULTS = {
    "The effect is 0.42 stars.": ["0.42"],
    "It falls by .5 on average.": [".5"],
    "The effect is -1,794.34 dollars.": ["1,794.34"],
    "The programme pays $1,794 a year, not $2,100.": ["1,794", "2,100"],
    "We showed it to 17 000 people.": ["17 000"],
    "We showed it to 2500 people.": ["2500"],
    "12% of users left.": ["12%"],
    "12 % of users left.": ["12 %"],
    "12.5 per cent of users left.": ["12.5 per cent"],
    "3 percentage points more": ["3 percentage points"],
    "It is 4 times as large, or 2.5x.": ["4 times", "2.5x"],
    "It sits 5 standard errors from the truth.": ["5 standard errors"],
    "The answer is $0.42$.": ["0.42"],
    "The answer is $1234$.": ["1234"],
    "> :::: 0.7 in a quotation": ["0.7"],
    "| estimator | 0.31 |": ["0.31"],
    "## The effect is 0.42": ["0.42"],
    "<b>0.42</b>": ["0.42"],
    "between 0.1 and 0.2, as in (0.3)": ["0.1", "0.2", "0.3"],
    "Covered in 93% of the runs, with 95% intervals.": ["93%"],
    "In 2020% of cases": ["2020%"],
}
FINE = [
    "In 1983 and 2024, in the 1990s, two authors said so.",
    "See exercise 3, chapter 12, and the 5 questions of the quiz.",
    "A 95 % interval, a 90% confidence band, at 95 % confidence, 95% coverage.",
    "The number is {glue:text}`ate.se:.3f`, or {glue:text}`ledger::nsw.published:,.2f`.",
    "As {cite:t}`robins1994estimation` say, see {doc}`/chapters/weighting/01_x`.",
    "Set `alpha=0.05` and ``np.quantile(x, 0.99)``.",
    "Take $\\alpha = 0.05$ and $e(x) < 0.1$.",
    "$$\n\\hat\\tau = 0.5\\,(a + b) \\times 1{,}000\n$$",
    "[the paper](https://doi.org/10.1093/biomet/70.1.41) and <https://example.org/1.5/a>",
    "## 2.1 The second section",
    "Python 3.11, Apache 2.0, CC BY 4.0",
    "<img width='12.5' alt='x'> wide",
    "Users 1, 2 and 3; 15 minutes; item 17; the top 10.",
    "items 1,2 and 3",
]


@pytest.mark.parametrize(("prose", "want"), RESULTS.items())
def test_typed_results_are_found(prose, want):
    assert [n.strip() for n in typed_numbers(prose)] == want


@pytest.mark.parametrize("prose", FINE)
def test_what_is_no_result_is_left_alone(prose):
    assert typed_numbers(prose) == []


def test_captions_and_said_text_are_read_too():
    kinds = {kind for _, kind, _ in spoken(form.sample())}
    assert kinds == {"alt", "caption"}
