"""Kernels that runs side by side can't mix up: each has sockets in a folder of its own, and no open port."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from traitlets.config import Config

# Without an address of its own, a kernel over "ipc" takes the relative name `kernel-ipc` in its working directory, so
# two chapters of one part that start together share sockets, and each waits for the other's answers. Over TCP the
# ports are picked before the kernel binds them, and another kernel may be faster.


@contextlib.contextmanager
def sockets() -> Iterator[dict[str, str]]:
    """Make a folder for the sockets of one kernel, and remove it afterwards.

    Yields
    ------
    dict of str to str
        The settings `transport` and `ip` of a kernel manager.
    """
    with tempfile.TemporaryDirectory(prefix="cr-") as folder:
        yield {"transport": "ipc", "ip": str(Path(folder) / "k")}


@contextlib.contextmanager
def own_sockets() -> Iterator[Config]:
    """Make a configuration under which papermill or nbclient starts one kernel with sockets of its own.

    Yields
    ------
    traitlets.config.Config
        To be passed as `config=`; good for one kernel.
    """
    with sockets() as settings:
        yield Config(KernelManager=settings)


class _Calm(AsyncKernelManager):
    """Ends an idle kernel by message. By default it is interrupted first, and says so in the log as of an error."""

    _ending = False

    async def _async_shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        self._ending = True
        await super()._async_shutdown_kernel(now, restart)

    async def _async_interrupt_kernel(self) -> None:
        if not self._ending:
            await super()._async_interrupt_kernel()

    shutdown_kernel = _async_shutdown_kernel
    interrupt_kernel = _async_interrupt_kernel


def manager() -> type[AsyncKernelManager]:
    """Return the class of kernel managers for papermill's or nbclient's `kernel_manager_class=`.

    Returns
    -------
    type
        A manager that ends an idle kernel by message.
    """
    return _Calm


def pytest_configure(config: Any) -> None:
    """Let nbval start its kernels with sockets of their own; use as `pytest -p causalrec_lib.course.kernels`.

    Parameters
    ----------
    config : pytest.Config
        The configuration; nbval's kernels end before it does.
    """
    import nbval.kernel
    from jupyter_client.manager import KernelManager

    settings = contextlib.ExitStack()
    config.add_cleanup(settings.close)
    nbval.kernel.KernelManager = lambda **kwargs: KernelManager(**kwargs, **settings.enter_context(sockets()))
