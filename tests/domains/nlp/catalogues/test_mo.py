import gettext
import random
import struct
import tracemalloc

import pytest
from catalogue import mo_bytes

from bench.errors import DataError
from domains.nlp.catalogues import mo
from domains.nlp.catalogues.mo import Message

MESSAGES = {
    "cannot open %s": "%s kann nicht geöffnet werden",
    "%d file\0%d files": "%d Datei\0%d Dateien",
    "menu\x04Open": "Öffnen",
    "menu\x04%d tab\0%d tabs": "%d Reiter\0%d Reiter",
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tar.mo"


def refusal(path):
    """The one line that names the file and says what to do."""
    with pytest.raises(DataError) as caught:
        mo.read_mo(path)
    message = str(caught.value)
    assert str(path) in message
    assert "install its package again" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("revision", [0, 1, 65536, 65537])
def test_messages_are_read_as_they_were_written(path, order, revision):
    path.write_bytes(mo_bytes(MESSAGES, order=order, revision=revision))
    header, *messages = mo.read_mo(path)
    assert header.source == ""
    assert header.forms[0].startswith("Project-Id-Version: tar 1.35\n")
    assert sorted(messages) == sorted(
        [
            Message("", "cannot open %s", "", ("%s kann nicht geöffnet werden",)),
            Message("", "%d file", "%d files", ("%d Datei", "%d Dateien")),
            Message("menu", "Open", "", ("Öffnen",)),
            Message("menu", "%d tab", "%d tabs", ("%d Reiter", "%d Reiter")),
        ]
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_translations_are_those_that_gettext_finds(path, order):
    path.write_bytes(mo_bytes(MESSAGES, order=order))
    with path.open("rb") as file:
        oracle = gettext.GNUTranslations(file)
    for message in mo.read_mo(path)[1:]:
        for count, form in zip((1, 2), message.forms, strict=False):
            found = oracle.npgettext(message.context, message.source, message.plural, count)
            if not message.context:
                found = oracle.ngettext(message.source, message.plural, count)
            if not message.plural:
                found = (
                    oracle.pgettext(message.context, message.source)
                    if message.context
                    else oracle.gettext(message.source)
                )
            assert found == form


@pytest.mark.parametrize("charset", ["UTF-8", "utf8", "ISO-8859-2", "CP1250"])
def test_text_is_decoded_by_the_charset_of_the_header(path, charset):
    path.write_bytes(mo_bytes({"file": "plik źródłowy"}, charset=charset))
    assert mo.read_mo(path)[1].forms == ("plik źródłowy",)


def test_text_without_a_charset_is_utf8(path):
    path.write_bytes(mo_bytes({"file": "źródło"}).replace(b"charset", b"letters"))
    assert mo.read_mo(path)[1].forms == ("źródło",)


@pytest.mark.parametrize("charset", ["utf-16", "unicode_escape", "rot13", "idna", "zlib", "CHARSET", "x" * 9000])
def test_a_charset_that_is_none_of_catalogues_is_refused(path, charset):
    content = mo_bytes({"file": "Datei"}, project="x" * len(charset))
    old = b"x" * len(charset) + b"\nContent-Type: text/plain; charset=UTF-8"
    new = b"\nContent-Type: text/plain; charset=" + charset.encode()
    path.write_bytes(content.replace(old, new.ljust(len(old))))
    message = refusal(path)
    assert charset[:40] in message
    assert len(message) < 400


def test_a_known_charset_that_python_lacks_is_refused(path):
    path.write_bytes(mo_bytes({"file": "Datei"}).replace(b"charset=UTF-8", b"charset=cp999"))
    assert "cp999" in refusal(path)


def test_text_that_is_not_in_its_charset_is_refused(path):
    path.write_bytes(mo_bytes({"size": "Größe"}, charset="ISO-8859-1").replace(b"ISO-8859-1", b"UTF-8     "))
    assert "not in its charset UTF-8" in refusal(path)


def test_a_catalogue_without_messages_is_read(path):
    path.write_bytes(mo_bytes({}))
    assert [message.source for message in mo.read_mo(path)] == [""]
    path.write_bytes(struct.pack("<7I", 0x950412DE, 0, 0, 28, 28, 0, 28))
    assert mo.read_mo(path) == []


def test_every_part_of_a_catalogue_is_refused(path):
    whole = mo_bytes(MESSAGES)
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        refusal(path)


def test_no_damage_gives_anything_but_messages_or_a_refusal(path):
    whole = mo_bytes(MESSAGES)
    draw = random.Random(0)
    refused = 0
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 1, 2, 8])):
            damaged[draw.randrange(min(len(whole), draw.choice([28, 200, 10_000])))] = draw.choice([0, 1, 4, 127, 255])
        path.write_bytes(damaged)
        try:
            messages = mo.read_mo(path)
        except DataError:
            refused += 1
        else:
            assert all(message.forms for message in messages)
    assert 50 < refused < 500


@pytest.mark.parametrize(
    ("offset", "value", "said"),
    [
        (0, 0, "starts with 00000000"),
        (4, 2, "revision is 0.2"),
        (4, 0x30000, "revision is 3.0"),
        (8, 2**32 - 1, "ends after the file"),
        (12, 2**32 - 8, "ends after the file"),
        (16, 2**31, "ends after the file"),
        (28, 2**32 - 1, "does not end with a zero"),
        (32, 2**32 - 1, "does not end with a zero"),
        (36, 3, "does not end with a zero"),
    ],
)
def test_a_number_that_leads_out_of_the_file_is_refused(path, offset, value, said):
    damaged = bytearray(mo_bytes(MESSAGES))
    struct.pack_into("<I", damaged, offset, value)
    path.write_bytes(damaged)
    assert said in refusal(path)


def test_many_entries_that_share_one_long_string_are_refused_before_they_fill_the_memory(path):
    entries, length = 4000, 100_000
    place = 28 + 8 * entries
    table = struct.pack("<2I", length, place) * entries
    path.write_bytes(struct.pack("<7I", 0x950412DE, 0, entries, 28, 28, 0, 0) + table + b"x" * length + b"\0")
    tracemalloc.start()
    try:
        assert "overlap" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * length
    finally:
        tracemalloc.stop()


def test_a_file_that_is_larger_than_any_catalogue_is_refused(path, monkeypatch):
    content = mo_bytes(MESSAGES)
    path.write_bytes(content)
    monkeypatch.setattr(mo, "LARGEST", len(content))
    assert len(mo.read_mo(path)) == 1 + len(MESSAGES)
    path.write_bytes(content + b"\0")
    assert f"it has {len(content) + 1} bytes" in refusal(path)


def test_what_cannot_be_opened_is_refused(path, tmp_path):
    refusal(path)
    refusal(tmp_path)
