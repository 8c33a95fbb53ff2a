"""Form of code cells: figures, colours, length, seeds, files."""

import ast
import re
from collections.abc import Iterator

from matplotlib.colors import get_named_colors_mapping

from causalrec_lib.course.chapters import Chapter

from .form import calls, code_cells, rule, trees

LONGEST_CELL = 40
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_FORMAT = re.compile(
    r"(?=.*[bgrcmykw])[bgrcmykw]?(?:--|-\.|-|:)?[.,ov^<>sp*hHxD+d|_]?|(?:[.,ov^<>s*xD+d]|--|-|:)[bgrcmykw]"
)
_COLOUR_ARGUMENTS = re.compile(r".*colou?rs?|c|ec|fc|palette|cmap|mfc|mec")
_NOT_A_COLOUR = {"none", "face", "auto"}
_GENERATORS = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "RandomState"}
_FILES = re.compile(
    r"open|pd\.read_\w+|pandas\.read_\w+|np\.(?:load|loadtxt|genfromtxt|fromfile|save|savetxt)|requests\.\w+"
    r"|urlopen|urllib\..+|subprocess\..+|os\.(?:system|popen)|shutil\..+|.+\.(?:read_text|read_bytes|write_text)"
)
_LOCAL = re.compile(
    r"(?<![\w.])/(?:home|work|tmp|Users|root|mnt|content|opt|var)/|[A-Za-z]:\\\\?\w|file://|\.\./shared|~/"
)


def _strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


@rule(pages=True)
def parses(chapter: Chapter) -> list[str]:
    """Every code cell is Python: no magics, no shell."""
    found = []
    for k, source, _ in code_cells(chapter):
        try:
            ast.parse(source)
        except SyntaxError as err:
            found.append(f"cell {k}: not Python (line {err.lineno}: {err.msg})")
    return found


@rule(pages=True)
def figures(chapter: Chapter) -> list[str]:
    """Every picture has alternative text and a caption that say something."""
    found = []
    for k, tree in trees(chapter):
        for call in calls(tree, "plots.show", "plots.draw_dag"):
            given = {a.arg: a.value for a in call.keywords}
            for name in ("alt", "caption"):
                if name not in given:
                    found.append(f"cell {k}: {ast.unparse(call.func)} without {name}=")
                elif isinstance(given[name], ast.Constant) and len(str(given[name].value).strip()) < 20:
                    found.append(f"cell {k}: {name} must say what the picture shows, in 20 characters or more")
            texts = [given[n].value for n in ("alt", "caption") if isinstance(given.get(n), ast.Constant)]
            if len(texts) == 2 and texts[0] == texts[1]:
                found.append(f"cell {k}: alt and caption say the same; alt describes, the caption says what to see")
        found += [
            f"cell {k}: show figures with plots.show" for _ in calls(tree, "plt.show", "fig.show", "display(fig)")
        ]
    return found


@rule(pages=True)
def colours(chapter: Chapter) -> list[str]:
    """Colours come from plots.COLORS."""
    named, found = set(get_named_colors_mapping()), []
    for k, tree in trees(chapter):
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            given = [a.value for a in call.keywords if a.arg and _COLOUR_ARGUMENTS.fullmatch(a.arg)]
            for text in (s for value in given for s in _colour_strings(value)):
                if text in named or re.fullmatch(r"C\d+|0?\.\d+", text):
                    found.append(f"cell {k}: colour {text!r}; take one from plots.COLORS")
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("plot", "errorbar"):
                formats = [s for a in call.args[1:] if isinstance(a, ast.Constant) for s in _strings(a)]
                found += [f"cell {k}: colour in the format {s!r}" for s in formats if s and _FORMAT.fullmatch(s)]
        found += [f"cell {k}: colour {s!r}; take one from plots.COLORS" for s in _strings(tree) if _HEX.fullmatch(s)]
    return found


def _colour_strings(node: ast.AST) -> Iterator[str]:
    """Colour names in an argument; a key such as COLORS["truth"] is none."""
    if isinstance(node, ast.Subscript):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in _NOT_A_COLOUR:
        yield node.value
    values = node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)
    for child in values:
        yield from _colour_strings(child)


@rule(pages=True)
def cell_length(chapter: Chapter) -> list[str]:
    """What is visible of a cell fits on a screen; a folded cell may be twice as long."""
    found = []
    for k, source, tags in code_cells(chapter):
        lines, most = len(source.splitlines()), LONGEST_CELL * (2 if "hide-input" in tags else 1)
        if lines > most:
            found.append(f"cell {k}: {lines} lines; split it or move it to the library (at most {most})")
    return found


@rule(pages=True)
def local_paths(chapter: Chapter) -> list[str]:
    """No path of one machine."""
    return [
        f"cell {k}: a local path, {line.strip()!r}"
        for k, cell in enumerate(chapter.notebook.cells)
        for line in cell.source.splitlines()
        if _LOCAL.search(line)
    ]


@rule(pages=True)
def seeds(chapter: Chapter) -> list[str]:
    """Randomness comes from run.rng or run.seed, never from a global or unseeded generator."""
    found = []
    for k, tree in trees(chapter):
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            name = ast.unparse(node.func)
            legacy = re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", name)
            if (legacy and legacy[1] not in _GENERATORS) or re.fullmatch(r"random\.\w+", name):
                found.append(f"cell {k}: {name} uses a global generator; use run.rng")
            elif name.endswith("default_rng") and not node.args:
                found.append(f"cell {k}: default_rng() without a seed; use run.rng, or default_rng(run.seed)")
    return found


@rule(pages=False)
def files(chapter: Chapter) -> list[str]:
    """Data come through causalrec_lib.data, files are not read or written by hand."""
    return [
        f"cell {k}: {ast.unparse(node.func)} touches files or the network; use data.load, run.out or the library"
        for k, tree in trees(chapter)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _FILES.fullmatch(ast.unparse(node.func))
    ]


@rule(pages=True)
def labelled_output(chapter: Chapter) -> list[str]:
    """A printed number says what it is."""
    found = []
    for k, tree in trees(chapter):
        for call in calls(tree, "print"):
            words = [a for a in call.args if any(re.search(r"[A-Za-z]{2}", s) for s in _strings(a))]
            named = [a for a in call.args if isinstance(a, ast.Name | ast.Attribute | ast.Call | ast.Subscript)]
            if named and not words and len(named) == len(call.args):
                found.append(
                    f"cell {k}: {ast.unparse(call)} prints without saying what; label it or show an Estimate"
                )
    return found
