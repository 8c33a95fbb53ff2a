"""Whatever is wrong with an argument of a public function: a ValueError that names the argument."""

import importlib
import re
import warnings

import pytest
from hypothesis import given, settings

import tests.unit.language_calls
import tests.unit.ranker_calls
import tests.unit.world_calls  # noqa: F401 - all three add their calls to CALLS
from tests.unit.public_calls import CALLS, PLUMBING, RESULTS, Call, parameters, public
from tests.unit.spoilings import number

PUBLIC = public()
NAMES = {function: PUBLIC.get(function, function.__qualname__) for function in CALLS}
EVERY_CALL = [
    pytest.param(call, id=f"{NAMES[function]}{'' if len(calls) == 1 else f'[{k}]'}")
    for function, calls in CALLS.items()
    for k, call in enumerate(calls)
]
EVERY_ARGUMENT = [
    pytest.param(call.values[0], name, id=f"{call.id}({name})")
    for call in EVERY_CALL
    for name, given_ in call.values[0].arguments.items()
    if given_.spoilt is not None
]


@pytest.mark.parametrize("call", EVERY_CALL)
def test_the_example_is_accepted(call):
    call.run()


@pytest.mark.parametrize(("call", "name"), EVERY_ARGUMENT)
def test_a_spoilt_argument_is_named(call, name):
    @settings(derandomize=True, database=None, deadline=None, max_examples=40)
    @given(call.arguments[name].spoilt)
    def spoil(bad):
        with warnings.catch_warnings(), pytest.raises(ValueError) as caught:
            warnings.simplefilter("error")
            call.run(**{name: bad.value})
        said = str(caught.value)
        assert re.search(rf"\b{name}\b", said), f"{bad.what}: the message does not name {name}: {said}"
        assert len(said) >= len(name) + 15, f"{bad.what}: the message says too little: {said}"

    spoil()


def test_every_public_function_has_an_example():
    missing = sorted(name for function, name in PUBLIC.items() if function not in CALLS)
    assert not missing, f"add a valid call to tests/unit/public_calls.py: {missing}"
    assert not [NAMES[f] for f in CALLS if f not in PUBLIC], "an example is of a function that is not public"


def test_the_examples_of_a_function_have_all_its_arguments():
    for function, calls in CALLS.items():
        covered = set().union(*(call.arguments for call in calls))
        assert covered == parameters(function), f"{NAMES[function]}: {covered ^ parameters(function)}"


def test_what_is_left_out_has_a_reason_and_exists():
    for module, why in PLUMBING.items():
        assert importlib.import_module(module) and len(why) > 20
    assert all(why.startswith("made by ") for why in RESULTS.values())


def silent(level):
    """Takes everything."""


def crashing(level):
    """Says what Python says."""
    return level.no_such_thing


def unclear(level):
    """Says that something is wrong, but not with what."""
    raise ValueError("this input is not what was expected here")


@pytest.mark.parametrize("function", [silent, crashing, unclear])
def test_a_function_that_does_not_name_its_argument_is_caught(function):
    with pytest.raises((AssertionError, AttributeError, pytest.fail.Exception)):
        test_a_spoilt_argument_is_named(Call(function, {"level": number(0.9)}), "level")
