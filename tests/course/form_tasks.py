"""Form of exercises, quizzes and endings."""

import ast
import re
from dataclasses import dataclass

from causalrec_lib.course import notebook
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.check import load

from .form import calls, code_cells, headings, rule, section, texts, trees

_EXERCISE = re.compile(r"Exercise (\d+): (.+)")
_CITED = re.compile(r"\{cite:[pt]\}`([^`]+)`")


@dataclass(frozen=True)
class Task:
    """One exercise as it stands in the source."""

    number: int
    title: str
    text: str
    code: str | None
    check: str | None


def tasks(chapter: Chapter) -> list[Task]:
    """The exercises: heading, text, and the first exercise and check cells before the next exercise or section."""
    cells, found = chapter.notebook.cells, []
    for k, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        parts = re.split(r"^(?=#{2,3} )", cell.source, flags=re.M)
        for j, part in enumerate(parts):
            head = re.match(r"### (Exercise \d+: .+)", part)
            if head is None:
                continue
            following = [] if j < len(parts) - 1 else cells[k + 1 :]
            number, title = _EXERCISE.fullmatch(head[1].strip()).groups()
            found.append(_task(int(number), title, part, following))
    return found


def _task(number, title, text, following):
    code = check = None
    for cell in following:
        if cell.cell_type == "markdown" and re.search(r"^#{2,3} ", cell.source, re.M):
            break
        if cell.cell_type == "markdown":
            text += "\n" + cell.source
        elif "exercise" in notebook.tags(cell) and code is None:
            code = cell.source
        elif "check" in notebook.tags(cell) and check is None:
            check = cell.source
    return Task(number, title, text, code, check)


def functions(source: str) -> list[str]:
    """Names of the functions that a cell defines."""
    return [n.name for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]


@rule(pages=False)
def exercises(chapter: Chapter) -> list[str]:
    """Three or more, numbered from 1, in their section, one of them with a planted error."""
    found = []
    numbers = [t.number for t in tasks(chapter)]
    if len(numbers) < 3:
        found.append(f"there must be three exercises or more, but there are {len(numbers)}")
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"exercises must be numbered 1, 2, 3, ... but are {numbers}")
    if not any("planted error" in t.title.lower() for t in tasks(chapter)):
        found.append("one exercise must have 'planted error' in its heading")
    tagged = sum("exercise" in tags for _, _, tags in code_cells(chapter))
    if tagged != len(numbers):
        found.append(f"{tagged} cells are tagged exercise, but {len(numbers)} exercises have a heading")
    inside = section(chapter, "Exercises").count("### Exercise ")
    return found + ([] if inside == len(numbers) else ["every exercise must stand in the section '## Exercises'"])


@rule(pages=False)
def exercise_form(chapter: Chapter) -> list[str]:
    """Each has a hint, a function with a docstring and a marked solution, and a check of its own id."""
    found = []
    for t in tasks(chapter):
        name = f"exercise {t.number}"
        if not re.search(r"<details>\s*<summary>\s*Hint", t.text):
            found.append(f"{name}: no <details><summary>Hint</summary>...</details>")
        if t.code is None or t.check is None:
            found.append(f"{name}: needs a cell tagged exercise and one tagged check")
            continue
        try:
            notebook.stub(t.code, name)
        except ValueError as err:
            found.append(f"{name}: {err}")
            continue
        found += _check_form(chapter, t, name)
    return found


def exercise_id(chapter: Chapter, task: Task) -> str:
    """For example "weighting/01.1"."""
    return f"{chapter.part}/{chapter.source.stem[:2]}.{task.number}"


def _check_form(chapter: Chapter, t: Task, name: str) -> list[str]:
    tree = ast.parse(t.code)
    loose = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.Assign)]
    found = [f"{name}: the cell runs code outside of its function: {ast.unparse(n)!r}" for n in loose]
    bare = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and not ast.get_docstring(n)]
    found += [f"{name}: {f} has no docstring that says what it returns" for f in bare]
    want = [f"check({exercise_id(chapter, t)!r}, {f})" for f in functions(t.code)]
    got = ast.unparse(ast.parse(t.check)).strip()
    return found + ([] if got in want else [f"{name}: the check must be {' or '.join(want)}, but is {got}"])


@rule(pages=False)
def exercise_checks(chapter: Chapter) -> list[str]:
    """The check of every exercise exists."""
    found = []
    for t in tasks(chapter):
        try:
            load(exercise_id(chapter, t))
        except ValueError as err:
            found.append(f"exercise {t.number}: {err}")
    return found


@rule(pages=False)
def exercise_apart(chapter: Chapter) -> list[str]:
    """Nothing but its check uses an exercise's function, so that a lab runs with open exercises."""
    names = {f for t in tasks(chapter) if t.code for f in functions(t.code)}
    free = {k for k, _, tags in code_cells(chapter) if not {"exercise", "check"} & set(tags)}
    return [
        f"cell {k}: uses {node.id!r}, the answer to an exercise; a student's notebook would stop here"
        for k, tree in trees(chapter)
        if k in free
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names
    ]


@rule(pages=False)
def quizzes(chapter: Chapter) -> list[str]:
    """Three to five, each in a tagged cell of its own, after the heading."""
    tagged = [(k, s) for k, s, tags in code_cells(chapter) if "quiz" in tags]
    found = [] if 3 <= len(tagged) <= 5 else [f"there must be three to five quiz cells, but there are {len(tagged)}"]
    called = {k for k, tree in trees(chapter) for _ in calls(tree, "quiz", "course.quiz")}
    found += [f"cell {k}: asks a quiz question without the tag quiz" for k in sorted(called - {k for k, _ in tagged})]
    found += [f"cell {k}: tagged quiz, but asks nothing" for k, _ in tagged if k not in called]
    at = {h: k for k, h in headings(chapter, 2)}
    low, high = at.get("Quiz", -1), at.get("Takeaways", len(chapter.notebook.cells))
    return found + [f"cell {k}: a quiz outside of '## Quiz'" for k, _ in tagged if not low < k < high]


@rule(pages=False)
def takeaways(chapter: Chapter) -> list[str]:
    """One to five lines."""
    text = section(chapter, "Takeaways")
    items = re.findall(r"^(?:[-*]|\d+\.)\s", text, re.M) or [line for line in text.splitlines() if line.strip()]
    return [] if 1 <= len(items) <= 5 else [f"takeaways must be one to five lines, but are {len(items)}"]


@rule(pages=False)
def further_reading(chapter: Chapter) -> list[str]:
    """Two or more references."""
    keys = {k.strip() for body in _CITED.findall(section(chapter, "Further reading")) for k in body.split(",")}
    return [] if len(keys) >= 2 else [f"further reading needs two citations or more, but has {len(keys)}"]


def cited(chapter: Chapter) -> list[tuple[int, str]]:
    """Position and key of every citation."""
    return [
        (k, key.strip()) for k, text in texts(chapter) for body in _CITED.findall(text) for key in body.split(",")
    ]
