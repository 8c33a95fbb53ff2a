"""Where the weights of a language model lie, whether they are whole, and how they are read."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from causalrec_lib import _validate
from causalrec_lib.data import DataUnavailable, registry
from causalrec_lib.data.models import model_path

HUB_FILES = [
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special*",
]


class ModelUnusable(RuntimeError):
    """A folder that should hold a language model does not hold a whole one.

    Parameters
    ----------
    folder : Path
        The folder.
    reason : str
        What is missing or broken.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"{folder}: {reason} Delete the folder and fetch or save the model again.")
        self.folder, self.reason = folder, reason


def folder_of(model: str | Path) -> Path:
    """Return the folder of a model: one of the registry, a folder of this machine, or one of the hub by its name."""
    if isinstance(model, Path):
        return model
    name = _validate.text(model, "model", least=1)
    if Path(name).is_dir():
        return Path(name)
    return model_path(name) if name in registry.names(group="model") else _from_hub(name)


def _from_hub(name: str) -> Path:
    """Fetch a model of the hub by name: weights as safetensors, tokenizer and configuration, nothing that runs."""
    from httpx import HTTPError
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (OSError, ValueError, HTTPError) as err:
        known = ", ".join(f"'{n}'" for n in registry.names(group="model"))
        raise DataUnavailable(
            name,
            f"is no model of the course ({known}), no folder, and the hub did not give it ({type(err).__name__}).",
            "Take one of the course's, name a folder, or try again where the hub can be reached.",
        ) from err


def check_folder(folder: Path, *, tokenizer: bool = True) -> None:
    """Refuse a folder without configuration, tokenizer or whole safetensors weights."""
    needed = ["config.json", *(["tokenizer.json"] if tokenizer else [])]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise ModelUnusable(folder, f"no {' and no '.join(missing)}.")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelUnusable(folder, "no *.safetensors (pickled weights are not read: they can run code).")
    for path in weights:
        _check_whole(path)


def _check_whole(path: Path) -> None:
    """Refuse a safetensors file whose size is not what its header says."""
    size = path.stat().st_size
    with path.open("rb") as f:
        head = f.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if 8 + length > size:
            raise ModelUnusable(path.parent, f"{path.name} is cut off in its header ({size} bytes).")
        try:
            header = json.loads(f.read(length))
            ends = [part["data_offsets"][1] for name, part in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError) as err:
            raise ModelUnusable(path.parent, f"the header of {path.name} is no safetensors header.") from err
    whole = 8 + length + max(ends, default=0)
    if size != whole:
        raise ModelUnusable(path.parent, f"{path.name} has {size} bytes, and its header says {whole}.")


def read(folder: Path, kind: str, *, seed: int = 0, **settings: Any) -> Any:
    """Read a model with transformers' class `kind` ("AutoModel", ...), and refuse weights of another one.

    A new head may be missing from the file, and is drawn from the seed; a layer of the encoder may not.
    """
    import torch
    import transformers

    check_folder(folder, tokenizer=False)
    with _quiet(transformers), torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            model, info = getattr(transformers, kind).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **settings,
            )
        except (RuntimeError, KeyError, ValueError) as err:
            raise ModelUnusable(folder, f"transformers cannot read it as {kind} ({err}).") from err
    new = ("classifier", "score", "cls.", "lm_head", "pooler")
    lost = sorted(k for k in info["missing_keys"] if not any(part in k for part in new))
    if lost or info["mismatched_keys"]:
        wrong = lost or sorted(str(k[0]) for k in info["mismatched_keys"])
        raise ModelUnusable(
            folder, f"its weights are not those of its config.json ({len(wrong)} of them, first: {wrong[0]})."
        )
    return model


class _quiet:
    """Keep transformers from reporting on loading; this module reports itself."""

    def __init__(self, transformers: Any) -> None:
        self.log = transformers.utils.logging

    def __enter__(self) -> None:
        self.before = self.log.get_verbosity()
        self.bars = self.log.is_progress_bar_enabled()
        self.log.set_verbosity_error()
        self.log.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        self.log.set_verbosity(self.before)
        if self.bars:
            self.log.enable_progress_bar()


def tokenizer_of(folder: Path) -> Any:
    """Read the tokenizer of a folder."""
    from transformers import AutoTokenizer

    if not (folder / "tokenizer.json").is_file():
        raise ModelUnusable(folder, "no tokenizer.json.")
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
