"""Quiz questions: every option explained, at least one right and one wrong, readable without a script."""

import html
import html.parser
import itertools
import re

import pytest

from causalrec_lib.course import quiz

WHY = "Because both arrows are needed."
GOOD = {"Yes <really>": (True, WHY), "No": (False, WHY), "Perhaps": (False, WHY)}


class Outline(html.parser.HTMLParser):
    """Counts tags and checks that they nest."""

    def __init__(self):
        super().__init__()
        self.count, self.open = {}, []

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_each_option_opens_by_itself():
    outline = Outline()
    outline.feed(quiz("What?", GOOD)._repr_html_())
    assert outline.open == []
    assert outline.count["details"] == outline.count["summary"] == 3
    assert "script" not in outline.count


def test_a_class_can_vote_by_letter_and_a_screen_reader_hears_it():
    page = quiz("What?", GOOD)._repr_html_()
    letters = re.findall(r"<summary><b>([A-F])\.</b> <span>(.*?)</span></summary>", page)
    assert [f"{letter}. {html.unescape(option)}" for letter, option in letters] == [
        line.strip() for line in repr(quiz("What?", GOOD)).splitlines()[1:]
    ]
    assert 'role="group" aria-label="Quiz question with 3 options"' in page


def test_the_place_of_the_right_answer_is_no_habit():
    orders = [{k: GOOD[k] for k in names} for names in itertools.permutations(GOOD)]
    assert len({repr(quiz("What?", options)) for options in orders}) == 1
    first = sum("A. Yes" in repr(quiz(f"What {k}?", GOOD)) for k in range(60))
    assert 10 < first < 30


def test_right_and_wrong_are_said_in_words_not_in_colour_only():
    page = quiz("What?", GOOD)._repr_html_()
    assert page.count("<strong>Right.</strong>") == 1
    assert page.count("<strong>No.</strong>") == 2


def test_text_is_escaped():
    page = quiz("Is a < b & c?", GOOD)._repr_html_()
    assert "Is a &lt; b &amp; c?" in page
    assert "Yes &lt;really&gt;" in page


def test_the_plain_form_keeps_the_answer_to_itself():
    text = repr(quiz("What?", GOOD))
    first, *rest = text.splitlines()
    assert first == "What?"
    assert [line[:5] for line in rest] == ["  A. ", "  B. ", "  C. "]
    assert {line[5:] for line in rest} == set(GOOD)


def test_later_changes_to_the_options_do_not_reach_the_quiz():
    options = dict(GOOD)
    asked = quiz("What?", options)
    options.clear()
    assert len(asked.options) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({k: GOOD[k] for k in list(GOOD)[:2]}, "three to six"),
        ({f"option {k}": (k == 0, WHY) for k in range(7)}, "three to six"),
        ({k: (True, WHY) for k in GOOD}, "one right and one wrong"),
        ({k: (False, WHY) for k in GOOD}, "one right and one wrong"),
        ({**GOOD, "No": (False, "No.")}, "explanation"),
        ({**GOOD, "No": (False, " " * 20)}, "explanation"),
        ({**GOOD, "No": (0, WHY)}, "True or False"),
        ({**GOOD, "No": False}, "True or False"),
        ({**GOOD, "No": (False,)}, "True or False"),
        ({**GOOD, "No": (False, 17)}, "explanation"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        quiz("What?", options)


@pytest.mark.parametrize("question", ["", "  ", None])
def test_a_question_must_ask_something(question):
    with pytest.raises(ValueError, match="question"):
        quiz(question, GOOD)
