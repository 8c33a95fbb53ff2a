"""One cause, one failure: what a chapter's form says is not said again by its labs and checks."""

import pytest

from causalrec_lib.course.chapters import Chapter

from . import form, form_code, form_glue, form_tasks, form_text  # noqa: F401  (importing them registers their rules)

LABS = ("parses", "myst", "citations", "pages", "exercises", "exercise_form", "exercise_checks")


def need_form(chapter: Chapter, *rules: str) -> None:
    """Skip a test that could only repeat what these rules of the form say."""
    for name in rules:
        found = {**form.SHARED_RULES, **form.CHAPTER_RULES}[name](chapter)
        if found:
            pytest.skip(f"see form, rule {name}: {found[0]}")
