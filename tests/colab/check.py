"""Inside the Colab-like environment: are the versions Colab's, and do all labs run as a class needs them?"""

import argparse
import importlib.metadata
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import nbformat
from nbclient import NotebookClient

VERDICTS = ("passed", "wrong", "unanswered")


def differing(versions: Path) -> list[str]:
    """Return the listed packages that are installed here in another version."""
    wanted = (line.split("==") for line in versions.read_text().splitlines() if "==" in line)
    installed = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()}
    found = ((name, want, installed.get(name.lower().replace("_", "-"))) for name, want in wanted)
    return [f"{name}: Colab {want}, here {have}" for name, want, have in found if have not in (None, want)]


def tagged(book: nbformat.NotebookNode, tag: str) -> list[int]:
    """Return the places of the cells with a tag."""
    return [k for k, cell in enumerate(book.cells) if tag in cell.metadata.get("tags", [])]


def run(path: Path) -> tuple[nbformat.NotebookNode, Counter, float]:
    """Execute a notebook in an empty folder; return it, what its checks say, and the seconds it took."""
    book, began = nbformat.read(path, as_version=4), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(book, timeout=600, resources={"metadata": {"path": folder}}).execute()
    pages = [o.get("data", {}).get("text/html", "") for c in book.cells if c.cell_type == "code" for o in c.outputs]
    said = Counter({v: sum(f'class="cr-check cr-{v}"' in page for page in pages) for v in VERDICTS})
    return book, said, time.perf_counter() - began


def lab(solution: Path) -> str:
    """Run a chapter's solution and its short lab, and hold its student lab to the solution; return one line."""
    solved, said, seconds = run(solution)
    checks = len(tagged(solved, "check"))
    if not checks or said != Counter(passed=checks, wrong=0, unanswered=0):
        sys.exit(f"{solution.name}: {checks} checks, which say {dict(said)} of the course's own solution")
    short = solution.with_name(solution.name.replace("_solution", "_exercises"))
    _, said, quick = run(short)
    if said != Counter(passed=0, wrong=0, unanswered=checks):
        sys.exit(f"{short.name}: {checks} checks, which say {dict(said)} of open stubs")
    student = solution.with_name(solution.name.replace("_solution", "_student"))
    book = nbformat.read(student, as_version=4)
    stub = tagged(book, "exercise")[0]
    if [c.source for c in book.cells[:stub]] != [c.source for c in solved.cells[:stub]]:
        sys.exit(f"{student.name} is not its solution before the first stub, so nothing says that it runs")
    return f"{checks} checks pass, {seconds:.0f} s; short lab open, {quick:.0f} s; student lab equal up to its stub"


def main() -> None:
    """Check versions, then all labs of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", type=Path)
    parser.add_argument("labs", type=Path)
    args = parser.parse_args()
    off = differing(args.versions)
    if off:
        sys.exit("not Colab's versions:\n  " + "\n  ".join(off))
    solutions = sorted(args.labs.glob("*_solution.ipynb"))
    if not solutions:
        sys.exit(f"no lab lies in {args.labs}: run make labs")
    for path in solutions:
        print(f"{path.name}: {lab(path)}", flush=True)


if __name__ == "__main__":
    main()
