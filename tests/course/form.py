"""The form of a chapter: each rule takes a chapter and returns what is wrong with it, in words."""

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from causalrec_lib.course import chapters, notebook
from causalrec_lib.course.chapters import Chapter
from causalrec_lib.course.labs_markdown import chunks
from causalrec_lib.data import registry

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).parent / "sample"
SECTIONS = (
    *("When it breaks", "What this means for a language-model recommender", "Exercises"),
    *("Quiz", "Takeaways", "Further reading"),
)
OPENING = ("You will be able to", "Before you start", "Time", "Data")
META = {"kind", "reading_minutes", "exercise_minutes", "data", "optional_data", "max_seconds", "after"}
LONGEST = {"language": 150, "latent": 150, "reference": 120}
PLACEHOLDER = "REPLACE:"

Rule = Callable[[Chapter], list[str]]
CHAPTER_RULES: dict[str, Rule] = {}
SHARED_RULES: dict[str, Rule] = {}


def rule(*, pages: bool) -> Callable[[Rule], Rule]:
    """Register a rule, for chapters only or for reference pages too."""

    def register(function: Rule) -> Rule:
        @functools.wraps(function)
        def with_lines(chapter: Chapter) -> list[str]:
            return [located(chapter, problem) for problem in function(chapter)]

        (SHARED_RULES if pages else CHAPTER_RULES)[function.__name__] = with_lines
        return with_lines

    return register


_CELL = re.compile(r"cell (\d+)\b")
_TASK = re.compile(r"exercise (\d+)\b")
_QUOTED = re.compile(r"'([^']+)'|`([^`]+)`")


def located(chapter: Chapter, problem: str) -> str:
    """Put file and line before a problem: the line that it quotes, else the first one of its cell."""
    lines = chapter.source.read_text(encoding="utf-8").splitlines()
    starts = [k for k, line in enumerate(lines) if line.startswith("# %%")]
    cell, task = _CELL.match(problem), _TASK.match(problem)
    at, end = 0, len(lines)
    if cell and len(starts) == len(chapter.notebook.cells):
        at, end = [*starts, len(lines)][int(cell[1]) : int(cell[1]) + 2]
    elif task:
        at = next((k for k, line in enumerate(lines) if line.startswith(f"# ### Exercise {task[1]}:")), 0)
        end = at + 1
    quoted = [a or b for a, b in _QUOTED.findall(problem)]
    at = next((k for q in quoted for k in range(at, end) if q in lines[k]), at)
    try:
        shown = chapter.source.relative_to(ROOT)
    except ValueError:  # a chapter elsewhere: a test's own
        shown = chapter.source
    return f"{shown}:{at + 1}: {problem}"


def course_files() -> list[Chapter]:
    """All chapters and pages of the course."""
    return chapters.find(ROOT)


def sample() -> Chapter:
    """The sample chapter, which keeps every rule."""
    return Chapter(SAMPLE / "notebooks" / "sample" / "01_top_shelf.py")


def code_cells(chapter: Chapter) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield position, source and tags of each code cell."""
    for k, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type == "code":
            yield k, cell.source, notebook.tags(cell)


def trees(chapter: Chapter) -> Iterator[tuple[int, ast.Module]]:
    """Yield position and syntax tree of each code cell that is Python."""
    for k, source, _ in code_cells(chapter):
        tree = parsed(source)
        if tree is not None:  # the rule `parses` reports it
            yield k, tree


@functools.cache
def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a cell; None if it is no Python. Nobody changes it, so it is made once."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def texts(chapter: Chapter) -> Iterator[tuple[int, str]]:
    """Yield position and text, fenced code left out, of each markdown cell."""
    for k, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type == "markdown":
            yield k, "\n".join(piece for is_code, piece in chunks(cell.source) if not is_code)


def headings(chapter: Chapter, level: int) -> list[tuple[int, str]]:
    """Position and text of the headings of one level."""
    pattern = re.compile(rf"^#{{{level}}}\s+(.+?)\s*$", re.M)
    return [(k, h) for k, text in texts(chapter) for h in pattern.findall(text)]


def section(chapter: Chapter, title: str) -> str:
    """Text under an H2, up to the next H2."""
    joined = "\n\n".join(text for _, text in texts(chapter))
    found = re.search(rf"^##\s+{re.escape(title)}\s*$(.*?)(?=^##\s|\Z)", joined, re.M | re.S)
    return found[1] if found else ""


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that code imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{a.name}" for a in node.names)


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Yield calls of functions by dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            yield node


@rule(pages=True)
def metadata(chapter: Chapter) -> list[str]:
    """The header declares kind, minutes, data and the longest run time."""
    meta, found = chapter.meta, []
    if meta.get("kind") not in ("chapter", "page"):
        found.append(f"header: kind must be chapter or page, but is {meta.get('kind')!r}")
    found += [f"header: unknown key {k!r}" for k in sorted(set(meta) - META)]
    least = {"reading_minutes": 1, "exercise_minutes": 0 if chapter.is_page else 1, "max_seconds": 1}
    for key, low in least.items():
        if not isinstance(meta.get(key), int) or meta[key] < low:
            found.append(f"header: {key} must be a whole number of at least {low}, but is {meta.get(key)!r}")
    top = LONGEST.get(chapter.part, 60)
    if isinstance(meta.get("max_seconds"), int) and meta["max_seconds"] > top:
        found.append(f"header: max_seconds is {meta['max_seconds']}, but {chapter.part} may take {top}")
    if not isinstance(meta.get("data"), list):
        found.append("header: data must be a list of names, empty if nothing is read")
    declared = [*(meta.get("data") or []), *(meta.get("optional_data") or [])]
    found += [f"header: data set {d!r} is not in data/sources.toml" for d in declared if d not in registry.entries()]
    if chapter.notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("header: kernelspec must be python3")
    return found


@rule(pages=True)
def world_data(chapter: Chapter) -> list[str]:
    """Who makes the world needs the reviews that are its items' texts."""
    makes = any(name.rpartition(".")[2] == "make_world" for _, tree in trees(chapter) for name in imported(tree))
    if not makes or "womens_reviews" in (chapter.meta.get("data") or []):
        return []
    return ["header: make_world reads the reviews; declare them: data: [womens_reviews]"]


@rule(pages=True)
def file_name(chapter: Chapter) -> list[str]:
    """A chapter is called NN_name, so that checks and labs find it."""
    pattern = r"[a-z][a-z0-9_]*" if chapter.is_page else r"\d\d_[a-z][a-z0-9_]*"
    good = re.fullmatch(pattern, chapter.source.stem)
    return [] if good else [f"file name {chapter.source.name!r} must be two digits and words, like 01_overlap.py"]


@rule(pages=True)
def one_h1(chapter: Chapter) -> list[str]:
    """One H1, which opens the page."""
    found = headings(chapter, 1)
    if len(found) != 1:
        return [f"there must be exactly one H1, but there are {len(found)}: {[h for _, h in found]}"]
    first = chapter.notebook.cells[0]
    opens = first.cell_type == "markdown" and first.source.startswith("# ")
    return [] if opens else ["the first cell must be markdown and begin with the H1"]


@rule(pages=True)
def parameters(chapter: Chapter) -> list[str]:
    """The first code cell, and no other, is tagged `parameters` and sets PROFILE and SEED."""
    tagged = [k for k, _, tags in code_cells(chapter) if "parameters" in tags]
    first = next(code_cells(chapter), None)
    if first is None or tagged != [first[0]]:
        return [f"the first code cell, and only it, must be tagged parameters; tagged are cells {tagged}"]
    names, found = {}, []
    for node in ast.parse(first[1]).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = node.value.value if isinstance(node.value, ast.Constant) else None
        else:
            found.append(f"cell {first[0]}: the parameters cell holds only assignments, not {ast.unparse(node)!r}")
    if names.get("PROFILE") != "ci" or not isinstance(names.get("SEED"), int):
        found.append(f'cell {first[0]}: set PROFILE = "ci" and SEED = a whole number')
    return found + [f"cell {first[0]}: parameter {n!r} must be upper case" for n in names if n != n.upper()]


@rule(pages=True)
def start(chapter: Chapter) -> list[str]:
    """`course.start` is called once, with the chapter's own name."""
    found = [c for _, tree in trees(chapter) for c in calls(tree, "course.start", "start")]
    if len(found) != 1:
        return [f"call course.start(PROFILE, SEED, chapter=...) once; found {len(found)} calls"]
    got = ast.unparse(found[0]).removeprefix("course.")
    want = f"start(PROFILE, SEED, chapter={chapter.id!r})"
    return [] if got == want else [f"the call must be course.{want}, but is course.{got}"]


@rule(pages=False)
def sections(chapter: Chapter) -> list[str]:
    """The opening and the closing sections are there, in order."""
    titles = [h for _, h in headings(chapter, 2)]
    found = [f"section '## {s}' must stand exactly once" for s in SECTIONS if titles.count(s) != 1]
    present = [t for t in titles if t in SECTIONS]
    if not found and present != list(SECTIONS):
        found.append(f"sections stand in the order {present}; keep the order {list(SECTIONS)}")
    head = next(code_cells(chapter), (len(chapter.notebook.cells), "", ()))[0]
    opening = "\n".join(text for k, text in texts(chapter) if k < head)
    at = [re.search(rf"^(?:#+|\*+)\s*{words}\b", opening, re.M) for words in OPENING]
    found += [f"the opening lacks '{w}' at the start of a line" for w, m in zip(OPENING, at, strict=True) if not m]
    starts = [m.start() for m in at if m]
    if starts != sorted(starts):
        found.append(f"the opening must come in the order {', '.join(OPENING)}")
    return found


@rule(pages=False)
def contents(chapter: Chapter) -> list[str]:
    """A chapter asserts agreement, records against truth or naive, and shows a picture."""
    every = [node for _, tree in trees(chapter) for node in ast.walk(tree)]
    named = [ast.unparse(n.func) for n in every if isinstance(n, ast.Call)]
    records = [n for n in every if isinstance(n, ast.Call) and ast.unparse(n.func) == "run.record"]
    held = [n for n in records if {k.arg for k in n.keywords} & {"truth", "naive"}]
    found = []
    if not any(isinstance(n, ast.Assert) for n in every) and not any("assert_" in n for n in named):
        found.append("no cell asserts that the hand-written estimator and the library agree")
    if not held:
        found.append("no number is recorded beside its truth or its naive value: run.record(..., truth=, naive=)")
    if not {"plots.show", "plots.draw_dag"} & set(named):
        found.append("no picture: plots.show or plots.draw_dag")
    return found


@rule(pages=True)
def finished(chapter: Chapter) -> list[str]:
    """No placeholder of the template is left."""
    found = []
    for k, cell in enumerate(chapter.notebook.cells):
        for line in cell.source.splitlines():
            if PLACEHOLDER in line:
                found.append(f"cell {k}: placeholder left: {line.strip()!r}")
    return found
