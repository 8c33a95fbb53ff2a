"""Which top-level statements of a notebook a few of its cells need: found by names, without running anything."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MAGIC = re.compile(r"^(\s*)[%!].*$", re.M)


@dataclass(frozen=True)
class Statement:
    """One top-level statement of a code cell.

    Parameters
    ----------
    cell : int
        Position of its cell.
    node : ast.stmt
        The statement.
    """

    cell: int
    node: ast.stmt

    @property
    def binds(self) -> set[str]:
        """Names that it defines."""
        return binds(self.node)


def parse(source: str) -> list[ast.stmt]:
    """Return the top-level statements of a code cell; magics are passed over.

    Parameters
    ----------
    source : str
        Code.

    Returns
    -------
    list of ast.stmt
        With the line numbers of the cell.

    Raises
    ------
    SyntaxError
        If it is not Python.
    """
    return ast.parse(_MAGIC.sub(r"\1pass", source)).body


def binds(node: ast.stmt) -> set[str]:
    """Return the names that a top-level statement defines.

    Parameters
    ----------
    node : ast.stmt
        A statement.

    Returns
    -------
    set of str
        Names of functions, imports and variables.
    """
    symbols = symtable.symtable(ast.unparse(node), "cell", "exec").get_symbols()
    changed = (  # frame["a"] = 1 and graph.x = 2 define what the name holds, too
        n.value
        for n in _outside_functions(node)
        if isinstance(n, ast.Subscript | ast.Attribute) and isinstance(n.ctx, ast.Store)
    )
    found = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    return found | {n.id for n in changed if isinstance(n, ast.Name)}


def _outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _outside_functions(child)


def used(nodes: Iterable[ast.stmt]) -> set[str]:
    """Return the names that code reads from outside of itself: not arguments and other local names of functions.

    Parameters
    ----------
    nodes : iterable of ast.stmt
        Statements.

    Returns
    -------
    set of str
        Names.
    """
    found: set[str] = set()
    for node in nodes:
        queue = [symtable.symtable(ast.unparse(node), "cell", "exec")]
        while queue:
            table = queue.pop()
            queue += table.get_children()
            top = table.get_type() == "module"
            found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return found


def closure(statements: Sequence[Statement], wanted: Iterable[str]) -> list[Statement]:
    """Return the statements that define names, and all that these need in turn.

    Parameters
    ----------
    statements : sequence of Statement
        Those that may be taken.
    wanted : iterable of str
        Names; one that no statement defines is passed over.

    Returns
    -------
    list of Statement
        In their order.
    """
    end = len(statements)
    queue, seen, taken = [(name, end) for name in wanted], set(), set()
    while queue:
        name, before = queue.pop()
        if (name, before) in seen:
            continue
        seen.add((name, before))
        for k in range(before - 1, -1, -1):
            statement = statements[k]
            if name not in statement.binds:
                continue
            reads = used([statement.node])
            taken.add(k)
            queue += [(other, end if _is_function(statement.node) else k) for other in reads]
            if name not in reads and _outright(statement.node, name):
                break
    return [statements[k] for k in sorted(taken)]


def _is_function(node: ast.stmt) -> bool:
    """Whether a statement reads its names only when it is called, later."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _outright(node: ast.stmt, name: str) -> bool:
    """Whether a statement gives a name a new value, whatever was before."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(n, ast.Name) and n.id == name for t in targets for n in ast.walk(t) if _stores(n))
    return _is_function(node) or isinstance(node, ast.ClassDef | ast.Import | ast.ImportFrom)


def _stores(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
