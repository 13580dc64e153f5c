"""The user's corpora are found, named and recognised; what cannot be used is passed over with one line."""

import os
import subprocess
import sys

import pytest

from bench import cache
from bench.errors import DataError
from domains.nlp import domain
from domains.nlp.corpora import folders
from domains.nlp.corpora.folders import files_digest, find, found

BINARY = [
    f"{split}.de-en.{language}.{ending}"
    for split in ("train", "valid", "test")
    for language in ("de", "en")
    for ending in ("idx", "bin")
]


@pytest.fixture(autouse=True)
def forget():
    folders._warn.cache_clear()


def write_binary(folder, names=BINARY):
    folder.mkdir()
    for name in [*names, "dict.de.txt", "dict.en.txt"]:
        (folder / name).write_bytes(name.encode())


def test_both_kinds_are_found(data_folder, write_text):
    write_text(data_folder / "mine")
    write_binary(data_folder / "theirs")
    mine, theirs = found().values()
    assert (mine.name, mine.kind, mine.languages, mine.path) == ("mine", "folder", ("en", "de"), data_folder / "mine")
    assert (theirs.name, theirs.kind, theirs.languages) == ("theirs", "data-bin", ("de", "en"))
    assert mine.digest != theirs.digest


def test_without_english_the_source_is_the_first_by_name(data_folder):
    (data_folder / "mine").mkdir()
    for language in ("fr", "de", "pt_BR"):
        (data_folder / "mine" / f"train.{language}").touch()
    assert find("mine", {"source": "fr", "target": "de"}).languages == ("fr", "de")
    (data_folder / "mine/train.pt_BR").unlink()
    assert found()["mine"].languages == ("de", "fr")


def test_a_file_beside_a_corpus_is_no_language(data_folder, write_text):
    write_text(data_folder / "mine")
    for ending in ("txt", "tsv", "bak"):
        (data_folder / "mine" / f"train.{ending}").touch()
    assert found()["mine"].languages == ("en", "de")


def test_what_is_no_parallel_corpus_is_passed_over_in_silence(data_folder, write_text, capsys):
    (data_folder / "mnist").mkdir()
    (data_folder / "mnist/train-images-idx3-ubyte.gz").touch()
    (data_folder / "train.en").touch()
    (data_folder / "single").mkdir()
    (data_folder / "single/train.en").touch()
    write_text(data_folder / "wmt14-en-de")  # a paper's
    assert found() == {}
    assert capsys.readouterr().err == ""


def test_without_a_data_folder_nothing_is_found(monkeypatch, capsys):
    monkeypatch.setenv("TICKETBENCH_DATA", "some")
    assert domain.unlisted() is None
    monkeypatch.delenv("TICKETBENCH_DATA")
    assert found() == {}
    assert capsys.readouterr().err == ""
    assert domain.unlisted().startswith("tasks of your own texts need TICKETBENCH_DATA: ")


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_an_unreadable_data_folder_is_one_warning(tmp_path, monkeypatch, capsys, kind):
    place = tmp_path / kind
    if kind == "file":
        place.touch()
    monkeypatch.setenv("TICKETBENCH_DATA", str(place))
    assert found() == found() == {}
    reason = {"missing": "No such file or directory", "file": "Not a directory"}[kind]
    assert capsys.readouterr().err == (
        f"warning: cannot read the folder {place} that TICKETBENCH_DATA names: {reason}; its corpora are not listed\n"
    )


def test_a_folder_that_cannot_be_used_hides_no_other(data_folder, write_text, capsys, monkeypatch):
    write_text(data_folder / "good")
    write_text(data_folder / "bad name")
    write_text(data_folder / "bible")
    three = write_text(data_folder / "three")
    (three / "train.fr").touch()
    broken = write_text(data_folder / "unreadable")

    def refuse(path, real=folders.file_digest):
        if path.parent == broken:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(folders, "file_digest", refuse)
    assert [*found()] == ["good"]
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 4
    assert "bad name is not listed: name it with letters, digits" in warnings[0]
    assert "bible is not listed: there is a bible in ticketbench; give it another name" in warnings[1]
    assert "three is not listed: it has more than one pair of languages" in warnings[2]
    assert "cannot read" in warnings[3]
    assert "Permission denied" in warnings[3]


def test_the_digest_is_that_of_the_content(data_folder, write_text):
    first = write_text(data_folder / "first")
    write_text(data_folder / "second")
    corpora = found()
    assert corpora["first"].digest == corpora["second"].digest == find("first", {}).digest
    (first / "README").write_text("not part of it")
    assert found()["first"].digest == corpora["second"].digest
    for name in ("train.en", "valid.de", "test.en"):
        write_text(data_folder / "first")
        with (first / name).open("a") as file:
            file.write("x")
        assert found()["first"].digest != corpora["second"].digest


def test_a_digest_changes_when_files_swap_their_content(data_folder, write_text):
    one = write_text(data_folder / "one")
    two = write_text(data_folder / "two")
    (two / "valid.en").write_bytes((one / "test.en").read_bytes())
    (two / "test.en").write_bytes((one / "valid.en").read_bytes())
    assert found()["one"].digest != found()["two"].digest


def test_a_digest_changes_when_a_file_has_another_name(data_folder, write_text):
    write_text(data_folder / "one")
    (data_folder / "one/test.de").unlink()
    write_text(data_folder / "two")
    (data_folder / "two/test.en").replace(data_folder / "two/test.de")
    assert found()["one"].digest != found()["two"].digest


def test_unchanged_files_are_not_read_again_to_list_them(data_folder, write_text, monkeypatch):
    mine = write_text(data_folder / "mine")
    digest = found()["mine"].digest
    read = []
    monkeypatch.setattr(folders, "file_digest", lambda path, real=folders.file_digest: read.append(path) or real(path))
    assert found()["mine"].digest == digest
    assert read == []
    os.utime(mine / "test.de", ns=(1, 1))
    found()
    assert read == [mine / "test.de"]
    assert files_digest([mine / "test.de"], remembered=False)
    assert len(read) == 2


def test_a_damaged_digest_is_computed_again(data_folder, write_text):
    write_text(data_folder / "mine")
    digest = found()["mine"].digest
    for path in cache.folder("nlp").glob("digest-*"):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert found()["mine"].digest == digest


def test_a_corpus_that_is_not_there_says_what_to_do(data_folder, monkeypatch):
    with pytest.raises(
        DataError, match=f"mine was not found: there is no folder {data_folder}/mine; it needs train.xx"
    ):
        find("mine", {})
    with pytest.raises(DataError, match="paper was not found: there is no folder .*/paper; ask its authors"):
        find("paper", {}, how="ask its authors")
    monkeypatch.delenv("TICKETBENCH_DATA")
    with pytest.raises(
        DataError, match="mine was not found: set TICKETBENCH_DATA to a folder with a folder mine in it"
    ):
        find("mine", {})


@pytest.mark.parametrize("name", ["../outside", "/etc", "", ".", "a/b"])
def test_a_name_never_leaves_the_data_folder(data_folder, write_text, name):
    write_text(data_folder.parent / "outside")
    write_text(data_folder / "a" / "b")
    with pytest.raises(DataError, match="was not found"):
        find(name, {})


def test_a_folder_without_training_files_says_what_it_needs(data_folder):
    (data_folder / "mine").mkdir()
    (data_folder / "mine/train.en").touch()
    with pytest.raises(
        DataError, match="mine has no training files of two languages: it needs train.xx, train.yy, valid.xx"
    ):
        find("mine", {})
    (data_folder / "mine/train.de").touch()
    with pytest.raises(DataError, match="no training files of two languages"):
        find("mine", {"source": "en", "target": "fr"})


def test_languages_may_be_turned_round(data_folder, write_text):
    write_text(data_folder / "mine")
    write_binary(data_folder / "theirs")
    assert find("mine", {"source": "de", "target": "en"}).languages == ("de", "en")
    assert find("theirs", {"source": "en", "target": "de"}).languages == ("en", "de")
    stems = folders.binaries(data_folder / "theirs", ("en", "de"))
    assert stems["val"] == (data_folder / "theirs/valid.de-en.en", data_folder / "theirs/valid.de-en.de")


def test_corpora_are_listed_without_torch_and_fairseq(data_folder, write_text):
    write_text(data_folder / "mine")
    code = (
        "import sys; from domains.nlp import corpora; from domains.nlp.corpora import folders; print(*folders.found());"
        "corpora.declared({'kind': 'bible'}); print(*{'torch', 'fairseq', 'sentencepiece'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "mine\n\n"
