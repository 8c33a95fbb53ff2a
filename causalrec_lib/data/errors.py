"""What can go wrong with a data set, as two exceptions that say which set, where, and what to do."""

from __future__ import annotations


class DataError(RuntimeError):
    """Something is wrong with a data set.

    Parameters
    ----------
    name : str
        The set, as it is called in `data/sources.toml`.
    reason : str
        What went wrong, with the address or the file.
    mend : str
        What the reader can do about it.
    brief : str
        The reason in a few words, for a list of several sets; the whole reason if not given.
    delivered : bool
        True when a web address delivered another file, so that nothing on this machine is wrong.
    """

    def __init__(self, name: str, reason: str, mend: str, *, brief: str = "", delivered: bool = False) -> None:
        super().__init__(f"Data set '{name}': {reason} {mend}".strip())
        self.name = name
        self.reason = reason
        self.mend = mend
        self.brief = brief or reason
        self.delivered = delivered

    def __reduce__(self) -> tuple[type[DataError], tuple[str, str, str], dict[str, object]]:
        """Rebuild from the parts, so that the error survives a process boundary."""
        state: dict[str, object] = {"brief": self.brief, "delivered": self.delivered}
        return type(self), (self.name, self.reason, self.mend), state


class DataUnavailable(DataError):
    """The set can't be had now: no network, no such address, no room or no right to write.

    Parameters
    ----------
    name : str
        The set, as it is called in `data/sources.toml`.
    reason : str
        What went wrong, with the address or the file.
    mend : str
        What the reader can do about it.
    brief : str
        The reason in a few words, for a list of several sets; the whole reason if not given.
    delivered : bool
        True when a web address delivered another file, so that nothing on this machine is wrong.
    """


class DataCorrupt(DataError):
    """A file is there but is not the file that the course was written for.

    Parameters
    ----------
    name : str
        The set, as it is called in `data/sources.toml`.
    reason : str
        What went wrong, with the address or the file.
    mend : str
        What the reader can do about it.
    brief : str
        The reason in a few words, for a list of several sets; the whole reason if not given.
    delivered : bool
        True when a web address delivered another file, so that nothing on this machine is wrong.
    """


class TransferError(Exception):
    """One address did not deliver one file; the caller may try the next address.

    Parameters
    ----------
    address : str
        Where it was asked for, without credentials.
    reason : str
        What happened.
    wrong : bool
        True when something was delivered that is not the file (size or hash), False when nothing whole was.
    dead_host : bool
        True when the host itself did not answer, so that asking it for other files is no use.
    """

    def __init__(self, address: str, reason: str, *, wrong: bool = False, dead_host: bool = False) -> None:
        super().__init__(f"{address}: {reason}")
        self.address = address
        self.reason = reason
        self.wrong = wrong
        self.dead_host = dead_host
