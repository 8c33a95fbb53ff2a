"""The cache folder: where it is, what in it is whole, and how a set gets into it all at once or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from causalrec_lib.data.errors import DataUnavailable
from causalrec_lib.data.registry import Entry, SourceFile

CACHE_VARIABLE = "CAUSALREC_CACHE"
STAMP = ".verified.json"
_LOCK_WAIT_S = 1800.0
_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}


def cache_dir() -> Path:
    """Return the folder that holds fetched sets; it need not exist yet.

    Returns
    -------
    Path
        `CAUSALREC_CACHE` if set, otherwise `data/cache` of the repository, otherwise the user's cache folder.
    """
    named = os.environ.get(CACHE_VARIABLE, "").strip()
    if named:
        return Path(named).expanduser().absolute()
    repo = Path(__file__).resolve().parents[2]
    if (repo / "data" / "sources.toml").is_file() and (repo / "pyproject.toml").is_file():
        return repo / "data" / "cache"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "causalrec"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/causalrec").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "causalrec"


@contextlib.contextmanager
def disk_errors(name: str, folder: Path, need: int) -> Iterator[None]:
    """Turn an error of the disk into DataUnavailable that names the folder and the variable that moves it.

    Parameters
    ----------
    name : str
        The set, for the error.
    folder : Path
        The cache folder.
    need : int
        Bytes that are to be written.

    Yields
    ------
    None
        Nothing; the work is done inside.
    """
    try:
        yield
    except OSError as err:
        move = f"or set {CACHE_VARIABLE} to another folder."
        if err.errno in _FULL:
            raise DataUnavailable(
                name,
                f"the disk of the cache folder {folder} is full; {need / 1e6:,.1f} MB are needed.",
                f"Free some space there, {move}",
            ) from err
        why = "can't be written" if err.errno in _DENIED else "failed"
        raise DataUnavailable(
            name,
            f"the cache folder {folder} {why} ({err.strerror or err}).",
            f"Make it a folder that you may write to, {move}",
        ) from err


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, read in pieces.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while piece := f.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _signature(path: Path, file: SourceFile) -> list[object]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, file.sha256]


def _read_stamp(folder: Path) -> dict[str, list[object]]:
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # no stamp, or one cut short: the files are hashed again
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(folder: Path, entry: Entry) -> None:
    """Remember size, time and hash of the files of a set that has just been verified.

    Parameters
    ----------
    folder : Path
        Folder of the set in the cache.
    entry : Entry
        The set.
    """
    content = json.dumps({f.path: _signature(folder / f.path, f) for f in entry.files})
    temporary = folder / f"{STAMP}.{os.getpid()}.part"
    with temporary.open("w", encoding="utf-8") as f:
        f.write(content)
        sync(f)
    os.replace(temporary, folder / STAMP)


def forget_stamp(folder: Path) -> None:
    """Make the next use of a set hash its files again.

    Parameters
    ----------
    folder : Path
        Folder of the set in the cache.
    """
    with contextlib.suppress(OSError):  # a read-only cache keeps its stamp
        (folder / STAMP).unlink(missing_ok=True)


def wrong_files(folder: Path, entry: Entry) -> list[str]:
    """Return the files of a set that are missing or whose content is wrong; reads every byte.

    Parameters
    ----------
    folder : Path
        Folder of the set in the cache.
    entry : Entry
        The set.

    Returns
    -------
    list of str
        Their paths within the folder; empty if all is right.
    """
    return [
        f.path
        for f in entry.files
        if not (folder / f.path).is_file()
        or (folder / f.path).stat().st_size != f.bytes
        or sha256_of(folder / f.path) != f.sha256
    ]


def present(folder: Path, entry: Entry) -> bool:
    """Say whether all files of a set are there with their registered sizes; reads no content.

    Parameters
    ----------
    folder : Path
        Folder of the set in the cache.
    entry : Entry
        The set.

    Returns
    -------
    bool
        True if so.
    """
    paths = ((folder / f.path, f) for f in entry.files)
    return all(p.is_file() and p.stat().st_size == f.bytes for p, f in paths)


def ready(folder: Path, entry: Entry) -> bool:
    """Say whether a set is whole; files unchanged since they were verified are not read again.

    Parameters
    ----------
    folder : Path
        Folder of the set in the cache.
    entry : Entry
        The set.

    Returns
    -------
    bool
        True if the set can be read.
    """
    if not present(folder, entry):
        return False
    stamp = _read_stamp(folder)
    if all(stamp.get(f.path) == _signature(folder / f.path, f) for f in entry.files):
        return True
    if wrong_files(folder, entry):
        return False
    with contextlib.suppress(OSError):  # a read-only cache works too, it is only hashed every time
        write_stamp(folder, entry)
    return True


def sync(handle: IO[str] | IO[bytes]) -> None:
    """Bring what was written to `handle` onto the disk.

    Parameters
    ----------
    handle : file
        A file open for writing.
    """
    handle.flush()
    os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def staging(cache: Path, key: str) -> Iterator[Path]:
    """Give a new folder beside the sets, removed afterwards; the caller holds the lock of `key`.

    Parameters
    ----------
    cache : Path
        The cache folder.
    key : str
        What is being fetched.

    Yields
    ------
    Path
        An empty folder on the same disk as the sets.
    """
    prefix = f".{key}-"
    for stale in cache.glob(f"{prefix}*"):  # left by a process that was killed: nobody else holds our lock
        shutil.rmtree(stale, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=prefix, dir=cache))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def publish(stage: Path, folder: Path, entry: Entry) -> None:
    """Move a staged and verified set into place: afterwards the folder is wholly new or wholly as before.

    Parameters
    ----------
    stage : Path
        Folder that holds the staged set under its name.
    folder : Path
        Folder of the set in the cache.
    entry : Entry
        The set.
    """
    fresh = stage / entry.name
    write_stamp(fresh, entry)
    _sync_folder(fresh)
    old = stage / f"{entry.name}.old"
    if folder.exists():
        os.rename(folder, old)
    try:
        os.rename(fresh, folder)
    except OSError:
        if old.exists():
            os.rename(old, folder)
        raise
    _sync_folder(folder.parent)


def _try_lock(handle: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        if err.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


def _still_there(handle: IO[bytes], path: Path) -> bool:
    """Say whether the locked file is the one that others would open (not one removed in between)."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _acquire(path: Path, name: str, wait_s: float) -> IO[bytes]:
    give_up = time.monotonic() + wait_s
    while True:
        handle = path.open("ab")
        if _try_lock(handle):
            if _still_there(handle, path):
                return handle
            handle.close()
            continue
        handle.close()
        if time.monotonic() > give_up:
            raise DataUnavailable(
                name,
                f"another process has held {path} for {wait_s:,.0f} s.",
                "Wait for it to end, or stop it; the lock goes with the process.",
            )
        time.sleep(0.05)


@contextlib.contextmanager
def lock(cache: Path, key: str, name: str, wait_s: float = _LOCK_WAIT_S) -> Iterator[None]:
    """Let one process at a time fetch `key`; the system frees the lock of a process that dies.

    Parameters
    ----------
    cache : Path
        The cache folder.
    key : str
        What is to be fetched.
    name : str
        The set, for the error.
    wait_s : float
        Longest wait for another process, in seconds.

    Yields
    ------
    None
        Nothing; the lock is held inside.
    """
    path = cache / f".{key}.lock"
    handle = _acquire(path, name, wait_s)
    try:
        yield
    finally:
        if sys.platform != "win32":  # Windows can't remove an open file; an empty file stays behind there
            path.unlink(missing_ok=True)
        handle.close()
