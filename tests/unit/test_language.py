"""Text encoders and their fine-tuning: whole weights or a refusal, the same bits twice, odd texts, odd memory."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from causalrec_lib.data import DataUnavailable  # noqa: E402
from causalrec_lib.language import _loop, _recipe, _tokens  # noqa: E402
from causalrec_lib.language.encoder import adapt, load_encoder  # noqa: E402
from causalrec_lib.language.finetune import (  # noqa: E402
    ModelUnusable,
    Recipe,
    TrainingDiverged,
    finetune,
    load_classifier,
)
from tests.unit import tiny_bert  # noqa: E402

FAST = Recipe(epochs=2, learning_rate=3e-3, batch_size=8, max_tokens=16, precision="float32", seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_bert.save(tmp_path_factory.mktemp("tiny") / "bert")


@pytest.fixture(scope="module")
def encoder(folder):
    return load_encoder(folder, device="cpu", precision="float32")


def weights(classifier) -> list[np.ndarray]:
    models = (classifier.encoder.model, classifier.head)
    return [p.detach().numpy().copy() for m in models for p in m.parameters()]


def equal(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


# --- the encoder -------------------------------------------------------------------------------------------------
def test_vectors_do_not_depend_on_the_company_of_a_text(encoder):
    texts, _ = tiny_bert.reviews(30)
    together = encoder.embed(texts, batch_size=16)
    alone = np.vstack([encoder.embed([t]) for t in texts])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-12)


def test_the_pooled_vector_is_the_mean_over_the_tokens_of_the_text(encoder):
    ids = encoder.tokenizer("lovely dress", return_tensors="pt")
    with torch.inference_mode():
        hidden = encoder.model(**ids).last_hidden_state[0].numpy()
    tokens = encoder.tokens(["lovely dress", "awful red dress kept returned"])
    np.testing.assert_allclose(encoder.features(tokens)[0], hidden.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("text", ["", " ", "x" * 100_000, "lovely " * 20_000, "🙂👗", "这条裙子很好", "\x00\n\t"])
def test_odd_texts_have_vectors(encoder, text):
    out = encoder.embed([text, "lovely"], max_tokens=16)
    assert np.isfinite(out).all() and out.shape == (2, 32)


def test_texts_that_were_cut_are_counted(encoder):
    assert encoder.tokens(["lovely " * 30, "red", "lovely " * 10], 12).cut == 1


@pytest.mark.parametrize("bad", [[None, "red"], ["red", float("nan")], "red", 3])
def test_a_missing_text_is_refused_by_row(encoder, bad):
    with pytest.raises(ValueError, match="texts"):
        encoder.embed(bad)


def test_more_tokens_than_the_model_reads_are_refused(encoder):
    with pytest.raises(ValueError, match="max_tokens must be between 3 and 128"):
        encoder.embed(["red"], max_tokens=129)


def test_a_cut_file_of_weights_is_refused(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "cut")
    path = broken / "model.safetensors"
    whole = path.read_bytes()
    for n in (len(whole) - 1, 2000, 5, 0):
        path.write_bytes(whole[:n])
        with pytest.raises(ModelUnusable, match=r"model\.safetensors"):
            load_encoder(broken)


def test_weights_of_another_model_are_refused(folder, tmp_path):
    other = tiny_bert.save(tmp_path / "other", width=64)
    shutil.copy(folder / "model.safetensors", other / "model.safetensors")
    with pytest.raises(ModelUnusable, match=r"config\.json"):
        load_encoder(other)


def test_weights_with_a_layer_missing_are_refused(folder, tmp_path):
    deeper = shutil.copytree(folder, tmp_path / "deeper")
    config = json.loads((deeper / "config.json").read_text())
    (deeper / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(ModelUnusable, match=r"encoder\.layer\.2"):
        load_encoder(deeper)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, tmp_path, name):
    poor = shutil.copytree(folder, tmp_path / "poor")
    (poor / name).unlink()
    with pytest.raises(ModelUnusable, match=r"no .*" + name.split(".")[-1]):
        load_encoder(poor)


def test_pickled_weights_are_not_read(folder, tmp_path):
    old = shutil.copytree(folder, tmp_path / "old")
    (old / "model.safetensors").rename(old / "pytorch_model.bin")
    with pytest.raises(ModelUnusable, match="pickle"):
        load_encoder(old)


def test_a_name_that_nobody_has_says_which_there_are(monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", away)
    with pytest.raises(DataUnavailable, match="minilm"):
        load_encoder("no/such-model")


def test_a_gpu_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match="no GPU"):
        load_encoder(device="cuda")


# --- fine-tuning -------------------------------------------------------------------------------------------------
def test_it_learns_what_there_is_to_learn(folder):
    texts, y = tiny_bert.reviews(160)
    held = tiny_bert.reviews(60, seed=5)
    c = finetune(texts, y, validation=held, recipe=FAST, model=folder, device="cpu")
    assert (c.predict(held[0]) == held[1]).mean() > 0.95
    np.testing.assert_allclose(c.probabilities(held[0]).sum(axis=1), 1)
    assert c.finished and len(c.epochs) == 2 and len(c.steps) == 40
    assert c.epochs["accuracy"].iloc[-1] == (c.predict(held[0]) == held[1]).mean()


def test_shuffled_labels_teach_nothing(folder):
    texts, y = tiny_bert.reviews(160)
    held = tiny_bert.reviews(200, seed=5)
    c = finetune(texts, np.random.default_rng(0).permutation(y), recipe=FAST, model=folder, device="cpu")
    assert abs((c.predict(held[0]) == held[1]).mean() - 0.5) < 0.2


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(folder):
    texts, y = tiny_bert.reviews(40)
    a, b = (finetune(texts, y, recipe=FAST, model=folder, device="cpu") for _ in range(2))
    other = finetune(texts, y, recipe=Recipe(**{**vars_of(FAST), "seed": 2}), model=folder, device="cpu")
    assert equal(a, b) and not equal(a, other)


def vars_of(recipe: Recipe) -> dict:
    return {name: getattr(recipe, name) for name in Recipe.__slots__}


def test_training_leaves_the_global_state_of_torch_alone(folder):
    texts, y = tiny_bert.reviews(24)
    torch.manual_seed(3)
    want = torch.rand(1)
    torch.manual_seed(3)
    finetune(texts, y, recipe=FAST, model=folder, device="cpu")
    assert torch.equal(torch.rand(1), want)


@pytest.mark.parametrize("stop", [1, 7, 10, 13])
def test_training_that_was_stopped_ends_with_the_same_bits(folder, tmp_path, stop):
    texts, y = tiny_bert.reviews(80)
    given = dict(validation=tiny_bert.reviews(30, seed=5), recipe=FAST, model=folder, device="cpu")
    whole = finetune(texts, y, **given)
    half = finetune(texts, y, **given, checkpoint=tmp_path / "state", stop_after=stop)
    assert not half.finished and len(half.steps) == stop
    rest = finetune(texts, y, **given, checkpoint=tmp_path / "state")
    assert rest.finished and equal(whole, rest)
    assert rest.steps.equals(whole.steps) and rest.epochs.equals(whole.epochs)


def test_a_checkpoint_of_another_run_is_refused(folder, tmp_path):
    texts, y = tiny_bert.reviews(40)
    given = dict(model=folder, device="cpu", checkpoint=tmp_path / "state")
    finetune(texts, y, recipe=FAST, **given, stop_after=2)
    with pytest.raises(ValueError, match=r"checkpoint.*learning_rate: 0\.003 then, 0\.001 now"):
        finetune(texts, y, recipe=Recipe(**{**vars_of(FAST), "learning_rate": 1e-3}), **given)
    with pytest.raises(ValueError, match=r"checkpoint.*another rows"):
        finetune(texts[:-1], y[:-1], recipe=FAST, **given)


def test_a_cut_checkpoint_is_refused(folder, tmp_path):
    texts, y = tiny_bert.reviews(40)
    given = dict(recipe=FAST, model=folder, device="cpu", checkpoint=tmp_path / "state")
    finetune(texts, y, **given, stop_after=2)
    path = tmp_path / "state" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelUnusable, match=r"state\.safetensors"):
        finetune(texts, y, **given)


def test_a_saved_classifier_gives_the_same_answers(folder, tmp_path):
    texts, y = tiny_bert.reviews(40)
    c = finetune(texts, y, recipe=FAST, model=folder, device="cpu")
    again = load_classifier(c.save(tmp_path / "out"), device="cpu")
    assert equal(c, again) and again.recipe == FAST and again.steps.equals(c.steps)
    np.testing.assert_array_equal(again.probabilities(texts), c.probabilities(texts))
    assert {p.suffix for p in (tmp_path / "out").iterdir()} <= {".json", ".safetensors", ".txt"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_save_that_fails_leaves_the_old_one(folder, tmp_path, monkeypatch):
    texts, y = tiny_bert.reviews(40)
    c = finetune(texts, y, recipe=FAST, model=folder, device="cpu")
    c.save(tmp_path / "out")

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="no space"):
        c.save(tmp_path / "out")
    monkeypatch.undo()
    assert equal(load_classifier(tmp_path / "out", device="cpu"), c)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_batch_that_does_not_fit_is_halved_and_the_step_stays_the_same(folder, monkeypatch):
    texts, y = tiny_bert.reviews(48)
    calm = Recipe(**{**vars_of(FAST), "dropout": 0.0})
    whole = finetune(texts, y, recipe=calm, model=folder, device="cpu")
    real = _loop._gradients

    def small(task, rows, *rest):
        def loss(piece):
            if len(piece) > 3:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
            return task.loss(piece)

        return real(task._replace(loss=loss), rows, *rest)

    monkeypatch.setattr(_loop, "_gradients", small)
    with pytest.warns(UserWarning, match="cut into 4 pieces"):
        halved = finetune(texts, y, recipe=calm, model=folder, device="cpu")
    for a, b in zip(weights(whole), weights(halved), strict=True):
        np.testing.assert_allclose(a, b, atol=3e-4)
    assert np.abs(whole.steps["loss"] - halved.steps["loss"]).max() < 1e-3


def test_another_error_is_not_taken_for_lack_of_memory(folder, monkeypatch):
    texts, y = tiny_bert.reviews(20)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda *_, **__: 1 / 0)
    with warnings.catch_warnings(), pytest.raises(ZeroDivisionError):
        warnings.simplefilter("error")
        finetune(texts, y, recipe=FAST, model=folder, device="cpu")


def test_a_loss_that_is_no_number_names_the_step(folder, monkeypatch):
    texts, y = tiny_bert.reviews(40)
    real, calls = torch.nn.functional.cross_entropy, []

    def nan_at_third(*args, **kwargs):
        calls.append(1)
        return real(*args, **kwargs) * (float("nan") if len(calls) == 3 else 1)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", nan_at_third)
    with pytest.raises(TrainingDiverged, match="step 3") as err:
        finetune(texts, y, recipe=FAST, model=folder, device="cpu")
    assert err.value.step == 3


def test_early_stopping_keeps_the_best_epoch(folder):
    texts, y = tiny_bert.reviews(60)
    held = tiny_bert.reviews(40, seed=5)
    wrong = (held[0], 1 - held[1])  # the better it learns, the worse it does here
    recipe = Recipe(**{**vars_of(FAST), "epochs": 9, "patience": 2})
    c = finetune(texts, y, validation=wrong, recipe=recipe, model=folder, device="cpu")
    best = int(c.epochs["loss"].argmin())
    assert len(c.epochs) == best + 3 < 9
    p = c.probabilities(wrong[0])[np.arange(40), wrong[1]]
    assert -np.log(p).mean() == pytest.approx(c.epochs["loss"].min(), abs=1e-6)


def test_a_frozen_encoder_does_not_move_and_its_head_does(folder, encoder):
    texts, y = tiny_bert.reviews(60)
    before = [p.detach().clone() for p in encoder.model.parameters()]
    recipe = Recipe(**{**vars_of(FAST), "frozen": True, "learning_rate": 0.05, "epochs": 20, "weight_decay": 0.0})
    c = finetune(texts, y, recipe=recipe, model=encoder, device="cpu")
    assert all(torch.equal(a, b) for a, b in zip(before, encoder.model.parameters(), strict=True))
    assert c.steps["loss"].iloc[-5:].mean() < c.steps["loss"].iloc[:5].mean() - 0.05


def test_an_encoder_that_is_given_stays_as_it_was(folder, encoder):
    texts, y = tiny_bert.reviews(24)
    before = [p.detach().clone() for p in encoder.model.parameters()]
    finetune(texts, y, recipe=FAST, model=encoder)
    assert all(torch.equal(a, b) for a, b in zip(before, encoder.model.parameters(), strict=True))


def test_balanced_classes_count_alike(folder):
    texts, y = tiny_bert.reviews(400)
    keep = (y == 0) | (np.cumsum(y) <= 12)
    rare, labels = [t for t, k in zip(texts, keep, strict=True) if k], y[keep]
    noise = ["dress"] * len(rare)  # nothing to learn but the shares
    recipe = {**vars_of(FAST), "frozen": True, "learning_rate": 0.05, "epochs": 60, "weight_decay": 0.0}
    recipe |= {"batch_size": len(rare)}
    plain = finetune(noise, labels, recipe=Recipe(**recipe), model=folder, device="cpu")
    even = finetune(noise, labels, recipe=Recipe(**recipe | {"balanced": True}), model=folder, device="cpu")
    share = labels.mean()
    assert plain.probabilities(["dress"])[0, 1] == pytest.approx(share, abs=0.06)
    assert even.probabilities(["dress"])[0, 1] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 1, 1], "one class only"),
        ([0, 1, 7], "0 to 1"),
        ([0, 1, -1], "labels"),
        ([0, 1], "labels"),
        ([0, 0.5, 1], "labels"),
    ],
)
def test_labels_that_make_no_sense_are_refused(folder, labels, words):
    with pytest.raises(ValueError, match=words):
        finetune(["red", "blue", "soft"], labels, n_classes=2, recipe=FAST, model=folder, device="cpu")


@pytest.mark.parametrize(
    "setting",
    [{"epochs": 0}, {"learning_rate": 0.0}, {"batch_size": 0}, {"max_tokens": 2}, {"warmup": 1.0}, {"clip": 0.0},
     {"weight_decay": -1.0}, {"dropout": 1.0}, {"precision": "float16"}, {"patience": 0}, {"seed": -1}, {"frozen": 1},
     {"balanced": "yes"}],
)  # fmt: skip
def test_a_recipe_out_of_range_names_the_setting(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        Recipe(**setting)


# --- the pieces --------------------------------------------------------------------------------------------------
def test_every_row_is_in_one_batch_and_batches_hold_little_padding():
    lengths = np.random.default_rng(0).integers(3, 128, 1000)
    plan = _tokens.batches(lengths, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(plan)) == list(range(1000))
    padded = sum(len(b) * lengths[b].max() for b in plan)
    assert padded / lengths.sum() < 1.15 < 16 * np.ceil(1000 / 16) * 127 / lengths.sum()
    again = _tokens.batches(lengths, 16, np.random.default_rng(2))
    assert not all(np.array_equal(a, b) for a, b in zip(plan, again, strict=True))


def test_the_rate_rises_then_falls_to_nothing():
    recipe = Recipe(learning_rate=1.0, warmup=0.2)
    rates = [_loop.rate_at(s, 50, recipe) for s in range(50)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0 and max(rates) == 1.0
    assert rates[10] == 1.0 and rates[-1] == pytest.approx(1 / 40)
    assert all(np.diff(rates[10:]) < 0)


def test_biases_do_not_decay(folder):
    net = load_encoder(folder, device="cpu").model
    decayed, free = _loop.optimiser_of(net, Recipe()).param_groups
    assert {p.ndim for p in decayed["params"]} == {2} and {p.ndim for p in free["params"]} == {1}
    assert decayed["weight_decay"] == 0.01 and free["weight_decay"] == 0


def test_half_precision_follows_the_instructions_of_the_processor(monkeypatch):
    cpu = torch.device("cpu")
    for has, want in (({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: has)
        assert _recipe.arithmetic("auto", cpu) == want
    assert _recipe.arithmetic("bfloat16", cpu) == torch.bfloat16


# --- masked words ------------------------------------------------------------------------------------------------
def test_guessing_masked_words_gets_better_with_training(folder):
    rng = np.random.default_rng(0)
    pairs = [("lovely", "soft"), ("awful", "rough")]
    texts = [" ".join(pairs[rng.integers(2)] * 4) for _ in range(120)]
    recipe = Recipe(**{**vars_of(FAST), "epochs": 4, "learning_rate": 1e-2})
    encoder, history = adapt(texts, held_out=texts[:30], recipe=recipe, model=folder, device="cpu")
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] - 1
    assert encoder.embed(["red"]).shape == (1, 32)
    _again, same = adapt(texts, held_out=texts[:30], recipe=recipe, model=folder, device="cpu")
    assert same.equals(history)


def test_masked_words_refuse_what_has_no_meaning(folder):
    with pytest.raises(ValueError, match="frozen and balanced"):
        adapt(["red"], held_out=["red"], recipe=Recipe(frozen=True), model=folder)
