"""Fine-tune a text encoder to classify: the recipe that holds, and the classifier that comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causalrec_lib import _validate
from causalrec_lib._validate import FloatArray
from causalrec_lib.language import _checkpoint, _inputs, _loop, _weights
from causalrec_lib.language._forward import attention, forward
from causalrec_lib.language._loop import Report, TrainingDiverged
from causalrec_lib.language._recipe import Recipe, device_of
from causalrec_lib.language._tokens import IntArray, Tokens
from causalrec_lib.language._weights import ModelUnusable
from causalrec_lib.language.encoder import Encoder, load_encoder

__all__ = ["Classifier", "ModelUnusable", "Recipe", "TrainingDiverged", "finetune", "load_classifier"]


@dataclass(frozen=True, slots=True)
class Classifier:
    """A fine-tuned encoder with a linear head.

    Parameters
    ----------
    encoder : Encoder
        The encoder, fine-tuned or frozen.
    head : torch.nn.Linear
        From the encoder's vector to one number a class.
    recipe : Recipe
        How it was trained.
    steps : DataFrame
        One row a step: `step`, `loss`, `learning_rate`, `gradient_norm`.
    epochs : DataFrame
        One row an epoch: `epoch`, `step`, and `loss` and `accuracy` on the validation texts, if there were any.
    finished : bool
        False if training was stopped before its end.
    cut : int
        Training texts that were longer than `recipe.max_tokens`.

    Notes
    -----
    Chapter: language/01_bert_finetuning
    """

    encoder: Encoder
    head: Any
    recipe: Recipe
    steps: pd.DataFrame
    epochs: pd.DataFrame
    finished: bool
    cut: int

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.head.out_features)

    def probabilities(self, texts: Sequence[str], batch_size: int = 64) -> FloatArray:
        """Return the chance of each class.

        Parameters
        ----------
        texts : sequence of str of length n
            The texts.
        batch_size : int
            Texts that pass through the model together; no effect on the answer but by rounding.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Rows sum to 1.

        Raises
        ------
        ValueError
            If a text is missing.
        """
        tokens = self.encoder.tokens(texts, self.recipe.max_tokens)
        return _probabilities(self.encoder, self.head, tokens, _validate.integer(batch_size, "batch_size", low=1))

    def predict(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the likeliest class of each text.

        Parameters
        ----------
        texts : sequence of str of length n
            The texts.

        Returns
        -------
        ndarray of shape (n,)
            Class numbers.

        Raises
        ------
        ValueError
            If a text is missing.
        """
        return self.probabilities(texts).argmax(axis=1)

    def save(self, folder: str | Path) -> Path:
        """Save weights (safetensors), settings and tokenizer into a folder that appears whole or not at all.

        Parameters
        ----------
        folder : str or Path
            Folder to write; one that is there is replaced.

        Returns
        -------
        Path
            The folder.
        """
        out = _inputs.folder(folder, "folder")
        note = {
            "recipe": asdict(self.recipe),
            "n_classes": self.n_classes,
            "finished": self.finished,
            "cut": self.cut,
        }
        history = {"steps": self.steps.to_dict("records"), "epochs": self.epochs.to_dict("records")}
        tensors = _pair(self.encoder.model, self.head).state_dict()
        _checkpoint.write_folder(out, tensors, note | history, self._describe)
        return out

    def _describe(self, folder: Path) -> None:
        self.encoder.model.config.save_pretrained(folder)
        self.encoder.tokenizer.save_pretrained(folder)


def load_classifier(folder: str | Path, *, device: str | None = None) -> Classifier:
    """Load a classifier that `Classifier.save` wrote.

    Parameters
    ----------
    folder : str or Path
        Its folder.
    device : str, optional
        Torch device; without it the GPU if there is one.

    Returns
    -------
    Classifier
        The same answers as the one that was saved.

    Raises
    ------
    ValueError
        If `device` is unknown.
    ModelUnusable
        If a file is missing, cut off, or of another model.

    Notes
    -----
    Chapter: language/01_bert_finetuning
    """
    from transformers import AutoConfig, AutoModel

    path, where = _inputs.folder(folder, "folder"), device_of(device)
    _weights.check_folder(path)
    tensors, note = _checkpoint.read_folder(path)
    config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    net = AutoModel.from_config(config, attn_implementation=attention(where), trust_remote_code=False)
    recipe = Recipe(**note["recipe"])
    head = _head(net.config.hidden_size, note["n_classes"], recipe)
    try:
        _pair(net, head).load_state_dict(tensors)
    except RuntimeError as err:
        raise ModelUnusable(
            path, f"its weights are not those of its config.json ({str(err).splitlines()[0]})."
        ) from err
    encoder = Encoder(path, _weights.tokenizer_of(path), net.to(where).eval(), recipe.precision)
    history = (pd.DataFrame(note["steps"]), pd.DataFrame(note["epochs"]))
    return Classifier(encoder, head.to(where).eval(), recipe, *history, note["finished"], note["cut"])


def finetune(
    texts: Sequence[str],
    labels: ArrayLike,
    *,
    validation: tuple[Sequence[str], ArrayLike] | None = None,
    n_classes: int | None = None,
    recipe: Recipe | None = None,
    model: str | Path | Encoder = "minilm",
    device: str | None = None,
    report: Report | None = None,
    checkpoint: str | Path | None = None,
    stop_after: int | None = None,
) -> Classifier:
    """Fine-tune a text encoder to tell classes of texts apart.

    Parameters
    ----------
    texts : sequence of str of length n
        Training texts.
    labels : array_like of shape (n,)
        Class of each text: 0, 1, ...
    validation : tuple of texts and labels, optional
        Rows to measure on after each epoch; the weights of the epoch with the lowest loss are kept.
    n_classes : int, optional
        Number of classes; without it one more than the highest label.
    recipe : Recipe, optional
        Settings; without it those of `Recipe()`.
    model : str, Path or Encoder
        As in `load_encoder`; or an encoder, which is copied and left as it is.
    device : str, optional
        Torch device; without it the GPU if there is one. Chapters pass `run.device`.
    report : function, optional
        Called after each step with `step`, `loss`, `learning_rate`, `gradient_norm`: for a progress bar or a tracker.
    checkpoint : str or Path, optional
        Folder to keep the state of training in after each epoch; a call with the same folder goes on from there.
    stop_after : int, optional
        Stop after that many steps; with `checkpoint` a later call goes on, and ends with the same weights.

    Returns
    -------
    Classifier
        The fine-tuned classifier.

    Raises
    ------
    ValueError
        If texts, labels or settings are out of their range, one class only is there, or the checkpoint is of another
        run.
    DataUnavailable, ModelUnusable
        As `load_encoder`.
    TrainingDiverged
        If the loss is no number any more.

    Notes
    -----
    Chapter: language/01_bert_finetuning

    References
    ----------
    bib: devlin2019bert, loshchilov2019decoupled, mosbach2021stability
    """
    recipe = Recipe() if recipe is None else _validate.instance(recipe, "recipe", Recipe, "make one with Recipe(...)")
    found = _inputs.texts(texts, "texts", least=2)
    if n_classes is not None:
        _validate.integer(n_classes, "n_classes", low=2)
    y = _inputs.classes(labels, "labels", len(found), n_classes)
    classes = int(y.max()) + 1 if n_classes is None else n_classes
    if report is not None:
        _validate.function(report, "report")
    if stop_after is not None:
        _validate.integer(stop_after, "stop_after", low=1)
    folder = None if checkpoint is None else _inputs.folder(checkpoint, "checkpoint")
    encoder = _own(model, device, recipe)
    head = _head(encoder.width, classes, recipe).to(encoder.device)
    tokens = encoder.tokens(found, recipe.max_tokens)
    task = _task(encoder, head, tokens, y, recipe, _judge(encoder, head, validation, classes, recipe))
    at = _loop.train(task, recipe, report=report, checkpoint=folder, stop_after=stop_after)
    head.eval()
    finished = at.epoch >= recipe.epochs or at.worse >= recipe.patience
    return Classifier(encoder, head, recipe, pd.DataFrame(at.steps), pd.DataFrame(at.epochs), finished, tokens.cut)


def _own(model: str | Path | Encoder, device: str | None, recipe: Recipe) -> Encoder:
    """Return an encoder that may be changed."""
    import copy

    if not isinstance(model, Encoder):
        return load_encoder(model, device=device, precision=recipe.precision)
    net = model.model if recipe.frozen else copy.deepcopy(model.model)
    return Encoder(model.folder, model.tokenizer, net.to(device_of(device or str(model.device))), recipe.precision)


def _head(width: int, n_classes: int, recipe: Recipe) -> Any:
    """Return a linear head with small weights drawn from the seed."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        head = torch.nn.Linear(width, n_classes)
        torch.nn.init.normal_(head.weight, std=0.02)
        torch.nn.init.zeros_(head.bias)
    return head


def _pair(encoder: Any, head: Any) -> Any:
    """Return encoder and head as one module."""
    import torch

    return torch.nn.ModuleDict({"encoder": encoder, "head": head})


def _task(encoder: Encoder, head: Any, tokens: Tokens, y: IntArray, recipe: Recipe, validate: Any) -> _loop.Task:
    """Return what is trained: encoder and head, or the head on vectors that are computed once."""
    import torch

    target = torch.from_numpy(y).to(encoder.device)
    weights = None
    if recipe.balanced:
        counts = np.bincount(y, minlength=head.out_features)
        weights = torch.tensor(len(y) / np.maximum(counts, 1) / (counts > 0).sum(), dtype=torch.float32).to(
            target.device
        )
    fixed = None
    if recipe.frozen:
        fixed = torch.from_numpy(encoder.features(tokens)).float().to(encoder.device)

    def loss(rows: IntArray) -> Any:
        index = torch.from_numpy(rows).to(target.device)
        vectors = encoder.pooled(tokens, rows) if fixed is None else fixed[index]
        vectors = torch.nn.functional.dropout(vectors, recipe.dropout, training=head.training)
        each = torch.nn.functional.cross_entropy(head(vectors).float(), target[index], reduction="none")
        return (each if weights is None else each * weights[target[index]]).mean()

    return _loop.Task(head if recipe.frozen else _pair(encoder.model, head), loss, tokens.lengths, validate)


def _judge(encoder: Encoder, head: Any, validation: Any, n_classes: int, recipe: Recipe) -> Any:
    """Return a function that measures loss and accuracy on the validation rows, or None without them."""
    if validation is None:
        return None
    if not isinstance(validation, tuple) or len(validation) != 2:
        raise ValueError("validation must be a pair of texts and labels: validation=(texts, labels).")
    held = _inputs.texts(validation[0], "validation texts")
    y = _validate.positions(validation[1], "validation labels", n_classes, len(held), "validation texts")
    tokens = encoder.tokens(held, recipe.max_tokens)

    def measure() -> dict[str, float]:
        p = _probabilities(encoder, head, tokens, 64)
        chance = np.maximum(p[np.arange(len(y)), y], 1e-12)
        return {"loss": float(-np.log(chance).mean()), "accuracy": float((p.argmax(axis=1) == y).mean())}

    return measure


def _probabilities(encoder: Encoder, head: Any, tokens: Tokens, batch_size: int) -> FloatArray:
    """Return the chance of each class for tokenised texts."""
    out = np.empty((len(tokens.lengths), head.out_features))
    both = _pair(encoder.model, head)

    def call(rows: IntArray) -> Any:
        return head(encoder.pooled(tokens, rows))

    for rows, scores in forward(both, tokens.lengths, batch_size, encoder.precision, call):
        e = np.exp(scores.astype(float) - scores.max(axis=1, keepdims=True))
        out[rows] = e / e.sum(axis=1, keepdims=True)
    return out
