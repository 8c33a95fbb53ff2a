"""The `causalrec` command."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from causalrec_lib import data as datasets
from causalrec_lib.data.transfer import Policy

app = typer.Typer(help="Run, check and extend the course.", no_args_is_help=True, add_completion=False)
data_app = typer.Typer(help="Data sets and models.", no_args_is_help=True)
app.add_typer(data_app, name="data")
out = Console()
_COLOR = {"ok": "green", "note": "yellow", "fail": "red", "same": "green", "moved": "red", "new": "yellow"}
_SHOWN = 12

Profile = Annotated[str, typer.Option(help="ci or full")]


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


@app.command("doctor")
def _doctor() -> None:
    """Say what is here, what is missing, and how to mend it; in a checkout or with the library alone."""
    from causalrec_lib.course.doctor import checkout, examine, packages

    findings, versions = examine(), _table("package", "", "here", "pin", "needs")
    for p in packages():
        versions.add_row(p.name, f"[{_COLOR[p.level]}]{p.level}[/]", p.here or "-", p.pin or "-", p.needs)
    if versions.row_count:
        out.print(versions)
        out.print()
    table = _table("what", "", "found", "mend")
    for f in findings:
        table.add_row(f.what, f"[{_COLOR[f.level]}]{f.level}[/]", escape(f.found), escape(f.mend))
    out.print(table)
    bad = [f.what for f in findings if f.level == "fail"]
    ready = f"[green]Ready: {'make book' if checkout() else 'run the first cell of a lab'}[/]"
    out.print(f"[red]Not ready: {', '.join(bad)}.[/]" if bad else ready)
    raise typer.Exit(1 if bad else 0)


@data_app.command("list")
def _data_list() -> None:
    """List the sets, where they come from and whether they are here."""
    table = _table("name", "from", "here", "MB", "what it is")
    rows = datasets.status(group=None)
    for _, row in rows.iterrows():
        size = f"{max(row['bytes'] / 1e6, 0.1):.1f}"
        table.add_row(row["name"], row["kind"], "yes" if row["present"] else "-", size, row["title"])
    out.print(table)
    out.print(f"{rows['present'].sum()} of {len(rows)} are here. For one: causalrec data card NAME", highlight=False)


def _failed(err: Exception) -> bool:
    """Print what is wrong with a set and its mend, on lines of their own; True, for the exit status."""
    if isinstance(err, datasets.DataError):
        out.print(f"[red]{err.name}[/]: {escape(err.reason)}\n  {escape(err.mend)}", highlight=False, soft_wrap=True)
    else:
        out.print(f"[red]{escape(str(err))}[/]", highlight=False, soft_wrap=True)
    return True


@data_app.command("fetch")
def _data_fetch(names: Annotated[list[str] | None, typer.Argument(help="sets; none: all")] = None) -> None:
    """Fetch and verify sets."""
    failed = False
    policy = Policy(dead=set())
    for name in names or datasets.names(group=None):
        try:
            out.print(f"{name}: {datasets.fetch(name, policy=policy)}", highlight=False, soft_wrap=True)
        except (datasets.DataError, ValueError) as err:
            failed = _failed(err)
    raise typer.Exit(1 if failed else 0)


@data_app.command("verify")
def _data_verify(names: Annotated[list[str] | None, typer.Argument(help="sets; none: all present")] = None) -> None:
    """Check the hashes of sets in the cache."""
    failed = False
    here = [n for n in datasets.names(group=None) if (datasets.cache_dir() / n).is_dir()]
    if not names and not here:
        out.print(f"{datasets.cache_dir()} holds no set yet. Run: causalrec data fetch", soft_wrap=True)
    for name in names or here:
        try:
            if datasets.verify(name):
                out.print(f"{name}: [green]ok[/]")
            else:
                failed = True
                out.print(f"[red]{name}[/]: not here. Run: causalrec data fetch {name}", highlight=False)
        except (datasets.DataError, ValueError) as err:
            failed = _failed(err)
    raise typer.Exit(1 if failed else 0)


@data_app.command("card")
def _data_card(name: str) -> None:
    """Show what a set is, and its traps."""
    out.print(Markdown(str(_or_exit(datasets.card, name))))


def _or_exit(function, *args):  # type: ignore[no-untyped-def]
    """Call, and turn a ValueError or a missing file into a message and exit status 1."""
    try:
        return function(*args)
    except (ValueError, FileNotFoundError, FileExistsError) as err:
        out.print(f"[red]{escape(str(err))}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from err


@app.command("run")
def _run(chapter: str, profile: Profile = "ci", seed: int = 2026) -> None:
    """Run one chapter, for example weighting/01."""
    from causalrec_lib.course import chapters, runner
    from causalrec_lib.course import records as book

    found = _or_exit(chapters.get, chapter)
    apart = None if seed == runner.DEFAULT_SEED else book.build_dir() / f"seed-{seed}"
    try:
        started = time.perf_counter()
        path = runner.run(found, profile, seed, apart)
        out.print(f"{found.id}: {time.perf_counter() - started:.0f} s, {path}", highlight=False, soft_wrap=True)
        file = book.record_path(found.id, profile, apart)
        rows = book.read(file) if file.is_file() else {}
        main = {k: r for k, r in rows.items() if r.truth is not None or r.naive is not None} or rows
        table = _table("record", "value", "truth", "naive")
        for name, r in list(main.items())[:_SHOWN]:
            table.add_row(name, *("" if x is None else f"{x:.5g}" for x in (r.value, r.truth, r.naive)))
        if rows:
            out.print(table, soft_wrap=True)
            out.print(
                f"{min(len(main), _SHOWN)} of {len(rows)} records; all: {file}", highlight=False, soft_wrap=True
            )
        if apart is not None:
            out.print(
                f"Another seed than the course's {runner.DEFAULT_SEED}: kept apart, in {apart}.", soft_wrap=True
            )
    except runner.ChapterFailed as err:
        out.print(str(err), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from err


@app.command("records")
def _records(
    chapter: Annotated[str | None, typer.Argument(help="none: all chapters")] = None,
    profile: Profile = "ci",
    update: Annotated[bool, typer.Option(help="rewrite the baseline and show the difference")] = False,
    everything: Annotated[bool, typer.Option("--all", help="show what is the same, too")] = False,
) -> None:
    """Show which of a chapter's numbers moved against its baseline."""
    from causalrec_lib.course import chapters

    found = [_or_exit(chapters.get, chapter)] if chapter else chapters.find()
    bad = [c.id for c in found if not _show_records(c.id, profile, update, everything)]
    raise typer.Exit(1 if bad else 0)


def _show_records(chapter: str, profile: str, update: bool, everything: bool) -> bool:
    """Show one chapter's records; return whether all is well, or is now."""
    from causalrec_lib.course import regression
    from causalrec_lib.course.freshness import incomparable
    from causalrec_lib.course.records import build_dir, repo_root

    why = incomparable(chapter, profile, repo_root() or Path.cwd(), build_dir())
    if why:
        out.print(f"[red]{escape(why)}[/]", highlight=False, soft_wrap=True)
        return False
    rows = _or_exit(regression.compare, chapter, profile)
    table = _table("record", "baseline", "now", "tolerance", "verdict", title=chapter)
    moved = [r for r in rows if r.verdict != "same"]
    shown = rows if everything else moved
    for row in shown:
        tolerance = "" if row.verdict == "new" else row.shown(row.tolerance)
        verdict = f"[{_COLOR.get(row.verdict, 'red')}]{row.verdict}[/]"
        table.add_row(row.name, row.shown(row.old), row.shown(row.new), tolerance, verdict)
    if shown:
        out.print(table)
    for line in regression.packages(chapter, profile) if moved else []:
        out.print(f"since the baseline, {line}", highlight=False)
    out.print(f"{chapter}: {sum(r.verdict == 'same' for r in rows)} of {len(rows)} fields as in the baseline")
    if update:
        out.print(f"baseline written: {regression.update(chapter, profile)}", soft_wrap=True)
    if moved and not update:
        out.print(f"If that is meant: causalrec records {chapter} --update", highlight=False, soft_wrap=True)
    return update or not moved


@app.command("prose")
def _prose(chapter: str, profile: Profile = "ci") -> None:
    """Show a chapter's sentences with their numbers, for every seed that was run: is what they say so?"""
    from causalrec_lib.course import chapters, prose

    found = _or_exit(chapters.get, chapter)
    rows = _or_exit(lambda: list(prose.paragraphs(found, profile)))
    ran = " | ".join(str(seed) for seed in prose.seeds(found, profile))
    for line, text in rows:
        out.print(f"{found.source.name}:{line}", style="dim", highlight=False)
        out.print(f"{text}\n", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{len(rows)} paragraphs with numbers; seeds {ran}. More: causalrec run {found.id} --seed 7")


@app.command("check")
def _check(chapter: str) -> None:
    """Do all that a finished chapter must pass: lint, run, form, checks, labs, baseline, second run."""
    from causalrec_lib.course import chapters
    from causalrec_lib.course.author import steps

    found = _or_exit(chapters.get, chapter)
    failed = []
    for step in steps(found):
        good, told = step.go()
        out.print(f"[{'green' if good else 'red'}]{'passed' if good else 'FAILED'}[/]  {step.what}", soft_wrap=True)
        if not good:
            out.print(told, markup=False, highlight=False, soft_wrap=True)
            failed.append(step.what)
            if step.needed:
                break
    out.print(f"{found.id}: " + (f"not yet: {', '.join(failed)}" if failed else "all passed"), highlight=False)
    raise typer.Exit(1 if failed else 0)


@app.command("ledger")
def _ledger(profile: Profile = "ci") -> None:
    """Show the published numbers and what the course finds."""
    from causalrec_lib.course import ledger as book

    table = _table("row", "published", "ours", "tolerance", "status", "source")
    rows = book.table(profile)
    for _, r in rows.iterrows():
        ours = "-" if r["ours"] is None or r["ours"] != r["ours"] else f"{r['ours']:.6g}"
        table.add_row(r["id"], f"{r['published']:g}", ours, f"{r['tolerance']:g}", r["status"], r["source"])
    out.print(table)
    raise typer.Exit(1 if (rows["status"] == "DIFFERS").any() else 0)


@app.command("labs")
def _labs(
    chapter: Annotated[str | None, typer.Argument(help="none: all chapters")] = None,
    profile: Profile = "ci",
    from_baselines: Annotated[bool, typer.Option(help="numbers from the committed baselines: run nothing")] = False,
) -> None:
    """Build student, solution and short notebooks; with all chapters, the library's wheel beside them."""
    from causalrec_lib.course import chapters
    from causalrec_lib.course.labs import build_labs
    from causalrec_lib.course.labs_setup import write_wheel
    from causalrec_lib.course.records import build_dir, repo_root

    only = _or_exit(chapters.get, chapter).id if chapter else None
    written = _or_exit(build_labs, profile, None, None, only, from_baselines)
    root = repo_root()
    if root is not None and not only:
        written.append(_or_exit(write_wheel, root, build_dir() / "labs"))
    for path in written:
        out.print(str(path), highlight=False, soft_wrap=True)


@app.command("grade")
def _grade(
    folder: Annotated[Path, typer.Argument(help="the notebooks that were handed in", exists=True, file_okay=False)],
    csv: Annotated[Path | None, typer.Option(help="write one row a notebook here")] = None,
    limit: Annotated[float, typer.Option(help="seconds for one exercise")] = 10.0,
) -> None:
    """Run the checks on handed-in notebooks: the answers alone, each notebook in a process of its own."""
    from causalrec_lib.course import grade as grading
    from causalrec_lib.course.records import repo_root

    def tell(g: grading.Grade) -> None:
        told = g.problem or "  ".join(f"{e} {v}" for e, (v, _) in g.verdicts.items())
        out.print(f"{g.file}  {g.name or '-'}  {g.passed}/{len(g.verdicts)}  {told}", markup=False, soft_wrap=True)

    known = grading.wanted(repo_root() or repo_root(Path(__file__)))
    grades = _or_exit(grading.grade, folder, known, limit, tell)
    if csv:
        grading.write_csv(grades, csv)
        out.print(f"{len(grades)} rows written to {csv}", highlight=False, soft_wrap=True)


@app.command("new-chapter")
def _new_chapter(part: str, name: str) -> None:
    """Write the template of a chapter, of its checks and of their wrong answers."""
    from causalrec_lib.course.records import repo_root
    from causalrec_lib.course.template import new_chapter as write

    root = repo_root()
    if root is None:
        sys.exit("run this inside a checkout of the course.")
    for path in _or_exit(write, part, name, Path(root)):
        out.print(str(path), highlight=False)


if __name__ == "__main__":
    app()
