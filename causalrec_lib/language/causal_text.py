"""Adjusting for what a text says: an encoder fine-tuned for treatment and outcome at once, fold by fold."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from causalrec_lib import _validate
from causalrec_lib._nuisances import Nuisances, folds_of
from causalrec_lib._validate import FloatArray
from causalrec_lib.language import _loop
from causalrec_lib.language._forward import forward
from causalrec_lib.language._recipe import Precision, Recipe
from causalrec_lib.language._tokens import IntArray, Tokens
from causalrec_lib.language.encoder import Encoder, load_encoder

__all__ = ["States", "cross_fit_text", "first_token", "read_lower"]


@dataclass(frozen=True, slots=True)
class States:
    """What the frozen lower layers of an encoder make of each token of some texts.

    Parameters
    ----------
    hidden : torch.Tensor of shape (n_tokens, width)
        States of all tokens, one text after the other.
    tokens : Tokens
        Which tokens belong to which text.
    top : torch.nn.ModuleList
        The layers above, with their pre-trained weights; fits copy them.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic of a pass through the layers above.

    Notes
    -----
    Chapter: language/02_text_as_confounder
    """

    hidden: Any
    tokens: Tokens
    top: Any
    precision: Precision = "auto"

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.tokens.lengths)

    def padded(self, rows: IntArray) -> tuple[Any, Any]:
        """Return states and mask of some texts, padded to the longest of them.

        Parameters
        ----------
        rows : ndarray of shape (k,)
            Which texts.

        Returns
        -------
        states : torch.Tensor of shape (k, longest, width)
            States; those beyond a text's end are of no meaning.
        mask : torch.Tensor of shape (k, longest)
            True where the text has a token.
        """
        import torch

        columns = np.arange(int(self.tokens.lengths[rows].max()))
        mask = columns < self.tokens.lengths[rows][:, None]
        where = np.where(mask, self.tokens.starts[rows][:, None] + columns, 0)
        device = self.hidden.device
        return self.hidden[torch.from_numpy(where).to(device)], torch.from_numpy(mask).to(device)

    def vectors(self, batch_size: int = 64) -> FloatArray:
        """Return what the frozen encoder makes of each text: the mean of its token vectors, of length one.

        Parameters
        ----------
        batch_size : int
            Texts that pass through the layers together; no effect on the answer but by rounding.

        Returns
        -------
        ndarray of shape (n, width)
            The vectors of `Encoder.embed`, without a second pass through the lower layers.

        Raises
        ------
        ValueError
            If `batch_size` is no whole number of at least 1.

        Notes
        -----
        Chapter: language/02_text_as_confounder

        References
        ----------
        bib: reimers2019sentence
        """
        size = _validate.integer(batch_size, "batch_size", low=1)
        out = np.empty((len(self), self.hidden.shape[1]))

        def call(rows: IntArray) -> Any:
            states, mask = self.padded(rows)
            weight = mask.unsqueeze(-1).to(states.dtype)
            return (_through(self.top, states, mask) * weight).sum(1) / weight.sum(1)

        for rows, part in forward(self.top, self.tokens.lengths, size, self.precision, call):
            out[rows] = part
        return out / np.linalg.norm(out, axis=1, keepdims=True)


def read_lower(
    texts: Sequence[str],
    *,
    model: str | Path | Encoder = "minilm",
    trained_layers: int = 1,
    max_tokens: int = 128,
    device: str | None = None,
    batch_size: int = 64,
) -> States:
    """Pass texts through the lower layers of an encoder once, so that many fits can share them.

    Parameters
    ----------
    texts : sequence of str of length n
        The texts.
    model : str, Path or Encoder
        As in `load_encoder`; or an encoder, which is left as it is.
    trained_layers : int
        Layers at the top that are left to be trained.
    max_tokens : int
        Longer texts are cut to this many tokens.
    device : str, optional
        Torch device; without it the GPU if there is one. An encoder stays on its own.
    batch_size : int
        Texts that pass through the model together; no effect on the answer but by rounding.

    Returns
    -------
    States
        The states below the layers to train.

    Raises
    ------
    ValueError
        If a text is missing, a setting is out of its range, or the model has no layers as BERT's.
    DataUnavailable, ModelUnusable
        As `load_encoder`.

    Notes
    -----
    Chapter: language/02_text_as_confounder

    References
    ----------
    bib: devlin2019bert
    """
    encoder = model if isinstance(model, Encoder) else load_encoder(model, device=device)
    layers = getattr(getattr(encoder.model, "encoder", None), "layer", None)
    if layers is None or not hasattr(layers[-1], "intermediate"):
        raise ValueError(f"model: a {type(encoder.model).__name__} has no layers as BERT's; take a BERT or RoBERTa.")
    k = _validate.integer(trained_layers, "trained_layers", low=1, high=len(layers))
    tokens = encoder.tokens(texts, max_tokens)
    lower = copy.copy(encoder.model)
    lower._modules = encoder.model._modules | {"encoder": copy.copy(encoder.model.encoder)}
    lower.encoder._modules = encoder.model.encoder._modules | {"layer": layers[:-k]}
    size = _validate.integer(batch_size, "batch_size", low=1)
    return States(_states(encoder, lower, tokens, size), tokens, copy.deepcopy(layers[-k:]), encoder.precision)


def _states(encoder: Encoder, lower: Any, tokens: Tokens, batch_size: int) -> Any:
    """Return what the lower layers say of each token, one text after the other."""
    import torch

    out = np.empty((len(tokens.flat), encoder.width), dtype=np.float32)

    def call(rows: IntArray) -> Any:
        ids, mask = (torch.from_numpy(a).to(encoder.device) for a in tokens.padded(rows))
        return lower(input_ids=ids, attention_mask=mask).last_hidden_state

    for rows, part in forward(lower, tokens.lengths, batch_size, encoder.precision, call):
        for row, states in zip(rows, part, strict=True):
            out[tokens.starts[row] : tokens.starts[row + 1]] = states[: tokens.lengths[row]]
    return torch.from_numpy(out).to(encoder.device)


def _through(layers: Any, states: Any, mask: Any) -> Any:
    """Pass states through whole layers."""
    import torch

    added = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, torch.finfo(torch.float32).min)
    for layer in layers:
        out = layer(states, attention_mask=added[:, None, None, :])
        states = out[0] if isinstance(out, tuple) else out
    return states


def first_token(layers: Any, states: Any, mask: Any) -> Any:
    """Return the top layers' vector of the first token of each text.

    In the last layer nobody asks for the other tokens' vectors, and they are not computed: a sixth of the work.

    Parameters
    ----------
    layers : torch.nn.ModuleList
        The top layers of a BERT.
    states : torch.Tensor of shape (k, longest, width)
        What the layers below say.
    mask : torch.Tensor of shape (k, longest)
        True where a text has a token.

    Returns
    -------
    torch.Tensor of shape (k, width)
        One vector a text.

    Notes
    -----
    Chapter: language/02_text_as_confounder

    References
    ----------
    bib: devlin2019bert
    """
    import torch

    states = _through(layers[:-1], states, mask)
    last, first = layers[-1], states[:, :1]
    attend = last.attention.self
    q, k, v = (
        part(x).unflatten(-1, (attend.num_attention_heads, -1)).transpose(1, 2)
        for part, x in ((attend.query, first), (attend.key, states), (attend.value, states))
    )
    read = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
    mixed = last.attention.output(read.transpose(1, 2).flatten(2), first)
    return last.output(last.intermediate(mixed), mixed)[:, 0]


def cross_fit_text(
    y: ArrayLike,
    t: ArrayLike,
    states: States,
    *,
    rows: ArrayLike | None = None,
    recipe: Recipe | None = None,
    folds: int = 2,
    seed: int = 0,
    clip: float = 0.01,
) -> Nuisances:
    """Fine-tune an encoder for treatment and outcomes, and predict each text by one that never saw it.

    One vector a text feeds three heads: the chance of treatment, and the outcome without and with it. The loss adds
    the cross-entropy of the treatment to the squared error of the outcome that was seen.

    Parameters
    ----------
    y : array-like of shape (n,)
        Outcome.
    t : array-like of shape (n,)
        Treatment, 0 or 1.
    states : States
        What `read_lower` returned.
    rows : array-like of int of shape (n,), optional
        Which text of `states` each row has; without it the first n, in order.
    recipe : Recipe, optional
        Settings; by default two epochs at rate 1e-3. `frozen`, `balanced` and `max_tokens` have no meaning here.
    folds : int
        Number of folds. With 1 texts are predicted by the encoder that they trained.
    seed : int
        Deals rows to folds.
    clip : float
        Propensities are moved into [clip, 1 - clip].

    Returns
    -------
    Nuisances
        Predictions for each row, for `doubly_robust.aipw`.

    Raises
    ------
    ValueError
        If inputs are no finite numbers or of other length, a fold lacks a treatment group, or the recipe asks for
        what has no meaning here.
    TrainingDiverged
        If the loss is no number any more.

    Notes
    -----
    Chapter: language/02_text_as_confounder

    References
    ----------
    bib: veitch2020adapting, chernozhukov2018double
    """
    a = _validate.vector(y, "y")
    group = _validate.binary(t, "t", len(a), "y")
    _validate.instance(states, "states", States, "pass what read_lower returns")
    chosen = Recipe(epochs=2, learning_rate=1e-3) if recipe is None else recipe
    _validate.instance(chosen, "recipe", Recipe, "make one with Recipe(...)")
    if chosen.frozen or chosen.balanced:
        raise ValueError("recipe: frozen and balanced have no meaning here; leave them out.")
    given = np.arange(len(a)) if rows is None else rows
    index = _validate.positions(given, "rows", len(states), len(a), "texts")
    parts = _validate.integer(folds, "folds", low=1, high=len(a))
    bound = _validate.number(clip, "clip", low=0.0, below=0.5)
    fold = folds_of(len(a), parts, _validate.integer(seed, "seed"), group, None)
    found = np.empty((3, len(a)))
    for k in range(parts):
        inside = fold == k
        train = ~inside if parts > 1 else inside
        if min((group[train] == g).sum() for g in (0, 1)) < 2:
            raise ValueError(
                f"folds leaves fewer than two rows of a treatment group to train on; use fewer: {parts}."
            )
        fitted = _fit(states, index[train], a[train], group[train], chosen)
        found[:, inside] = _predict(fitted, states, index[inside], chosen)
    e, mu0, mu1 = found
    inside = np.clip(e, bound, 1 - bound)
    return Nuisances(mu0, mu1, inside, fold, float(np.mean(inside != e)))


def _fit(states: States, index: IntArray, y: FloatArray, t: FloatArray, recipe: Recipe) -> tuple[Any, float, float]:
    """Fine-tune a copy of the top layers with three heads; return them with centre and scale of the outcome."""
    import torch

    functional = torch.nn.functional
    device, centre, scale = states.hidden.device, float(y.mean()), float(y.std()) or 1.0
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        heads = torch.nn.Linear(states.hidden.shape[1], 3)
        torch.nn.init.normal_(heads.weight, std=0.02)
        torch.nn.init.zeros_(heads.bias)
    net = torch.nn.ModuleDict({"top": copy.deepcopy(states.top), "heads": heads.to(device)})
    outcome = torch.from_numpy((y - centre) / scale).float().to(device)
    treated = torch.from_numpy(t).float().to(device)

    def loss(rows: IntArray) -> Any:
        some = torch.from_numpy(rows).to(device)
        vectors = first_token(net["top"], *states.padded(index[rows]))
        chance, without, with_it = net["heads"](functional.dropout(vectors, recipe.dropout, net.training)).float().T
        seen = torch.where(treated[some] == 1, with_it, without)
        return functional.binary_cross_entropy_with_logits(chance, treated[some]) + functional.mse_loss(
            seen, outcome[some]
        )

    _loop.train(_loop.Task(net, loss, states.tokens.lengths[index]), recipe)
    return net, centre, scale


def _predict(fitted: tuple[Any, float, float], states: States, index: IntArray, recipe: Recipe) -> FloatArray:
    """Return chance of treatment and both outcomes of some texts, of shape (3, len(index))."""
    net, centre, scale = fitted
    out = np.empty((3, len(index)))

    def call(rows: IntArray) -> Any:
        return net["heads"](first_token(net["top"], *states.padded(index[rows])))

    for rows, part in forward(net, states.tokens.lengths[index], 128, recipe.precision, call):
        out[:, rows] = part.T
    out[0] = 1 / (1 + np.exp(-out[0]))
    out[1:] = centre + scale * out[1:]
    return out
