"""Form of glued numbers: recorded, with the field that the text asks for, and a format."""

import ast
import functools
from collections import Counter

from causalrec_lib.course import ledger, records
from causalrec_lib.course.chapters import Chapter

from .form import calls, course_files, rule, texts, trees

_NUMBERS = {"float", "int", "abs", "len", "round", "sum"}
_FIGURES = {"mean", "sum", "std", "var", "median", "item", "ate", "att", "atc", "ato", "late", "size"}
_PARTS = {"value", "se", "low", "high", "n", "ess", "size"}
_OF_AN_ESTIMATE = {"se", "low", "high", "n", "ess"}


def _code(chapter: Chapter) -> tuple[ast.Module, ...]:
    return tuple(tree for _, tree in trees(chapter))


@functools.cache
def _records(code: tuple[ast.Module, ...]) -> list[ast.Call]:
    return [c for tree in code for c in calls(tree, "run.record") if c.args]


def recorded_names(chapter: Chapter) -> tuple[set[str], bool]:
    """Names that the code records, and whether some are only known when it runs."""
    first = [c.args[0] for c in _records(_code(chapter))]
    names = {a.value for a in first if isinstance(a, ast.Constant)}
    return names, len(names) < len(first)


@rule(pages=True)
def glue(chapter: Chapter) -> list[str]:
    """Every glued number is recorded, its field exists and its format is one."""
    found = []
    for k, text in texts(chapter):
        for key in records.glue_keys(text):
            problem = _glue_problem(chapter, key)
            if problem:
                found.append(f"cell {k}: {{glue:text}}`{key}`: {problem}")
    names = [c.args[0].value for c in _records(_code(chapter)) if isinstance(c.args[0], ast.Constant)]
    twice = sorted({n for n in names if names.count(n) > 1})
    return found + [f"{n!r} is recorded twice; choose another name" for n in twice]


def _glue_problem(chapter: Chapter, key: str) -> str | None:
    head, sep, spec = key.rpartition(":")
    if not sep or head.endswith(":"):
        return "no format; write for example `name:.2f`"
    try:
        format(1 if spec.endswith("d") else 1.0, spec)
    except ValueError:
        return f"{spec!r} is not a number format"
    source, _, name = head.rpartition("::")
    name, _, field = name.partition(".")
    if source == "ledger":
        return None if name in ledger.rows() else f"the ledger has no row {name!r}"
    if field and field not in records.FIELDS:
        return f"no field {field!r}; fields are {', '.join(records.FIELDS)}"
    other = next((c for c in course_files() if c.id == source), None) if source else chapter
    if other is None:
        return f"there is no chapter {source!r}"
    names, dynamic = recorded_names(other)
    if name not in names:
        return None if dynamic else f"{other.id} does not record {name!r}"
    return f"{other.id} records {name!r} without it" if field in lacking(other, name) else None


@functools.cache
def _values(code: tuple[ast.Module, ...]) -> dict[str, ast.AST]:
    """What each name stands for, where it is assigned or defined once in the whole chapter."""
    found: dict[str, ast.AST] = {}
    stored: Counter[str] = Counter()
    for tree in code:
        for n in ast.walk(tree):
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
                stored[n.id] += 1
            elif isinstance(n, ast.FunctionDef):
                stored[n.name] += 1
        for n in tree.body:
            if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name):
                found[n.targets[0].id] = n.value
            elif isinstance(n, ast.FunctionDef):
                found[n.name] = n
    return {name: node for name, node in found.items() if stored[name] == 1}


def is_number(node: ast.AST, values: dict[str, ast.AST]) -> bool:
    """Whether code can only give a plain number, never an Estimate; False where that can't be known."""
    if isinstance(node, ast.Constant | ast.BinOp | ast.UnaryOp | ast.Compare):  # an Estimate has no arithmetic
        return True
    if isinstance(node, ast.Attribute):
        return node.attr in _PARTS
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        made = values.get(node.func.id)
        returned = [n.value for n in ast.walk(made) if isinstance(n, ast.Return)] if made is not None else []
        if isinstance(made, ast.FunctionDef) and returned:
            return all(value is not None and is_number(value, {}) for value in returned)
        return node.func.id in _NUMBERS
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _FIGURES or ast.unparse(node.func).startswith(("np.", "run.size"))
    if isinstance(node, ast.Name) and node.id in values:
        return is_number(values[node.id], {k: v for k, v in values.items() if k != node.id})
    return False


def lacking(chapter: Chapter, name: str) -> set[str]:
    """Fields that a record of this name is known to lack."""
    found = set()
    for call in _records(_code(chapter)):
        if not isinstance(call.args[0], ast.Constant) or call.args[0].value != name:
            continue
        given = {k.arg: k.value for k in call.keywords}
        if None in given:  # **more: anything may be in it
            continue
        found |= {"truth", "naive"} - set(given)
        value = call.args[1] if len(call.args) > 1 else given.get("value")
        if value is not None and is_number(value, _values(_code(chapter))):
            found |= _OF_AN_ESTIMATE
    return found
