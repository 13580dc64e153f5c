"""Symbols become words, and Moses's tokenisation becomes text."""

import pytest

from domains.nlp.corpora.words import detokenise, join


@pytest.mark.parametrize(
    ("symbols", "marker", "line"),
    [
        (["▁the", "▁ho", "use", "."], "▁", "the house."),
        (["the", "ho@@", "u@@", "se", "."], "@@", "the house ."),
        (["the", "ho@@"], "@@", "the ho"),
        (["mail@@", "me@@home"], "@@", "mailme@@home"),
        (["1", "2"], "", "1 2"),
        ([], "▁", ""),
        ([], "@@", ""),
    ],
)
def test_symbols_are_joined(symbols, marker, line):
    assert join(symbols, marker) == line


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("Hello , world !", "Hello, world!"),
        ("It &apos;s a well @-@ known &quot; fact &quot; ( or so ) .", 'It\'s a well-known "fact" (or so).'),
        ("a state ##AT##-##AT## of the art", "a state-of the art"),
        ("We do n't , they don 't .", "We don't, they don't."),
        ("AT &amp; T &amp;lt; 5", "AT & T &lt; 5"),
        ("¿ Qué ? «", "¿Qué? «"),
        ("3 17 4", "3 17 4"),
        ("Das kostet 3,5 % mehr ...", "Das kostet 3,5% mehr..."),
    ],
)
def test_tokenisation_is_undone(words, text):
    assert detokenise(words, "@@") == text
    assert detokenise(words, "") == text


def test_ordinary_text_is_left_alone():
    assert detokenise("well , &quot; this", "▁") == "well , &quot; this"
