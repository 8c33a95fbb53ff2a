"""Adjusting for text: the shared lower layers change nothing, fits repeat bit by bit, and odd input is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from causalrec_lib.language import causal_text  # noqa: E402
from causalrec_lib.language.encoder import load_encoder  # noqa: E402
from causalrec_lib.language.finetune import Recipe  # noqa: E402
from tests.unit import tiny_bert  # noqa: E402

TEXTS, LABELS = tiny_bert.reviews(40)
FAST = Recipe(epochs=2, learning_rate=3e-3, batch_size=8, precision="float32")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tiny_bert.save(tmp_path_factory.mktemp("tiny") / "bert", layers=3)
    return load_encoder(folder, device="cpu", precision="float32")


@pytest.fixture(scope="module")
def states(encoder):
    return causal_text.read_lower(TEXTS, model=encoder, max_tokens=16)


def outcomes(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=len(TEXTS)), rng.permutation(len(TEXTS)) % 2.0


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_first_token_is_that_of_the_whole_model(encoder, layers):
    states = causal_text.read_lower(TEXTS, model=encoder, trained_layers=layers, max_tokens=16)
    ids, mask = (torch.from_numpy(a) for a in encoder.tokens(TEXTS, 16).padded(np.arange(len(TEXTS))))
    with torch.inference_mode():
        whole = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
        top = causal_text.first_token(states.top, *states.padded(np.arange(len(TEXTS))))
    np.testing.assert_allclose(top, whole, atol=1e-5)


def test_frozen_vectors_are_those_of_the_encoder(encoder, states):
    np.testing.assert_allclose(states.vectors(), encoder.embed(TEXTS, 16), atol=1e-6)


def test_a_loss_by_hand_is_the_loss_that_is_trained(states, monkeypatch):
    y, t = outcomes()
    seen = {}

    def keep(task, recipe):
        task.model.eval()
        seen.update(loss=float(task.loss(np.arange(len(y))).detach()), net=task.model)

    monkeypatch.setattr(causal_text._loop, "train", keep)
    causal_text.cross_fit_text(y, t, states, recipe=FAST, folds=1)
    with torch.inference_mode():
        vectors = causal_text.first_token(seen["net"]["top"], *states.padded(np.arange(len(y))))
        chance, q0, q1 = seen["net"]["heads"](vectors).T.numpy().astype(float)
    z = (y - y.mean()) / y.std()
    e = 1 / (1 + np.exp(-chance))
    want = -np.mean(np.where(t == 1, np.log(e), np.log(1 - e))) + np.mean((z - np.where(t == 1, q1, q0)) ** 2)
    assert seen["loss"] == pytest.approx(want, abs=1e-5)


def test_a_fit_repeats_and_leaves_encoder_and_states_alone(encoder, states):
    y, t = outcomes()
    weights = copy.deepcopy(states.top.state_dict())
    before = states.hidden.clone()
    one, two = (causal_text.cross_fit_text(y, t, states, recipe=FAST, seed=3) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(torch.equal(v, weights[k]) for k, v in states.top.state_dict().items())
    assert torch.equal(before, states.hidden)
    assert len(encoder.model.encoder.layer) == 3


def test_predictions_are_in_the_units_of_the_outcome(states):
    y, t = outcomes()
    small, large = (causal_text.cross_fit_text(a, t, states, recipe=FAST) for a in (y, 100 + 10 * y))
    np.testing.assert_allclose(large.mu1, 100 + 10 * small.mu1, atol=1e-3)
    np.testing.assert_allclose(large.e, small.e, atol=1e-4)


def test_rows_name_the_texts(encoder, states):
    y, t = outcomes()
    rows = np.random.default_rng(1).permutation(len(y))
    taken = causal_text.cross_fit_text(y, t, states, rows=rows, recipe=FAST)
    chosen = causal_text.read_lower([TEXTS[i] for i in rows], model=encoder, max_tokens=16)
    same = causal_text.cross_fit_text(y, t, chosen, recipe=FAST)
    np.testing.assert_allclose(taken.mu0, same.mu0, atol=1e-4)


def test_the_outcome_of_other_folds_alone_counts(states):
    y, t = outcomes()
    found = causal_text.cross_fit_text(y, t, states, recipe=FAST)
    moved = y.copy()
    moved[found.fold == 0] += np.random.default_rng(2).normal(size=(found.fold == 0).sum())
    again = causal_text.cross_fit_text(moved, t, states, recipe=FAST)
    np.testing.assert_array_equal(again.mu1[found.fold == 0], found.mu1[found.fold == 0])
    assert not np.array_equal(again.mu1[found.fold == 1], found.mu1[found.fold == 1])


@pytest.mark.parametrize("wrong", [{"frozen": True}, {"balanced": True}])
def test_settings_without_a_meaning_are_refused(states, wrong):
    y, t = outcomes()
    with pytest.raises(ValueError, match="no meaning"):
        causal_text.cross_fit_text(y, t, states, recipe=Recipe(**wrong))


def test_a_fold_without_both_groups_is_refused(states):
    y, _ = outcomes()
    t = np.zeros(len(y))
    t[:2] = 1
    with pytest.raises(ValueError, match="fewer than two rows of a treatment group"):
        causal_text.cross_fit_text(y, t, states, recipe=FAST)


def test_a_model_without_layers_as_bert_is_refused(encoder):
    odd = copy.copy(encoder.model)
    odd._modules = {k: v for k, v in encoder.model._modules.items() if k != "encoder"}
    with pytest.raises(ValueError, match="no layers as BERT's"):
        causal_text.read_lower(
            TEXTS, model=type(encoder)(encoder.folder, encoder.tokenizer, odd, encoder.precision), max_tokens=16
        )
