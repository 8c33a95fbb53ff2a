"""Run settings of a chapter: seed, sizes, device, progress, and the records that it leaves."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
from IPython.display import Markdown, display
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from causalrec_lib import _validate, plots
from causalrec_lib.course import records
from causalrec_lib.course.records import Kind, Record
from causalrec_lib.estimate import Estimate

T = TypeVar("T")
PROFILES = ("ci", "full")
_CHAPTER = re.compile(r"[a-z_]+/[a-z0-9_]+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
VERSIONS = (
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "statsmodels",
    "dowhy",
    "econml",
    "torch",
    "transformers",
)


class Run:
    """The settings of one run of a chapter; made by `start`.

    Parameters
    ----------
    profile : {"ci", "full"}
        Sizes: two cores and a minute, or all data and a GPU where there is one.
    seed : int
        Decides every random draw.
    chapter : str
        For example "weighting/01_propensity_weighting".
    """

    def __init__(self, profile: str, seed: int, chapter: str) -> None:
        self.profile: str = _validate.one_of(profile, "profile", PROFILES)
        self.seed = _validate.integer(seed, "seed")
        if not isinstance(chapter, str) or not _CHAPTER.fullmatch(chapter):
            raise ValueError(f"chapter must look like 'weighting/01_propensity_weighting', but is {chapter!r}.")
        self.chapter = chapter
        self.rng = np.random.default_rng(self.seed)
        self._records: dict[str, Record] = {}
        self._started = time.perf_counter()

    @cached_property
    def device(self) -> str:
        """Torch device to use: "cuda", "mps" or "cpu"."""
        if importlib.util.find_spec("torch") is None:
            return "cpu"
        import torch

        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"

    @property
    def threads(self) -> int:
        """Number of CPU threads that numeric libraries may use."""
        return int(os.environ.get("CAUSALREC_THREADS", 1 if self.profile == "ci" else os.cpu_count() or 1))

    @property
    def out(self) -> Path:
        """Folder for files that the chapter writes."""
        folder = records.build_dir() / "out" / self.profile / self.chapter
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def size(self, *, ci: int, full: int) -> int:
        """Return the size for this run's profile.

        Parameters
        ----------
        ci : int
            Size that two cores do in seconds.
        full : int
            Size for a long run.

        Returns
        -------
        int
            One of both.

        Raises
        ------
        ValueError
            If a size is no whole number above 0, whichever the profile takes.
        """
        sizes = {"ci": _validate.integer(ci, "ci", low=1), "full": _validate.integer(full, "full", low=1)}
        return sizes[self.profile]

    def seeds(self, n: int, stream: str) -> tuple[int, ...]:
        """Seeds for repeated draws, which share nothing with those of another name or another run's seed.

        Parameters
        ----------
        n : int
            How many. The first k are the same for each n >= k.
        stream : str
            What they are for, in a chapter's own word: "weeks", "bootstrap".

        Returns
        -------
        tuple of int
            Whole numbers below 2 ** 32.

        Raises
        ------
        ValueError
            If `n` is no whole number above 0, or `stream` is no text.
        """
        name = zlib.crc32(_validate.text(stream, "stream", least=1).encode())
        drawn = np.random.SeedSequence([self.seed, name]).generate_state(_validate.integer(n, "n", low=1))
        return tuple(int(seed) for seed in drawn)

    def progress(self, items: Iterable[T], what: str) -> Iterator[T]:
        """Iterate with a progress bar on the error stream.

        Parameters
        ----------
        items : iterable
            What to go through.
        what : str
            Label of the bar.

        Returns
        -------
        iterator
            The items.

        Raises
        ------
        ValueError
            If `items` can't be gone through or `what` is no text.
        """
        quiet = os.environ.get("CAUSALREC_QUIET") == "1"
        label = _validate.text(what, "what")
        return iter(tqdm(_validate.iterable(items, "items"), desc=label, leave=False, disable=quiet))

    def claim(self, words: str, holds: object, **numbers: float) -> None:
        """Stop a build if a comparison that the prose makes is false; in a lab, say so and go on.

        Parameters
        ----------
        words : str
            The claim in words, for the message.
        holds : bool
            Whether the numbers of this run bear it out.
        **numbers : float
            What was compared, by name; shown if the claim is false.

        Raises
        ------
        ValueError
            If `holds` is no truth value: an array, a number, None; or `words` is no text.
        AssertionError
            If it is false and CAUSALREC_STRICT is 1, as in builds; the message says which claim of which chapter.

        Notes
        -----
        A lab with another seed, or with half of its cells changed, prints a note instead.
        """
        _validate.text(words, "words", least=1)
        if not isinstance(holds, bool | np.bool_):
            raise ValueError(f"holds must be True or False, but is {type(holds).__name__}; compare first.")
        if holds:
            return
        if os.environ.get("CAUSALREC_STRICT") == "1":
            said = ", ".join(f"{name} = {float(value):.5g}" for name, value in numbers.items())
            raise AssertionError(
                f"{self.chapter}: the numbers of this run do not bear out the claim: {words}"
                + (f" ({said})" if said else "; pass them, run.claim(words, holds, name=value), to see them here")
            )
        print(
            f"Note: with these numbers (seed {self.seed}) it does not hold that {words.rstrip('.')}. The text was "
            "written for the course's seed; where it leans on this, trust your numbers."
        )

    def record(
        self,
        name: str,
        value: Estimate | float,
        *,
        truth: float | None = None,
        naive: float | Estimate | None = None,
        kind: Kind | None = None,
        mc_se: float | None = None,
        optional: bool = False,
    ) -> None:
        """Record a number: for the prose, for the regression suite, with the naive value beside it.

        Parameters
        ----------
        name : str
            Lower case with underscores; unique in the chapter.
        value : Estimate or float
            The number.
        truth : float, optional
            What it should be.
        naive : float or Estimate, optional
            What the naive analysis says; a tolerance must never reach it.
        kind : {"closed_form", "stochastic", "exact", "measured"}, optional
            How the baseline's tolerance is reasoned; by default stochastic if `mc_se` is given, else closed form.
        mc_se : float, optional
            Monte-Carlo standard error; needed if `kind` is "stochastic".
        optional : bool
            True in a section on data that may be absent.

        Raises
        ------
        ValueError
            If the name is malformed or, under CAUSALREC_STRICT=1, taken; the value is not finite; `kind` is unknown;
            or a stochastic record has no `mc_se`.

        Notes
        -----
        Outside of builds (CAUSALREC_STRICT=1) a name may be recorded again: a reader runs cells more than once.
        """
        if kind is None:
            kind = "closed_form" if mc_se is None else "stochastic"
        _validate.one_of(kind, "kind", get_args(Kind))
        if not _NAME.fullmatch(_validate.text(name, "name")):
            raise ValueError(f"name must be lower case with underscores, but is {name!r}.")
        if name in self._records and os.environ.get("CAUSALREC_STRICT") == "1":
            raise ValueError(f"name {name!r} is recorded already in this chapter; choose another.")
        if kind == "stochastic" and not (mc_se is not None and _validate.number(mc_se, "mc_se", missing=True) > 0):
            raise ValueError(f"mc_se of {name!r} must be positive: a stochastic record needs its Monte-Carlo error.")
        _validate.flag(optional, "optional")
        self._records[name] = _as_record(value, truth, naive, kind, mc_se, optional)
        meta = {"chapter": self.chapter, "profile": self.profile, "seed": self.seed, "versions": versions()}
        meta["source"] = os.environ.get("CAUSALREC_SOURCE")  # set by the runner; None if run by hand
        meta["seconds"] = round(time.perf_counter() - self._started, 3)
        records.write(records.record_path(self.chapter, self.profile), meta, self._records)


def _as_record(
    value: Estimate | float,
    truth: float | None,
    naive: float | Estimate | None,
    kind: Kind,
    mc_se: float | None,
    optional: bool,
) -> Record:
    def finite(x: float | None, name: str) -> float | None:
        return None if x is None else _validate.number(x, name)

    record = Record(
        value=_validate.number(value.value if isinstance(value, Estimate) else value, "value"),
        truth=finite(truth, "truth"),
        naive=finite(naive.value if isinstance(naive, Estimate) else naive, "naive"),
        kind=kind,
        mc_se=None if mc_se is None else _validate.number(mc_se, "mc_se", low=0.0),
        optional=optional,
    )
    if not isinstance(value, Estimate):
        return record
    has_interval = bool(np.isfinite(value.low) and np.isfinite(value.high))
    return replace(
        record,
        se=float(value.se) if np.isfinite(value.se) else None,
        low=float(value.low) if has_interval else None,
        high=float(value.high) if has_interval else None,
        n=float(value.n),
        ess=value.ess,
    )


@cache
def versions() -> dict[str, str]:
    """Return the versions that results depend on.

    Returns
    -------
    dict of str to str
        Python and the numeric packages that are installed.
    """
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        if importlib.util.find_spec(name.replace("scikit-learn", "sklearn")) is not None:
            found[name] = importlib.metadata.version(name)
    return found


def start(profile: str, seed: int, chapter: str) -> Run:
    """Begin a chapter: style, thread limits, generator; say where and on what it runs.

    Parameters
    ----------
    profile : {"ci", "full"}
        Papermill parameter PROFILE.
    seed : int
        Papermill parameter SEED.
    chapter : str
        Part and file name, for example "weighting/01_propensity_weighting".

    Returns
    -------
    Run
        The run's settings.

    Raises
    ------
    ValueError
        If an argument is malformed, or the checkout around the working directory has no such chapter.
    """
    run = Run(profile, seed, chapter)
    _known(chapter)
    plots.use_style()
    threadpool_limits(limits=run.threads)
    threads = f"{run.threads} thread{'s' if run.threads > 1 else ''}"
    print(
        *(chapter, f"profile {profile}", f"seed {seed}", threads, f"Python {platform.python_version()}"),
        sep=" \u00b7 ",
    )
    return run


def _known(chapter: str) -> None:
    """Refuse a name that no file of this checkout has, where records would go into the checkout's build folder."""
    root = records.repo_root()
    if root is None or root not in records.build_dir().resolve().parents:
        return
    if (root / "notebooks" / f"{chapter}.py").is_file():
        return
    known = sorted(
        p.relative_to(root / "notebooks").with_suffix("").as_posix() for p in root.glob("notebooks/*/*.py")
    )
    raise ValueError(
        f"chapter {chapter!r} has no file notebooks/{chapter}.py (called in {Path.cwd()}); "
        f"give course.start the name of its own file, one of: {', '.join(known)}."
    )


def say(text: str) -> None:
    """Display Markdown with computed numbers in it, as the output of a cell.

    Parameters
    ----------
    text : str
        Markdown.

    Raises
    ------
    ValueError
        If it is no text.
    """
    display(Markdown(_validate.text(text, "text")))
