"""Small corpora in the formats that users have."""

import struct

import numpy as np
import pytest

from domains.nlp import corpora

TEXTS = {
    "en": "the a red old house dog tree sees likes under near and my your big small cat bird",
    "de": "das ein rot alt haus hund baum sieht mag unter bei und mein dein groß klein katze vogel",
}
WORDS = {language: text.split() for language, text in TEXTS.items()}


def clear():
    corpora._parallel.cache_clear()
    corpora._text.cache_clear()


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty data folder of the user's."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("TICKETBENCH_DATA", str(folder))
    clear()
    yield folder
    clear()


def rows(language, split, count):
    """Lines that differ from split to split, the n-th of one language with as many words as that of the other."""
    words = WORDS[language]
    first = {"train": 0, "valid": 5, "test": 11}[split]
    return [
        " ".join(words[(first + row * step + step) % len(words)] for step in range(3 + row % 5)) for row in range(count)
    ]


@pytest.fixture(scope="session")
def write_text():
    def write(folder, **changed):
        """A corpus of plain text; `changed` replaces the content of files, by name with `_` for the dot."""
        folder.mkdir(parents=True, exist_ok=True)
        for split, count in (("train", 40), ("valid", 6), ("test", 7)):
            for language in WORDS:
                content = "".join(f"{row}\n" for row in rows(language, split, count)).encode()
                (folder / f"{split}.{language}").write_bytes(changed.get(f"{split}_{language}", content))
        return folder

    return write


@pytest.fixture(scope="session")
def write_binary():
    def write(folder, pair="en-de", count=30):
        """A data-bin folder, byte by byte as fairseq-preprocess writes it (`test_databin` compares with the real one)."""
        folder.mkdir(parents=True, exist_ok=True)
        languages = pair.split("-")
        for language in languages:
            symbols = [*WORDS[language], "be@@", "low"]
            lines = [f"{symbol} {100 - index}\n" for index, symbol in enumerate(symbols)]
            (folder / f"dict.{language}.txt").write_text("".join(lines), encoding="utf-8")
            for split in ("train", "valid", "test"):
                ids = [[4 + symbols.index(word) for word in row.split()] + [2] for row in rows(language, split, count)]
                sizes = np.array([len(row) for row in ids], "<i4")
                offsets = 2 * (np.cumsum(sizes, dtype="<i8") - sizes)
                header = b"MMIDIDX\0\0" + struct.pack("<QBQ", 1, 8, count)
                stem = f"{split}.{pair}.{language}"
                (folder / f"{stem}.idx").write_bytes(header + sizes.tobytes() + offsets.astype("<i8").tobytes())
                (folder / f"{stem}.bin").write_bytes(np.concatenate(ids).astype("<u2").tobytes())
        return folder

    return write
