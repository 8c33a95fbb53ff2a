"""The dependency file names exactly the library modules that a chapter imports."""

import grimp
import pytest

from causalrec_lib.course import chapters, deps
from causalrec_lib.course.chapters import Chapter

GRAPH = grimp.build_graph("causalrec_lib", cache_dir=None)
HEAD = """# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   course: {kind: chapter, data: [nhefs], optional_data: [coat]}
# ---

# %% [markdown]
# # A title

# %%
"""


@pytest.fixture
def chapter(tmp_path):
    def make(code, name="weighting/07_test"):
        path = tmp_path / "notebooks" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + code)
        return Chapter(path)

    return make


def test_direct_and_transitive_imports_are_found(chapter):
    found = deps.modules_of(chapter("from causalrec_lib import plots"), GRAPH)
    assert {"causalrec_lib", "causalrec_lib.plots", "causalrec_lib.estimate", "causalrec_lib._validate"} <= found


def test_what_is_not_imported_is_not_a_dependency(chapter):
    found = deps.modules_of(chapter("from causalrec_lib import plots"), GRAPH)
    assert not {m for m in found if m.startswith(("causalrec_lib.course", "causalrec_lib.data"))}
    assert "causalrec_lib.weighting" not in found


def test_builders_are_no_dependency_of_a_chapter(chapter):
    found = deps.modules_of(
        chapter("from causalrec_lib import course\nfrom causalrec_lib.course import check"), GRAPH
    )
    assert "causalrec_lib.course.check" in found
    assert not {f"causalrec_lib.course.{m}" for m in ("site", "labs", "cli", "runner", "doctor", "stock")} & found


def test_the_chapters_own_checks_are_a_dependency(chapter):
    module = next(m for m in sorted(GRAPH.modules) if m.startswith("causalrec_lib.course.checks."))
    part, number = module.rsplit(".", 1)[1].rsplit("_", 1)
    assert module in deps.modules_of(chapter("x = 1", f"{part}/{number}_test"), GRAPH)


def test_header_title_and_data_are_read(chapter):
    c = chapter("x = 1")
    assert (c.id, c.title, c.data(), c.data("optional_data")) == ("weighting/07_test", "A title", ["nhefs"], ["coat"])


def test_an_ambiguous_or_unknown_chapter_is_refused(chapter, tmp_path):
    chapter("x = 1", "weighting/01_a"), chapter("x = 1", "weighting/02_b")
    (tmp_path / "pyproject.toml").touch()
    assert chapters.get("weighting/01", tmp_path).id == "weighting/01_a"
    for bad in ("weighting", "nothing"):
        with pytest.raises(ValueError, match=r"choose one of: weighting/01_a, weighting/02_b"):
            chapters.get(bad, tmp_path)


def test_rules_name_target_source_modules_and_data(chapter, tmp_path):
    chapter("from causalrec_lib import plots")
    text = deps.makefile(tmp_path, "ci")
    line = next(ln for ln in text.splitlines() if ln.startswith("build/executed/ci/weighting/07_test.ipynb:"))
    for need in ("notebooks/weighting/07_test.py", "causalrec_lib/plots.py", "build/data/nhefs.state",
                 "build/data/coat.state"):  # fmt: skip
        assert f" {need}" in line
