from __future__ import annotations

import math
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.errors import FormatError
from phosphene.formats.prototxt import parse


def test_spellings_of_messages_and_lists() -> None:
    message = parse(
        """
        # a network
        name: "net"; input: 'data',
        input_dim: 1 input_dim: [3, 0x10, 010]
        layer { name: "a" } layer: { name: "b" # inside
        }
        layer < name: "c" >
        layer: [ { name: "d" }, < name: "e" > ]
        empty: []
        # the end"""
    )
    assert message.text("name") == "net"
    assert message.wholes("input_dim") == (1, 3, 16, 8)
    assert [layer.text("name") for layer in message.messages("layer")] == list("abcde")
    assert message.texts("empty") == ()
    assert list(message) == ["name", "input", "input_dim", "layer", "empty"]
    assert len(message) == 5
    assert "layer" in message
    assert len(message["layer"]) == 5


def test_strings() -> None:
    message = parse(r"""a: "one" ' two' "\" #{}" b: 'it\'s\t\x41\101\u00e9' c: "" d: "\303\251" """)
    assert message.text("a") == 'one two" #{}'
    assert message.text("b") == "it's\tAAé"
    assert message.text("c") == ""
    assert message.text("d") == "é"


def test_scalars_are_read_as_asked() -> None:
    message = parse("a: 1 b: -2.5e-1 c: MAX d: true e: 0 f: 1.5f g: inf h: -3 i: 1 i: 2 j: .5")
    assert message.whole("a") == 1
    assert message.real("a") == 1.0
    assert message.flag("a") is True
    assert message.real("b") == -0.25
    assert message.text("c") == "MAX"
    assert message.flag("d") is True
    assert message.flag("e") is False
    assert message.real("f") == 1.5
    assert math.isinf(message.real("g"))
    assert message.whole("h") == -3
    assert message.whole("i") == 2
    assert message.reals("j") == (0.5,)
    assert message.whole("absent", 7) == 7
    assert message.flag("absent", False) is False
    assert message.message("absent").whole("deeper", 3) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb 2", r"net, line 2: expected ':' or '\{' after 'b', but found '2'"),
        ("a: 1\n\nlayer {\n b: 2\n", r"line 5: expected a field's name or the '\}' of net, line 4"),
        ("a: 1 }", "line 1: expected a field's name, but found '}'"),
        ("layer { a: 1 >", "expected a field's name or the '}'"),
        ("a: }", "expected a value, but found '}'"),
        ("a:", "expected a value, but found the end of the file"),
        ('a: "open\nb: 1', 'line 1: expected a closing " on the same line'),
        ("a: 'open", "expected a closing ' on the same line"),
        ("a: [1, ]", "expected a value after ','"),
        ("a: [1 2]", "expected ',' or ']' in a list"),
        ("1: 2", "expected a field's name, but found '1'"),
        ("[some.extension]: 2", "expected a field's name"),
        ("a { " * 100, "at most 64 messages within each other"),
        ("a: [1, 2", "expected ',' or ']' in a list, but found the end"),
    ],
)
def test_what_is_no_text_format(text: str, sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence):
        parse(text, "net")


@pytest.mark.parametrize(
    ("text", "getter", "sentence"),
    [
        ("\na: b", "whole", "net, line 2: a should be a whole number, but is 'b'"),
        ("a: 1.5", "whole", "a should be a whole number, but is '1.5'"),
        ("a: 1_0", "whole", "a should be a whole number"),
        ('a: "1"', "whole", "a should be a whole number"),
        ("a: b", "real", "a should be a number, but is 'b'"),
        ("a: 1x", "real", "a should be a number, but is '1x'"),
        ("a: 2", "flag", "a should be true or false, but is '2'"),
        ("a: 1", "message", "a should be a message in braces, but is '1'"),
        ("a { }", "whole", "a should be a whole number, but is a message"),
        ("b: 1", "text", "line 1: the field 'a' is missing from this message"),
    ],
)
def test_values_that_do_not_fit(text: str, getter: str, sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence):
        getattr(parse(text, "net"), getter)("a")


def test_the_end_of_a_comment_is_no_field() -> None:
    assert list(parse("a: 1 # b: 2")) == ["a"]
    assert list(parse("# only words")) == []
    assert list(parse("")) == []


def test_hostile_blanks_take_no_time() -> None:
    start = time.perf_counter()
    parse("a: 1" + " " * 100_000 + "#" * 100_000)
    with pytest.raises(FormatError):
        parse('a: "' + "\\" * 100_001)
    assert time.perf_counter() - start < 1


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_quoting(text: str) -> None:
    quoted = "".join(f"\\{byte:03o}" for byte in text.encode())
    assert parse(f'a: "{quoted}"').text("a") == text


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab{}<>[]:;,\"' #\n1.\\", max_size=30))
def test_nonsense_is_parsed_or_refused(text: str) -> None:
    with suppress(FormatError):
        parse(text)
