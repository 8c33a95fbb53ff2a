"""Every chapter keeps the form, and every rule of the form can fail."""

import pytest

from causalrec_lib.course.chapters import Chapter

from . import form, form_code, form_glue, form_tasks, form_text  # noqa: F401  (importing them registers their rules)

FILES = form.course_files()
CASES = [
    pytest.param(c, name, id=f"{c.id}-{name}")
    for c in FILES
    for name in [*form.SHARED_RULES, *([] if c.is_page else form.CHAPTER_RULES)]
]
RULES = {**form.SHARED_RULES, **form.CHAPTER_RULES}
SOURCE = form.sample().source.read_text(encoding="utf-8")
ADDED = "# ## When it breaks\n#\n"
HINT = "# <details><summary>Hint</summary>\n#\n# Two means, one minus.\n#\n# </details>\n"
FIGURE = "# %%\nfig = plots.forest"
CAPTION = 'caption="The naive difference (grey) misses the truth (dashed); the strata find it."'
CODE = "n = run.size(ci=4_000, full=40_000)\n"


@pytest.mark.parametrize(("chapter", "rule"), CASES)
def test_a_chapter_keeps_the_form(chapter, rule):
    problems = RULES[rule](chapter)
    assert not problems, f"{chapter.id}, {rule}:\n" + "\n".join(problems)


@pytest.mark.parametrize("rule", RULES)
def test_the_sample_keeps_every_rule(rule):
    assert RULES[rule](form.sample()) == []


def prose(text):
    """A breakage: put a paragraph into the sample's text."""
    return (ADDED, ADDED + "".join(f"# {line}".rstrip() + "\n" for line in text.split("\n")) + "#\n")


def code(text):
    """A breakage: put a line into the sample's main code cell."""
    return (CODE, CODE + text + "\n")


# rule, what to replace by what in the sample, words that the message must hold
BROKEN = [
    ("metadata", ("kind: chapter", "kind: story"), "kind must be"),
    ("metadata", ("reading_minutes: 5\n", "reading_minutes: soon\n"), "reading_minutes"),
    ("metadata", ("#     exercise_minutes: 10\n", ""), "exercise_minutes"),
    ("metadata", ("max_seconds: 20", "max_seconds: 900"), "may take 60"),
    ("metadata", ("data: []", "data: [no_such_set]"), "no_such_set"),
    ("metadata", ("data: []", "data: nhefs"), "list of names"),
    ("metadata", ("max_seconds: 20", "max_seconds: 20\n#     colour: blue"), "unknown key"),
    ("metadata", ("name: python3", "name: ir"), "kernelspec"),
    ("world_data", code("from causalrec_lib.data.world import make_world"), "data: [womens_reviews]"),
    ("world_data", code("import causalrec_lib.data.world.make_world"), "data: [womens_reviews]"),
    ("one_h1", ("# ## The question and", "# # The question and"), "exactly one H1"),
    ("one_h1", ("# # Is the top shelf", "# ## Is the top shelf"), "exactly one H1"),
    ("parameters", ('# %% tags=["parameters"]', "# %%"), "tagged parameters"),
    ("parameters", ('PROFILE = "ci"', 'PROFILE = "full"'), "PROFILE"),
    ("parameters", ("SEED = 2026", "SEED = 2026\nrows = 5"), "upper case"),
    ("parameters", ("SEED = 2026", "SEED = 2026\nprint(SEED)"), "only assignments"),
    ("parameters", ('# %% tags=["parameters"]', '# %%\nX = 1\n\n# %% tags=["parameters"]'), "tagged parameters"),
    ("start", ('chapter="sample/01_top_shelf"', 'chapter="sample/02_other"'), "sample/01_top_shelf"),
    ("start", ("run = course.start", "run = make"), "once"),
    ("sections", ("# ## When it breaks\n", "# ## Limits\n"), "When it breaks"),
    ("sections", ("# **Before you start:**", "# **First:**"), "Before you start"),
    ("sections", ("# **Time:** 5", "# **Data:** none.\n#\n# **Time:** 5"), "order"),
    ("sections", ("# ## Takeaways\n", "# ## Further reading\n#\n# ## Takeaways\n"), "exactly once"),
    ("contents", ("assert np.isclose(effect, weighted)", "weighted"), "agree"),
    ("contents", (", truth=1.0, naive=naive)", ")"), "naive value"),
    ("contents", ("plots.show(", "print("), "no picture"),
    ("finished", prose("REPLACE: say why it breaks"), "placeholder"),
    ("exercises", ("a planted error", "an oddity"), "planted error"),
    ("exercises", ("### Exercise 2:", "### Exercise 4:"), "numbered"),
    ("exercises", ("# ### Exercise 3: a planted error", "# ### Exercise three: a planted error"), "three exercises"),
    ("exercises", ("# ## Exercises\n#\n# ### Exercise 1", "# ### Exercise 1"), "in the section"),
    ("exercise_form", (HINT, ""), "Hint"),
    ("exercise_form", ('# %% tags=["check"]\ncheck("sample/01.1"', '# %%\ncheck("sample/01.1"'), "tagged check"),
    ("exercise_form", ('check("sample/01.2", shares)', 'check("sample/01.1", shares)'), "sample/01.2"),
    ("exercise_form", ('check("sample/01.2", shares)', 'check("sample/01.2", difference)'), "shares"),
    ("exercise_form", ("    # END SOLUTION\n", ""), "never closes"),
    ("exercise_form", ("    # END SOLUTION\n", "    # END SOLUTION\n\nprint(shares)\n"), "outside of its function"),
    ("exercise_form", ('    """Return the average effect over all books."""\n', ""), "docstring"),
    ("exercise_checks", ("### Exercise 3: a planted", "### Exercise 4: a planted"), "sample/01.4"),
    ("exercise_apart", (FIGURE, "# %%\ndifference(y, t)\n\n" + FIGURE), "student's notebook"),
    ("quizzes", ('# %% tags=["quiz"]\nquiz(\n    "When do', '# %%\nquiz(\n    "When do'), "without the tag"),
    ("quizzes", ('# %% tags=["quiz"]\nquiz(\n    "When do', '# %%\nstr(\n    "When do'), "three to five"),
    ("quizzes", ("# %%\nfig = plots", '# %% tags=["quiz"]\nquiz("Early?", {})\n\n# %%\nfig = plots'), "outside"),
    ("takeaways", ("# - Compare like with like.", "# - a\n# - b\n# - c\n# - d\n# - e"), "one to five"),
    ("takeaways", ("# - Compare like with like.\n# - More rows do not mend bias.\n", ""), "one to five"),
    ("further_reading", ("# - {cite:t}`hernan2020causal`: the book.", "# - a book."), "two citations"),
    ("figures", ('    alt="Two points', '    title="Two points'), "without alt"),
    ("figures", (CAPTION, 'caption="Results."'), "caption must say"),
    ("figures", code("plt.show()"), "plots.show"),
    ("colours", code('ax.bar(1, 2, color="steelblue")'), "steelblue"),
    ("colours", code('tint = "#1f83c4"'), "#1f83c4"),
    ("colours", code('ax.scatter(x, y, c=["red" if k else "blue" for k in t])'), "red"),
    ("colours", code('ax.plot(x, y, "r--")'), "r--"),
    ("colours", code('ax.plot(x, y, color="C1")'), "C1"),
    ("cell_length", code("z = 1\n" * 40), "lines"),
    ("cell_length", ("# %%\nfig = plots", '# %% tags=["hide-input"]\n' + "z = 1\n" * 90 + "fig = plots"), "most 80"),
    ("parses", code("%matplotlib inline"), "not Python"),
    ("local_paths", code('where = "/home/ann/books.csv"'), "local path"),
    ("local_paths", prose("See file:///books."), "local path"),
    ("seeds", code("np.random.seed(1)"), "np.random.seed"),
    ("seeds", code("random.seed(1)"), "random.seed"),
    ("seeds", code("z = np.random.normal()"), "global generator"),
    ("seeds", code("rng = np.random.default_rng()"), "without a seed"),
    ("files", code('books = pd.read_csv("books.csv")'), "read_csv"),
    ("files", code('text = open("books.csv").read()'), "open"),
    ("files", code('text = Path("books.csv").read_text()'), "read_text"),
    ("labelled_output", code("print(effect)"), "without saying what"),
    ("labelled_output", code("print(np.mean(y))"), "without saying what"),
    ("myst", prose("```{note}\nx\n```"), "backticks"),
    ("myst", prose("::::{note}\nx\n::::"), "three colons"),
    ("myst", prose(":::{note}\n:::{tip}\nx\n:::\n:::"), "never nested"),
    ("myst", prose(":::{danger}\nx\n:::"), "allowed are"),
    ("myst", prose(":::{note}\nx"), "never closed"),
    ("myst", prose("See {numref}`fig`."), "numref"),
    ("myst", prose("(here)=\nx"), "label"),
    ("lost_words", ("# %% [markdown]\n# The naive", "# %% [markdown] The naive"), "The naive answer"),
    ("lost_words", ("# %%\nfig = plots", "# %% the figure\nfig = plots"), "the figure"),
    ("links", prose("See [the shop](../concepts/01_why_causal.md)."), "01_why_causal.md"),
    ("links", prose("See [the shop](01_why_causal.ipynb#log)."), "write {doc}"),
    ("links", prose("See [the shop][1].\n\n[1]: ../concepts/01_why_causal.py"), "01_why_causal.py"),
    ("links", prose('See <a href="/glossary.md">words</a>.'), "glossary.md"),
    ("pages", prose("See {doc}`the shop </chapters/concepts/99_no_such_chapter>`."), "99_no_such_chapter"),
    ("terms", prose("a {term}`flux capacitor`"), "flux capacitor"),
    ("citations", prose("as {cite:t}`nobody1900nothing` says"), "nobody1900nothing"),
    ("glue", prose("{glue:text}`nothing:.2f`"), "does not record"),
    ("glue", prose("{glue:text}`effect.colour:.2f`"), "no field"),
    ("glue", prose("{glue:text}`effect.se:.2f`"), "records 'effect' without it"),
    ("glue", (", naive=naive)\n", ")\n"), "`effect.naive:.2f`"),
    ("glue", prose("{glue:text}`effect:.2q`"), "not a number format"),
    ("glue", prose("{glue:text}`effect`"), "no format"),
    ("glue", prose("{glue:text}`sample/99_none::effect:.2f`"), "no chapter"),
    ("glue", prose("{glue:text}`ledger::none.published:.2f`"), "no row"),
    ("glue", code('run.record("effect", 1.0)'), "recorded twice"),
    ("voice", prose("It significantly improves sales."), "says nothing"),
    ("numbers_in_prose", prose("The effect is 1.03."), "1.03"),
    ("numbers_in_prose", ("misses the truth", "misses the truth by 1.2"), "1.2"),
]  # fmt: skip


def broken(tmp_path, change, name="01_top_shelf.py"):
    """The sample with one thing wrong."""
    old, new = change
    assert old in SOURCE, f"the sample has no {old!r}"
    path = tmp_path / "notebooks" / "sample" / name
    path.parent.mkdir(parents=True)
    path.write_text(SOURCE.replace(old, new, 1), encoding="utf-8")
    return Chapter(path)


@pytest.mark.parametrize(("rule", "change", "words"), BROKEN, ids=[f"{r}-{w}" for r, _, w in BROKEN])
def test_a_rule_bites(tmp_path, rule, change, words):
    problems = RULES[rule](broken(tmp_path, change))
    assert any(words in p for p in problems), f"{rule} said {problems}"


def test_a_file_name_without_a_number_is_refused(tmp_path):
    problems = RULES["file_name"](broken(tmp_path, ("kind: chapter", "kind: chapter"), name="top_shelf.py"))
    assert problems
    assert "two digits" in problems[0]


def test_every_rule_is_proven_to_bite():
    assert set(RULES) == {r for r, _, _ in BROKEN} | {"file_name"}


def test_pages_stand_in_the_reference_part_and_chapters_do_not():
    for c in FILES:
        assert c.is_page == (c.part == "reference"), c.id


def test_a_problem_names_the_line_that_it_quotes(tmp_path):
    chapter = broken(tmp_path, prose("The shelf is red.\nThe effect is 1.03."))
    lines = chapter.source.read_text().splitlines()
    line = lines.index("# The effect is 1.03.") + 1
    cell = next(k for k, text in form.texts(chapter) if "1.03" in text)
    assert RULES["numbers_in_prose"](chapter) == [f"{chapter.source}:{line}: cell {cell}: typed number '1.03'"]


def test_a_problem_that_quotes_nothing_names_the_first_line_of_its_cell_or_exercise(tmp_path):
    chapter = broken(tmp_path, (HINT, ""))
    heading = next(k for k, s in enumerate(chapter.source.read_text().splitlines()) if "### Exercise 1:" in s)
    assert RULES["exercise_form"](chapter)[0].startswith(f"{chapter.source}:{heading + 1}: exercise 1: no <details>")
    cell = next(k for k, source, _ in form.code_cells(chapter) if source.startswith("fig = plots.forest"))
    first = SOURCE.replace(HINT, "", 1).split("fig = plots.forest")[0].count("\n")  # the line of the marker above
    assert form.located(chapter, f"cell {cell}: too long") == f"{chapter.source}:{first}: cell {cell}: too long"


@pytest.mark.parametrize("text", ["[a](https://e.org/x.md)", "`[a](x.md)`", "```text\n[a](x.md)\n```", "[a](#part)"])
def test_what_leads_somewhere_or_is_code_is_no_bad_link(tmp_path, text):
    assert RULES["links"](broken(tmp_path, prose(text))) == []


NUMBERS = [
    "1.0",
    "a - b",
    "-a",
    "float(x)",
    "y.mean()",
    "truth.ate()",
    "np.sqrt(a)",
    "est.value",
    "total",
    "run.size(ci=1)",
]
UNKNOWN = ["est", "weighting.ipw(y, t, e)", "found['ipw']", "twice", "f(x)", "hidden(x)", "runs.loc['a', 'bias']"]


RECORDS = """total = 1 + 2
twice = 1
twice = est
def mean(x):
    return float(x)
def hidden(x):
    return x
run.record("other", {source}, **more)
run.record("last", {source})"""


@pytest.mark.parametrize("source", [*NUMBERS, *UNKNOWN])
def test_a_record_is_called_a_plain_number_only_where_that_is_known(tmp_path, source):
    chapter = broken(tmp_path, code(RECORDS.format(source=source)))
    assert form_glue.lacking(chapter, "other") == set()
    want = {"truth", "naive"} | ({"se", "low", "high", "n", "ess"} if source in NUMBERS else set())
    assert form_glue.lacking(chapter, "last") == want
