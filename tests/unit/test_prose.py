"""Prose beside its numbers: every seed's value stands in the sentence."""

import pytest

from causalrec_lib.course import prose, records
from causalrec_lib.course.chapters import Chapter

SOURCE = """# %% [markdown]
# # A page
#
# No number here.
#
# It misses by {glue:text}`gap:.2f`, the other by
# {glue:text}`gap.naive:.1f`.

# %%
x = 1

# %% [markdown]
# Elsewhere it is {glue:text}`weighting/08_y::gap:.2f`.
"""


@pytest.fixture
def chapter(tmp_path):
    """A chapter of two paragraphs with numbers."""
    path = tmp_path / "notebooks" / "weighting" / "09_x.py"
    path.parent.mkdir(parents=True)
    path.write_text(SOURCE)
    return Chapter(path)


def ran(folder, value, chapter="weighting/09_x", name="gap"):
    records.write(records.record_path(chapter, "ci", folder), {}, {name: records.Record(value, naive=9.0)})


def test_each_paragraph_shows_the_numbers_of_all_seeds_and_its_line(chapter, tmp_path):
    ran(tmp_path, 0.25)
    ran(tmp_path, 0.5, "weighting/08_y")
    ran(tmp_path / "seed-7", -0.75)
    ran(tmp_path / "seed-2027", 1.0, name="old")
    assert list(prose.paragraphs(chapter, "ci", tmp_path)) == [
        (6, "It misses by 0.25 | not recorded | \u22120.75, the other by\n9.0 | not recorded | 9.0."),
        (13, "Elsewhere it is 0.50."),
    ]
    assert [*prose.seeds(chapter, "ci", tmp_path)] == [2026, 2027, 7]


def test_a_chapter_that_has_not_run_or_lacks_a_number_says_so(chapter, tmp_path):
    with pytest.raises(ValueError, match="weighting/09_x has not run"):
        list(prose.paragraphs(chapter, "ci", tmp_path))
    ran(tmp_path, 0.25, name="other")
    with pytest.raises(ValueError, match="nothing is recorded as 'gap'"):
        list(prose.paragraphs(chapter, "ci", tmp_path))
