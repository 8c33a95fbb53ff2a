"""Training that was stopped goes on: weights, optimiser and step in one folder, as safetensors and JSON."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from causalrec_lib.language._weights import ModelUnusable, _check_whole

STATE, NOTE = "state.safetensors", "state.json"


def write_folder(
    folder: Path, tensors: Mapping[str, Any], note: Mapping[str, object], more: Callable[[Path], object] | None = None
) -> None:
    """Write tensors, a note and what `more` writes into a folder that appears whole or stays as it was."""
    from safetensors.torch import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file({k: v.detach().to("cpu").contiguous().clone() for k, v in tensors.items()}, stage / STATE)
        (stage / NOTE).write_text(json.dumps(dict(note), indent=1), encoding="utf-8")
        if more is not None:
            more(stage)
        old = stage.with_name(stage.name + ".old")
        if folder.exists():
            os.rename(folder, old)
        os.rename(stage, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors and the note of a folder that `write_folder` made."""
    from safetensors.torch import load_file

    for name in (STATE, NOTE):
        if not (folder / name).is_file():
            raise ModelUnusable(folder, f"no {name}.")
    _check_whole(folder / STATE)
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except ValueError as err:
        raise ModelUnusable(folder, f"{NOTE} is no JSON.") from err
    return load_file(folder / STATE), note


def pack(model: Any, optimiser: Any, best: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return every tensor that training needs to go on."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{k}": v for k, v in state.items()}
    tensors |= {f"best.{k}": v for k, v in (best or {}).items()}
    return tensors


def unpack(tensors: Mapping[str, Any], model: Any, optimiser: Any) -> dict[str, Any] | None:
    """Put the tensors of `pack` back; return the best weights so far, if there are any."""
    part = {p: {k[len(p) + 1 :]: v for k, v in tensors.items() if k.startswith(p + ".")} for p in ("model", "best")}
    model.load_state_dict(part["model"])
    whole = optimiser.state_dict()
    whole["state"] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            whole["state"].setdefault(int(number), {})[name] = value
    optimiser.load_state_dict(whole)
    return part["best"] or None
