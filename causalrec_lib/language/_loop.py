"""The training loop that every fine-tuned model of the course shares."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalrec_lib.language import _checkpoint
from causalrec_lib.language._recipe import Recipe, arithmetic
from causalrec_lib.language._tokens import batches

IntArray = NDArray[np.int64]
Report = Callable[[dict[str, float]], None]


class TrainingDiverged(RuntimeError):
    """The loss is no number any more.

    Parameters
    ----------
    step : int
        The step, counted from 1.
    rate : float
        The learning rate at that step.
    """

    def __init__(self, step: int, rate: float) -> None:
        super().__init__(
            f"The loss is no finite number at step {step} (learning rate {rate:.2g}). "
            "Lower learning_rate, or look at the texts and labels of that batch."
        )
        self.step, self.rate = step, rate


class Task(NamedTuple):
    """What is trained: a model, the mean loss of some rows, and how long each row is.

    Parameters
    ----------
    model : torch.nn.Module
        The model.
    loss : function
        `loss(rows)` returns the mean loss of these rows as a tensor.
    lengths : ndarray of shape (n,)
        Tokens of each row.
    validate : function, optional
        Returns measures of the model on rows that it is not trained on; "loss" decides.
    """

    model: Any
    loss: Callable[[IntArray], Any]
    lengths: IntArray
    validate: Callable[[], dict[str, float]] | None = None


@dataclass(slots=True)
class Progress:
    """How far training is."""

    step: int = 0
    epoch: int = 0
    worse: int = 0
    lowest: float = math.inf
    pieces: int = 1
    steps: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)


def optimiser_of(model: Any, recipe: Recipe) -> Any:
    """Return AdamW with decay on matrices only."""
    import torch

    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=trained[0].device.type in ("cpu", "cuda"))


def rate_at(step: int, total: int, recipe: Recipe) -> float:
    """Return the learning rate of a step, counted from 0: a rise over the warm-up, then a straight fall to 0."""
    rise = math.ceil(recipe.warmup * total)
    share = (step + 1) / rise if step < rise else (total - step) / max(total - rise, 1)
    return recipe.learning_rate * share


def _out_of_memory(err: BaseException) -> bool:
    said = str(err).lower()
    return isinstance(err, MemoryError) or "out of memory" in said or "allocate memory" in said


def _gradients(task: Task, rows: IntArray, at: Progress, dtype: Any, device: Any) -> float:
    """Add up the gradients of one step, in as many pieces as memory asks for, and return the loss."""
    import torch

    while True:
        total = 0.0
        try:
            for piece in np.array_split(rows, min(at.pieces, len(rows))):
                with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
                    loss = task.loss(piece) * (len(piece) / len(rows))
                loss.backward()
                total += float(loss.detach())
            return total
        except (RuntimeError, MemoryError) as err:
            if not _out_of_memory(err) or at.pieces >= len(rows):
                raise
            at.pieces *= 2
            warnings.warn(f"Out of memory: batches are cut into {at.pieces} pieces from here on.", stacklevel=2)
            for p in task.model.parameters():
                p.grad = None


def _one_epoch(task: Task, recipe: Recipe, optimiser: Any, at: Progress, report: Report | None, limit: float) -> bool:
    """Train to the end of the epoch, or to step `limit`; say whether the epoch is over."""
    import torch

    device = next(task.model.parameters()).device
    dtype = arithmetic(recipe.precision, device)
    plan = batches(task.lengths, recipe.batch_size, np.random.default_rng([recipe.seed, at.epoch]))
    total = recipe.epochs * len(plan)
    task.model.train()
    for rows in plan[at.step - at.epoch * len(plan) :]:
        if at.step >= limit:
            return False
        rate = rate_at(at.step, total, recipe)
        for group in optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(recipe.seed * 1_000_003 + at.step)  # dropout of a step: the same after a break
        optimiser.zero_grad(set_to_none=False)
        loss = _gradients(task, rows, at, dtype, device)
        if not math.isfinite(loss):
            raise TrainingDiverged(at.step + 1, rate)
        norm = torch.nn.utils.clip_grad_norm_([p for p in task.model.parameters() if p.requires_grad], recipe.clip)
        optimiser.step()
        at.step += 1
        at.steps.append({"step": at.step, "loss": loss, "learning_rate": rate, "gradient_norm": float(norm)})
        if report is not None:
            report(at.steps[-1])
    return True


def _judge_epoch(task: Task, at: Progress, best: dict[str, Any] | None) -> dict[str, Any] | None:
    """Close an epoch: measure on the validation rows, and keep the weights if they are the best so far."""
    row: dict[str, float] = {"epoch": at.epoch + 1, "step": at.step}
    if task.validate is not None:
        row |= task.validate()
        better = row["loss"] < at.lowest
        at.worse = 0 if better else at.worse + 1
        if better:
            at.lowest = row["loss"]
            best = {k: v.detach().clone() for k, v in task.model.state_dict().items()}
    at.epochs.append(row)
    at.epoch += 1
    return best


def train(
    task: Task,
    recipe: Recipe,
    *,
    report: Report | None = None,
    checkpoint: Path | None = None,
    stop_after: int | None = None,
) -> Progress:
    """Train, from the checkpoint on if there is one, and leave the model with its best weights.

    Randomness comes from the seed and the number of the step, so a run that was stopped ends with the same weights.
    """
    import torch

    optimiser = optimiser_of(task.model, recipe)
    at, best = Progress(), None
    if checkpoint is not None and checkpoint.is_dir():
        at, best = _resume(checkpoint, task, recipe, optimiser)
    limit = math.inf if stop_after is None else stop_after
    while at.epoch < recipe.epochs and at.worse < recipe.patience:
        with torch.random.fork_rng(enabled=True):
            over = _one_epoch(task, recipe, optimiser, at, report, limit)
        if over:
            best = _judge_epoch(task, at, best)
        if checkpoint is not None:
            _checkpoint.write_folder(
                checkpoint, _checkpoint.pack(task.model, optimiser, best), _note(at, recipe, task)
            )
        if not over:
            return at
    if best is not None:
        task.model.load_state_dict(best)
    task.model.eval()
    return at


def _note(at: Progress, recipe: Recipe, task: Task) -> dict[str, object]:
    """What a checkpoint says of itself."""
    return {
        "recipe": {name: getattr(recipe, name) for name in Recipe.__slots__},
        "rows": len(task.lengths),
        "tokens": int(task.lengths.sum()),
        "progress": {name: getattr(at, name) for name in Progress.__slots__ if name != "lowest"},
        "lowest": None if math.isinf(at.lowest) else at.lowest,
    }


def _resume(folder: Path, task: Task, recipe: Recipe, optimiser: Any) -> tuple[Progress, dict[str, Any] | None]:
    """Read a checkpoint; refuse one of another recipe or other texts."""
    tensors, note = _checkpoint.read_folder(folder)
    mine = _note(Progress(), recipe, task)
    for key in ("recipe", "rows", "tokens"):
        if note.get(key) != mine[key]:
            raise ValueError(
                f"checkpoint: {folder} was made with another {key} ({_differs(note.get(key), mine[key])}). "
                "Name another folder, or delete this one to start anew."
            )
    best = _checkpoint.unpack(tensors, task.model, optimiser)
    at = Progress(**note["progress"])
    at.lowest = math.inf if note["lowest"] is None else note["lowest"]
    return at, best


def _differs(old: object, new: object) -> str:
    """Name the first thing in which two notes differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return next((f"{k}: {old.get(k)} then, {new[k]} now" for k in new if old.get(k) != new[k]), "other settings")
    return f"{old} then, {new} now"
