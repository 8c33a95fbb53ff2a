"""A valid call of every public function of the text encoders."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from causalrec_lib.language import causal_text, encoder, finetune
from tests.unit import spoilings as say
from tests.unit import tiny_bert
from tests.unit.public_calls import RESULTS, add

_HOME = tempfile.TemporaryDirectory(prefix="tiny-bert-")
FOLDER = tiny_bert.save(Path(_HOME.name) / "bert")
TINY = encoder.load_encoder(FOLDER, device="cpu", precision="float32")
TEXTS, LABELS = tiny_bert.reviews(12)
SHORT = finetune.Recipe(epochs=1, batch_size=6, max_tokens=8, precision="float32")
TRAINED = finetune.finetune(TEXTS, LABELS, recipe=SHORT, model=FOLDER, device="cpu")

RESULTS[encoder.Encoder] = "made by load_encoder"
RESULTS[finetune.Classifier] = "made by finetune"

ODD = {"one text": "red", "a missing text": [None, *TEXTS[1:]], "NaN": [float("nan"), *TEXTS[1:]], "empty": []}
WORDS = say.thing(TEXTS, **ODD)
NUMBER = say.whole(8, 0, -1)
WHERE = {
    "model": say.Given(
        FOLDER, say.listed({"a number": 3, "None": None, "a list": ["minilm"], "empty": "", "blanks": " "})
    ),
    "device": say.Given("cpu", say.listed({"a number": 3, "nonsense": "toaster", "empty": ""})),
}
RECIPE = say.thing(SHORT, optional=True)

add(
    finetune.Recipe,
    epochs=say.whole(1, 0, -1),
    learning_rate=say.number(1e-3, 0.0, -1.0),
    batch_size=NUMBER,
    max_tokens=say.whole(8, 2, -1),
    warmup=say.number(0.1, 1.0, -0.1),
    weight_decay=say.number(0.0, -0.1),
    clip=say.number(1.0, 0.0, -1.0),
    dropout=say.number(0.1, 1.0, -0.1),
    frozen=say.flag(False),
    balanced=say.flag(False),
    patience=say.whole(2, 0),
    precision=say.option("float32"),
    seed=say.whole(0, -1),
)
add(encoder.load_encoder, **WHERE, precision=say.option("float32"))
add(encoder.Encoder.tokens, lambda **k: TINY.tokens(**k), texts=WORDS, max_tokens=say.whole(8, 2, 129))
add(
    encoder.Encoder.embed,
    lambda **k: TINY.embed(**k),
    texts=WORDS,
    max_tokens=say.whole(8, 2, 129),
    batch_size=NUMBER,
)
SPLIT = TINY.tokens(TEXTS, 8)
add(
    encoder.Encoder.pooled,
    lambda **k: TINY.pooled(**k),
    tokens=say.anything(SPLIT),
    rows=say.anything(np.arange(3)),
)
add(encoder.Encoder.features, lambda **k: TINY.features(**k), tokens=say.anything(SPLIT), batch_size=say.anything(4))
add(encoder.adapt, texts=WORDS, held_out=WORDS, recipe=RECIPE, **WHERE)
add(
    finetune.finetune,
    texts=WORDS,
    labels=say.vector(LABELS, bad=(-1.0, 0.5, 9.0), **{"one class": np.zeros(len(LABELS))}),
    validation=say.Given(
        (TEXTS, LABELS), say.listed({"texts alone": TEXTS, "a number": 3, "a row short": (TEXTS, LABELS[1:])})
    ),
    n_classes=say.whole(2, 1, 0, optional=True),
    recipe=RECIPE,
    **WHERE,
    report=say.thing(lambda step: None, optional=True),
    checkpoint=say.Given(None, say.listed({"a number": 3, "empty": ""})),
    stop_after=say.whole(9, 0, optional=True),
)
add(finetune.Classifier.probabilities, lambda **k: TRAINED.probabilities(**k), texts=WORDS, batch_size=NUMBER)
add(finetune.Classifier.predict, lambda **k: TRAINED.predict(**k), texts=WORDS)
SAVED = say.Given(Path(_HOME.name) / "saved", say.listed({"a number": 3, "None": None, "empty": ""}))
add(finetune.Classifier.save, lambda **k: TRAINED.save(**k), folder=SAVED)
add(
    finetune.load_classifier,
    folder=say.Given(TRAINED.save(Path(_HOME.name) / "kept"), say.listed({"a number": 3, "None": None, "empty": ""})),
    device=WHERE["device"],
)

LOWER = causal_text.read_lower(TEXTS, model=FOLDER, max_tokens=8, device="cpu")
BOTH = np.arange(len(TEXTS)) % 2.0
RESULTS[causal_text.States] = "made by read_lower"
add(
    causal_text.read_lower,
    texts=WORDS,
    model=WHERE["model"],
    trained_layers=say.whole(1, 0, 3),
    max_tokens=say.whole(8, 2, 129),
    device=WHERE["device"],
    batch_size=NUMBER,
)
add(causal_text.States.padded, lambda **k: LOWER.padded(**k), rows=say.anything(np.arange(3)))
add(causal_text.States.vectors, lambda **k: LOWER.vectors(**k), batch_size=NUMBER)
SOME, MASK = LOWER.padded(np.arange(3))
add(
    causal_text.first_token,
    layers=say.anything(LOWER.top),
    states=say.anything(SOME),
    mask=say.anything(MASK),
)
add(
    causal_text.cross_fit_text,
    y=say.vector(np.arange(len(TEXTS)) / 3.0),
    t=say.binary(BOTH),
    states=say.thing(LOWER),
    rows=say.vector(np.arange(len(TEXTS)), optional=True, bad=(-1.0, 0.5, 99.0)),
    recipe=RECIPE,
    folds=say.whole(2, 0, 99),
    seed=say.whole(0, -1),
    clip=say.number(0.01, 0.5, -0.1),
)
