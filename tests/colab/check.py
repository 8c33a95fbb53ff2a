"""Inside the Colab-like environment: which versions differ from Colab's, and do solution notebooks run clean?"""

import argparse
import importlib.metadata
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def differing(versions: Path) -> list[str]:
    """Return the listed packages that are installed here in another version."""
    wanted = (line.split("==") for line in versions.read_text().splitlines() if "==" in line)
    installed = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()}
    found = ((name, want, installed.get(name.lower().replace("_", "-"))) for name, want in wanted)
    return [f"{name}: Colab {want}, here {have}" for name, want, have in found if have not in (None, want)]


def run(path: Path, folder: Path) -> int:
    """Execute a notebook in an empty folder; return the number of checks that passed."""
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    pages = [o.get("data", {}).get("text/html", "") for c in book.cells if c.cell_type == "code" for o in c.outputs]
    refused = [page for page in pages if "cr-check" in page and "cr-passed" not in page]
    if refused:
        sys.exit(f"{path.name}: {len(refused)} check(s) refuse the course's own solution")
    return sum("cr-passed" in page for page in pages)


def main() -> None:
    """Check versions, then run the notebooks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", type=Path)
    parser.add_argument("notebooks", type=Path, nargs="*")
    args = parser.parse_args()
    off = differing(args.versions)
    if off:
        sys.exit("not Colab's versions:\n  " + "\n  ".join(off))
    for path in args.notebooks:
        with tempfile.TemporaryDirectory() as folder:
            passed = run(path, Path(folder))
        if not passed:
            sys.exit(f"{path.name}: no check was run")
        print(f"{path.name}: runs clean, {passed} checks passed")


if __name__ == "__main__":
    main()
