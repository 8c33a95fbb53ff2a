"""What a few cells of a notebook need, by names."""

import pytest

from causalrec_lib.course.needs import Statement, closure, parse, used

CELLS = [
    "import numpy as np\nimport pandas as pd",
    "%matplotlib inline\nC = 1\nlog = make(C)\nlog['x'] = np.ones(3)",
    "def helper(y):\n    return y + C\n\ndef answer(y, log):\n    return helper(y)",
    "C = 2\nD = [C for C in range(3)]\nC += 1",
    "if True:\n    E = 1\nE = E + D",
]
STATEMENTS = [Statement(k, node) for k, source in enumerate(CELLS) for node in parse(source)]


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ("answer", ["helper", "answer", "C = 2", "C += 1"]),  # a function meets the last C, and not the log
        ("log", ["import numpy as np", "C = 1", "log = make(C)", "log['x'] = np.ones(3)"]),
        ("E", ["D = [C for C in range(3)]", "if True:\n    E = 1", "E = E + D"]),
        ("pd", ["import pandas as pd"]),
        ("nothing", []),
    ],
)
def test_what_defines_a_name_and_what_that_needs_in_turn(wanted, lines):
    import ast

    found = [getattr(s.node, "name", None) or ast.unparse(s.node) for s in closure(STATEMENTS, [wanted])]
    assert found == lines


def test_local_names_are_not_needed():
    assert used(parse("def f(y, t=T):\n    z = y + t\n    return lambda a: a + z + g(W)")) == {"T", "g", "W"}
    assert used(parse("[x for x in rows if x > low]")) >= {"rows", "low"}
