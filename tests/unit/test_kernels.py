"""Kernels that start together must not share sockets."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from causalrec_lib.course import kernels


def _answer(word: str, folder: Path) -> str:
    cell = nbformat.v4.new_code_cell(f"import os\nprint({word!r}, os.getcwd())")
    book = nbformat.v4.new_notebook(cells=[cell])
    with kernels.own_sockets() as config:
        NotebookClient(book, timeout=60, config=config, resources={"metadata": {"path": str(folder)}}).execute()
    return str(book.cells[0].outputs[0]["text"]).strip()


def test_kernels_that_start_together_in_one_folder_answer_their_own_client(tmp_path: Path) -> None:
    words = ["one", "two", "three"]
    with ThreadPoolExecutor(len(words)) as pool:
        told = list(pool.map(lambda word: _answer(word, tmp_path), words))
    assert told == [f"{word} {tmp_path}" for word in words]
    assert not list(tmp_path.iterdir()), "no socket is left behind"


def test_every_kernel_has_a_short_absolute_address_that_goes_away() -> None:
    with kernels.sockets() as one, kernels.sockets() as two:
        assert one["ip"] != two["ip"]
        assert Path(one["ip"]).is_absolute()
        assert len(one["ip"]) < 95, "a socket's path has at most 103 characters on some systems"
    assert not Path(one["ip"]).parent.exists()


def test_nbval_starts_its_kernels_with_sockets_of_their_own() -> None:
    """The plugin hands nbval a manager with an address of its own, and takes the folder away at the end."""
    import nbval.kernel

    class _Config:
        def __init__(self) -> None:
            self.ends = []

        def add_cleanup(self, end) -> None:
            self.ends.append(end)

    before, config = nbval.kernel.KernelManager, _Config()
    try:
        kernels.pytest_configure(config)
        one, two = nbval.kernel.KernelManager(kernel_name="python3"), nbval.kernel.KernelManager()
        assert (one.transport, one.ip != two.ip, Path(one.ip).parent.is_dir()) == ("ipc", True, True)
        config.ends[0]()
        assert not Path(one.ip).parent.exists()
    finally:
        nbval.kernel.KernelManager = before
