# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   course:
#     kind: page
#     after: chapters
#     reading_minutes: 5
#     exercise_minutes: 0
#     data: []
#     max_seconds: 30
# ---

# %% [markdown]
# # The ledger
#
# Somebody printed a number. We have the data, the method and a chapter that computes it. Do we find the same?
#
# Each row below is one published number. *Ours* comes from the record that a chapter left when this book was
# built; nobody typed it. A difference within the tolerance counts as **reproduced**. The reason for each
# tolerance stands beside it, because a tolerance without a reason is a way of looking away. **Failure
# reproduced** means: the printed number is wrong, and the course shows how it came about. **Agrees** is less: nobody
# printed that number, and a second library computes the same on the same data. Such rows are counted by themselves.
#
# Three ways in which agreement can still mislead you:
#
# - Both sides may share one mistake. A reproduction says that the recipe was followed, not that the recipe is right.
# - A number reproduced on the authors' data says nothing about yours.
# - We chose the rows. Numbers that we tried and could not reproduce belong here too, marked as such.

# %% tags=["parameters"]
PROFILE = "ci"
SEED = 2026

# %% tags=["hide-input"]
import html

from IPython.display import HTML, display
from pybtex.database import parse_file
from pybtex.richtext import Text

from causalrec_lib import course
from causalrec_lib.course import ledger
from causalrec_lib.course.records import repo_root

run = course.start(PROFILE, SEED, chapter="reference/ledger")
table = ledger.table(PROFILE)

# %% [markdown]
# ## Where we stand

# %% tags=["hide-input"]
printed = table["kind"] == "published"
counts, second = table.loc[printed, "status"].value_counts(), table.loc[~printed, "status"].value_counts()
for status in ("reproduced", "failure reproduced", "DIFFERS", "not run"):
    run.record(status.lower().replace(" ", "_"), float(counts.get(status, 0)), kind="measured")
run.record("rows", float(printed.sum()), kind="measured")
run.record("second_library", float((~printed).sum()), kind="measured")
course.say(
    f"Of **{printed.sum()}** published numbers, **{counts.get('reproduced', 0)}** are reproduced, "
    f"**{counts.get('failure reproduced', 0)}** are wrong in print and we show why, "
    f"**{counts.get('DIFFERS', 0)}** differ, and **{counts.get('not run', 0)}** did not run in this build. "
    f"For **{(~printed).sum()}** more we found no print; a second library agrees on **{second.get('agrees', 0)}**."
)

# %% [markdown]
# ## Row by row

# %% tags=["hide-input"]
STYLE = {"reproduced": "good", "failure reproduced": "good", "agrees": "open", "DIFFERS": "bad", "not run": "open"}
root = repo_root()
entries = parse_file(str(root / "book" / "references.bib")).entries


def who(key):
    """Return authors and year of a source, linked to its DOI; or the source itself if it is no printed work."""
    if key not in entries:
        return html.escape(key)
    entry = entries[key]
    names = [str(Text.from_latex(str(p.last_names[-1]))) for p in entry.persons["author"]]
    told = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    label = html.escape(f"{told} ({entry.fields['year']})")
    doi = entry.fields.get("doi")
    return f'<a href="https://doi.org/{html.escape(doi, quote=True)}">{label}</a>' if doi else label


def number(value):
    """Return a number with as many digits as its size deserves."""
    if value is None or value != value:
        return ""
    digits = f"{float(f'{value:.5g}'):.10f}" if abs(value) < 1 else f"{value:,.4f}"
    return digits.rstrip("0").rstrip(".").replace("-", "\u2212")


def chapter_of(row):
    """Return the chapter that computes our number, linked if the book has it."""
    chapter, _, record = row.record.partition("::")
    name = chapter.replace("/", "/<wbr>").replace("_", "_<wbr>")
    known = (root / "notebooks" / f"{chapter}.py").is_file()
    shown = f'<a href="../{chapter}.html">{name}</a>' if known else name
    return f"computed in {shown} as <code>{html.escape(record)}</code>"


def cells(row):
    """Return one row of the page's table."""
    printed = (
        f'<span class="cr-small">{who(row.source)}, {html.escape(row.where)}; {row.n:,} rows of {row.data}</span>'
    )
    mark = f'<span class="cr-status cr-{STYLE[row.status]}">{row.status}</span>'
    why = f'&plusmn; {number(row.tolerance)}<span class="cr-small">{html.escape(row.why)}</span>'
    numbers = "".join(f'<td class="cr-num">{number(value)}</td>' for value in (row.published, row.ours))
    ours = f'<span class="cr-small">{chapter_of(row)}</span>'
    return f"<tr><td>{html.escape(row.quantity)}{printed}{ours}</td>{numbers}<td>{mark}</td><td>{why}</td></tr>"


head = "".join(
    f'<th scope="col"{kind}>{name}</th>'
    for name, kind in (
        ("what, and where it is printed", ""), ("published", ' class="cr-num"'), ("ours", ' class="cr-num"'),
        ("status", ""), ("accepted difference", ""),
    )
)  # fmt: skip
body = "".join(cells(row) for row in table.itertuples())
box = '<div class="cr-table" role="region" tabindex="0" aria-label="The ledger">'
display(HTML(f'{box}<table class="cr-ledger"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'))

# %% [markdown]
# ## How a row gets in
#
# A row names the data set, whose hash pins every byte; the place where the number is printed; our record; and the
# tolerance with its reason, which must keep the number apart from a second one: the naive answer. It goes into
# `causalrec_lib/course/ledger.toml`, the chapter records the number, and the test suite fails on the day both part.
# `causalrec ledger` prints this table in a terminal.
