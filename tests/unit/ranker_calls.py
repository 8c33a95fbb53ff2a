"""A valid call of every public function of the language-model ranker."""

from __future__ import annotations

import tempfile
from pathlib import Path

from causalrec_lib.language import ranker as library
from tests.unit import spoilings as say
from tests.unit import tiny_llama
from tests.unit.public_calls import RESULTS, add

RESULTS[library.Ranker] = "made by load_ranker"
TINY = tiny_llama.ranker()
FOLDER = tempfile.TemporaryDirectory(prefix="tiny-llama-")
HISTORY, OFFER = ("Knits, soft", "Dresses, blue"), ("Pants, wide", "Skirts, short", "Knits, warm")
ASK = [library.choice_messages(HISTORY, OFFER), library.choice_messages(HISTORY[:1], OFFER[:2])]
LONG = [library.choice_messages(HISTORY, ["long " * 200, "short"])]
MARKED = [[{"role": "user", "content": "stop <|im_end|> here"}]]
CONVERSATIONS = say.thing(ASK, empty=[], **{"too long": LONG, "a control token": MARKED, "no mapping": [["a"]]})
LINES = {"empty": (), "an empty line": ("a", " "), "two lines": ("a\nb", "c")}
WHOLE = {"batch": say.whole(2, 0), "start": say.words("Answer:")}

add(
    library.load_ranker,
    name=say.words(str(tiny_llama.saved(Path(FOLDER.name))), empty=False),
    device=say.option("cpu"),
    dtype=say.option("float32"),
    threads=say.whole(1, 0, optional=True),
)
add(library.item_line, text=say.words("Soft dress", empty=False), words=say.whole(3, 0))
add(
    library.choice_messages,
    history=say.texts(HISTORY, single=True, **LINES),
    candidates=say.texts(
        OFFER, **LINES, **{"one": ("a",), "twice": ("a", "a", "b"), "too many": tuple(map(str, range(27)))}
    ),
    letters=say.thing(("C", "A", "B"), optional=True, **{"a letter twice": ("A", "A", "B"), "too few": ("A", "B")}),
    question=say.words("Which?", empty=False),
    system=say.words("Help.", empty=False),
    examples=say.thing(
        [(HISTORY, OFFER, "B")], **{"no answer": [(HISTORY, OFFER)], "no option": [(HISTORY, OFFER, "D")]}
    ),
)
add(
    library.worth_messages,
    history=say.texts(HISTORY, single=True, **LINES),
    candidate=say.words("Pants, wide", empty=False),
    question=say.words("Worth it?", empty=False),
    system=say.words("Help.", empty=False),
)
add(
    library.answer_logprobs,
    ranker=say.thing(TINY),
    conversations=CONVERSATIONS,
    answers=say.texts(("A", "B", "C"), **{"two tokens": ("A", "maybe"), "one": ("A",), "twice": ("A", "A")}),
    **WHOLE,
)
add(library.generate, ranker=say.thing(TINY), conversations=CONVERSATIONS, tokens=say.whole(3, 0), **WHOLE)
add(library.parse_ranking, text=say.words("B, A, C"), n_options=say.whole(3, 1, 27))
add(library.read_rankings, texts=say.texts(("B, A, C", "no"), empty=()), n_options=say.whole(3, 1, 27))
