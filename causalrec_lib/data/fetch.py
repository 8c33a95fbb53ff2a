"""Fetch a set into the cache: whole or not at all, from the first address that delivers the right bytes."""

from __future__ import annotations

import contextlib
import os
import shutil
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from causalrec_lib import _validate
from causalrec_lib.data import archive as archives
from causalrec_lib.data import cache, index, registry, transfer
from causalrec_lib.data.errors import DataCorrupt, DataError, DataUnavailable, TransferError
from causalrec_lib.data.registry import Archive, Entry, SourceFile

MIRROR_VARIABLE = "CAUSALREC_DATA_MIRROR"
OFFLINE_VARIABLE = "CAUSALREC_OFFLINE"


def offline() -> bool:
    """Say whether `CAUSALREC_OFFLINE` forbids the network.

    Returns
    -------
    bool
        True if no address may be asked.
    """
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def _mirror() -> Path | None:
    named = os.environ.get(MIRROR_VARIABLE, "").strip()
    return Path(named).expanduser() if named else None


def _copy(source: Path, target: Path, file: SourceFile) -> None:
    """Copy a file of a local folder; a folder that can't be read is one more address that doesn't deliver."""
    try:
        handle = source.open("rb")
    except OSError as err:
        raise TransferError(str(source), f"can't be read ({err.strerror})") from err
    with handle:
        archives.copy_checked(handle, target, file, str(source))


def _place(err: TransferError) -> str:
    """Return the host of a web address, or the path."""
    return urllib.parse.urlsplit(err.address).netloc or err.address


@dataclass
class _Job:
    """One fetch under way: the set, where it is staged, and what every address said."""

    entry: Entry
    stage: Path
    policy: transfer.Policy
    bar: tqdm
    dead: set[str] = field(default_factory=set)

    @contextlib.contextmanager
    def host(self, url: str) -> Iterator[None]:
        """Ask a host only where the network is allowed, and not again when it did not answer."""
        address = transfer.redact(url)
        host = urllib.parse.urlsplit(address).netloc
        if offline():
            raise TransferError(address, f"not asked: {OFFLINE_VARIABLE} is set")
        if host in self.dead:
            raise TransferError(address, "not asked again (the host did not answer before)", dead_host=True)
        try:
            yield
        except TransferError as err:
            if err.dead_host:
                self.dead.add(host)
            raise

    def web(self, url: str, target: Path, file: SourceFile, certificate: str = "") -> None:
        """Fetch one file from one web address and check it."""
        address = transfer.redact(url)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        with self.host(url):
            transfer.download(url, part, file.bytes, self.policy, certificate, self.bar.update)
        got = cache.sha256_of(part)
        if part.stat().st_size != file.bytes or got != file.sha256:
            size = part.stat().st_size
            part.unlink()
            raise TransferError(
                address,
                f"delivers another file ({size:,} bytes, sha256 {got[:12]}..., expected {file.bytes:,} bytes, "
                f"{file.sha256[:12]}...)",
                wrong=True,
            )
        os.replace(part, target)

    def first(self, what: str, tries: Sequence[Callable[[], None]]) -> None:
        """Run the tries in order until one succeeds; when none does, say what each address said."""
        here: list[TransferError] = []
        for attempt in tries:
            try:
                attempt()
                return
            except TransferError as err:
                here.append(err)
        self._give_up(what, here)

    def _give_up(self, what: str, here: Sequence[TransferError]) -> NoReturn:
        name = self.entry.name
        nowhere = f"no public address is known for it; a local mirror ({MIRROR_VARIABLE}) may hold it"
        said = "; ".join(str(e) for e in here) or nowhere
        brief = "; ".join(dict.fromkeys(f"{_place(e)}: {e.reason.partition(' (')[0]}" for e in here)) or said
        again = f"then run: causalrec data fetch {name}"
        if any(e.wrong for e in here):
            raise DataCorrupt(
                name,
                f"no address delivers the right {what}. {said}.",
                "A proxy's page or a changed file is not what the course was written for: compare with "
                f"{self.entry.homepage}, or put the right file into a folder named by {MIRROR_VARIABLE}, {again}",
                brief=brief,
                delivered=all(e.address.startswith("http") for e in here if e.wrong),
            )
        place = f"packages/{what}" if self.entry.archive else f"{name}/{what}"
        if offline():
            mend = f"Unset {OFFLINE_VARIABLE}, or name a folder that holds {place} in {MIRROR_VARIABLE}, {again}"
        else:
            mend = f"Check the connection, or name a folder that holds {place} in {MIRROR_VARIABLE}, {again}"
        raise DataUnavailable(name, f"{what} can't be fetched. {said}.", mend, brief=brief)


def _obtain_urls(job: _Job) -> None:
    """Stage each file of a set of kind url: the local mirror first, then its addresses in order."""
    for file in job.entry.files:
        target = job.stage / job.entry.name / registry.safe_relative(file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        tries: list[Callable[[], None]] = []
        mirror = _mirror()
        if mirror is not None:
            source = mirror / job.entry.name / file.path
            tries.append(lambda s=source, t=target, f=file: _copy(s, t, f))  # type: ignore[misc]
        for url in file.urls:
            tries.append(lambda u=url, t=target, f=file: job.web(u, t, f))  # type: ignore[misc]
        job.first(file.path, tries)


def _from_index(job: _Job, wanted: Archive, address: str, target: Path, file: SourceFile, certificate: str) -> None:
    folder = index.local_path(address)
    if folder is not None:
        _copy(folder / wanted.project / wanted.filename, target, file)
        return
    with job.host(address):
        found = index.find(wanted, address, job.policy, certificate)
    job.web(found, target, file, certificate)


def _obtain_archive(job: _Job, wanted: Archive) -> Path:
    """Stage the archive: the local mirror first, then folders and indexes that pip is set up for."""
    target = job.stage / wanted.filename
    file = SourceFile(wanted.filename, wanted.sha256, wanted.bytes)
    found = index.settings()
    mirror = _mirror()
    folders = [mirror / "packages"] if mirror is not None else []
    folders += [p for p in map(index.local_path, found.folders) if p is not None]
    tries: list[Callable[[], None]] = [lambda p=p: _copy(p / wanted.filename, target, file) for p in folders]  # type: ignore[misc]
    tries += [
        lambda a=a: _from_index(job, wanted, a, target, file, found.certificate)  # type: ignore[misc]
        for a in found.indexes
    ]
    job.first(wanted.filename, tries)
    return target


def _obtain(job: _Job) -> list[Entry]:
    """Stage the set, and the absent sets of the same archive; return what is staged."""
    wanted = job.entry.archive
    if wanted is None:
        _obtain_urls(job)
        return [job.entry]
    path = _obtain_archive(job, wanted)
    folder = cache.cache_dir()
    others = [e for e in registry.entries().values() if e.archive == wanted and e.name != job.entry.name]
    group = [job.entry, *(e for e in others if not (folder / e.name).exists())]
    for entry in group:
        try:
            archives.unpack(path, entry.files, job.stage / entry.name, wanted.filename)
        except TransferError as err:
            raise DataCorrupt(entry.name, f"{err}.", f"Mend the entry of {entry.name} in data/sources.toml.") from err
    path.unlink()
    return group


@contextlib.contextmanager
def _damage_is_said(entry: Entry, folder: Path) -> Iterator[None]:
    """When a damaged copy lies in the cache and can't be replaced, say that it is damaged."""
    try:
        yield
    except DataError as err:
        if not folder.is_dir() or (isinstance(err, DataCorrupt) and not err.delivered):
            raise
        wrong = ", ".join(cache.wrong_files(folder, entry))
        raise DataCorrupt(
            entry.name,
            f"the copy in {folder} is damaged ({wrong}) and could not be replaced: {err.reason}",
            err.mend,
        ) from err


def fetch(name: str, progress: bool = True, *, policy: transfer.Policy = transfer.DEFAULT) -> Path:
    """Bring a set into the cache, and return its folder.

    A set that is there and whole is not asked for again: no network is used, and its files are hashed only when
    their size or time changed since they were last verified. Sets of one archive come together.

    Parameters
    ----------
    name : str
        A name of the registry.
    progress : bool
        Show a bar on a terminal.
    policy : transfer.Policy
        How patient to be with one address.

    Returns
    -------
    Path
        The folder in the cache that holds the files of the set.

    Raises
    ------
    ValueError
        If there is no such set, or an option is of another type.
    DataUnavailable
        If no address delivers it, or the cache can't be written; the cache is as it was.
    DataCorrupt
        If what is delivered is not the registered file; the cache is as it was.
    """
    entry = registry.entry(name)
    _validate.flag(progress, "progress")
    _validate.instance(policy, "policy", transfer.Policy, "pass transfer.Policy(timeout_s=...)")
    root = cache.cache_dir()
    folder = root / entry.name
    with cache.disk_errors(name, root, entry.bytes):
        if cache.ready(folder, entry):
            return folder
        with _damage_is_said(entry, folder), cache.disk_errors(name, root, entry.bytes):
            root.mkdir(parents=True, exist_ok=True)
            with cache.lock(root, entry.lock_key, name):
                if not cache.ready(folder, entry):
                    _fetch_locked(entry, root, progress, policy)
    return folder


def _fetch_locked(entry: Entry, root: Path, progress: bool, policy: transfer.Policy) -> None:
    size = entry.archive.bytes if entry.archive else entry.bytes
    quiet = None if progress else True  # None: no bar where the output is no terminal
    with (
        cache.staging(root, entry.lock_key) as stage,
        tqdm(total=size, unit="B", unit_scale=True, desc=entry.name, disable=quiet, leave=False) as bar,
    ):
        dead = set() if policy.dead is None else policy.dead
        for staged in _obtain(_Job(entry, stage, policy, bar, dead)):
            cache.publish(stage, root / staged.name, staged)


def verify(name: str) -> bool:
    """Hash every file of a set in the cache.

    Parameters
    ----------
    name : str
        A name of the registry.

    Returns
    -------
    bool
        True if the set is there and right, False if it is not there.

    Raises
    ------
    DataCorrupt
        If a file is missing or wrong; the next `fetch` replaces the set.
    """
    entry = registry.entry(name)
    folder = cache.cache_dir() / entry.name
    if not folder.is_dir():
        return False
    wrong = cache.wrong_files(folder, entry)
    if wrong:
        cache.forget_stamp(folder)
        raise DataCorrupt(
            name,
            f"{', '.join(wrong)} in {folder} {'is' if len(wrong) == 1 else 'are'} not the registered content.",
            f"Run: causalrec data fetch {name}",
        )
    with contextlib.suppress(OSError):  # a read-only cache is verified too, it is only not remembered
        cache.write_stamp(folder, entry)
    return True


def remove(name: str) -> bool:
    """Take a set out of the cache.

    Parameters
    ----------
    name : str
        A name of the registry.

    Returns
    -------
    bool
        True if there was something to remove.

    Raises
    ------
    DataUnavailable
        If the cache folder can't be written.
    """
    entry = registry.entry(name)
    root = cache.cache_dir()
    folder = root / entry.name
    if not folder.is_dir():
        return False
    with cache.disk_errors(name, root, 0), cache.lock(root, entry.lock_key, name):
        shutil.rmtree(folder)
    return True


__all__ = ["DataCorrupt", "DataError", "DataUnavailable", "fetch", "offline", "remove", "verify"]
