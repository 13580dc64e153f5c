import errno
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from catalogue import install

from domains.nlp import catalogues
from domains.nlp.catalogues.messages import gist
from domains.nlp.corpora import folders, lines

LETTERS = "abcdefghijklmnopqrst"
PROGRAMS = [f"program-{letter}" for letter in LETTERS]


def sentences(program, count):
    """Messages that no other program has, and their translations, word by word backwards."""
    words = [f"{program[-1]}{first}{second}" for first in LETTERS for second in LETTERS][:count]
    return {f"cannot open {word} for writing": f"neppö {word} thcin nnak" for word in words}


@pytest.fixture
def root(tmp_path):
    """Twenty programs with 40 messages each in German, and one of them in French."""
    root = tmp_path / "locale"
    for program in PROGRAMS:
        install(root, "de", program, sentences(program, 40), project=f"{program} 1.0")
    install(root, "fr", PROGRAMS[0], sentences(PROGRAMS[0], 10))
    return root


@pytest.fixture
def run(root, monkeypatch, capsys):
    def run(language, folder, *options):
        """Exit code, standard output and standard error of the command."""
        command = ["catalogues", language, str(folder), "--root", str(root), *options]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as caught:
            catalogues.main()
        return caught.value.code, *capsys.readouterr()

    return run


def read(folder, language="de"):
    """Split -> (source, target) of each line."""
    corpus = lines.read_folder("corpus", folder, ("en", language), "")
    return {
        split: list(zip(source.lines, target.lines, strict=True)) for split, (source, target) in corpus.splits.items()
    }


def provenance(folder):
    """The rows of the table in the file: split, catalogue, program, pairs, digest."""
    text = (folder / "PROVENANCE").read_text(encoding="utf-8")
    return [row.split("\t") for row in text.partition("\tsha256\n")[2].splitlines()]


def refusal(found):
    code, out, err = found
    assert code == 2
    assert out == ""
    assert err.startswith("ticketbench: ")
    assert err.count("\n") == 1
    return err


def test_the_corpus_is_one_that_the_folders_of_the_user_are_read_as(run, data_folder):
    assert run("de", data_folder / "messages")[0] == 0
    found = folders.find("messages", {})
    assert (found.kind, found.languages) == ("folder", ("en", "de"))
    pairs = read(data_folder / "messages")
    assert {split: len(part) for split, part in pairs.items()} == {"train": 720, "val": 40, "test": 40}
    for part in pairs.values():
        for source, target in part:
            word = source.split()[2]
            assert target == f"neppö {word} thcin nnak"


def test_each_catalogue_is_in_one_split(run, tmp_path):
    run("de", tmp_path / "corpus")
    programs = {
        split: {source.split()[2][0] for source, _ in part} for split, part in read(tmp_path / "corpus").items()
    }
    assert {split: len(found) for split, found in programs.items()} == {"train": 18, "val": 1, "test": 1}
    assert len(set.union(*programs.values())) == 20


def test_the_same_catalogues_give_the_same_bytes(run, root, tmp_path):
    run("de", tmp_path / "one")
    for path in sorted((root / "de" / "LC_MESSAGES").iterdir(), reverse=True):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    run("de", tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["PROVENANCE", "test.de", "test.en", "train.de", "train.en", "valid.de", "valid.en"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("seed", range(20))
def test_about_a_twentieth_of_the_pairs_is_in_each_split_held_out(seed):
    draw = random.Random(seed)
    sizes = {f"program-{index}": draw.randint(1, 60) for index in range(40)} | {"large": 1000}
    found = [catalogues.Catalogue(name, "", "", [("a", "b")] * size, Counter()) for name, size in sizes.items()]
    draw.shuffle(found)
    splits = catalogues.split(found)
    assert sorted(each.name for part in splits.values() for each in part) == sorted(sizes)
    assert "large" in [each.name for each in splits["train"]]
    for name in ("valid", "test"):
        assert 0.04 < sum(len(each.pairs) for each in splits[name]) / sum(sizes.values()) < 0.06


def test_which_catalogue_is_held_out_follows_from_its_name(run, tmp_path):
    run("de", tmp_path / "corpus")
    held_out = [(split, name) for split, name, *_ in provenance(tmp_path / "corpus") if split != "train"]
    assert held_out == [("valid", "program-j"), ("test", "program-a")]  # the lowest two digests


def test_no_source_of_one_split_resembles_one_of_another(run, root, tmp_path):
    for index, program in enumerate(PROGRAMS):
        shared = {f"Memory exhausted in line {index}!": f"Speicher erschöpft in Zeile {index}!"}
        install(
            root,
            "de",
            program,
            {**sentences(program, 40), **shared, "%s: no such file here": "%s: hier keine solche Datei"},
        )
    run("de", tmp_path / "corpus")
    gists = [gist(source) for part in read(tmp_path / "corpus").values() for source, _ in part]
    assert len(gists) == len(set(gists)) == 20 * 40 + 2


def test_a_long_list_of_names_is_cut_and_other_long_catalogues_are_not(run, root, tmp_path):
    words = [f"{a}{b}{c}" for a in LETTERS for b in LETTERS for c in LETTERS[:4]]
    install(root, "de", "iso_639-3", {word: f"das {word}" for word in words})
    install(root, "de", "git", {f"a longer message {word}": f"eine längere Meldung {word}" for word in words})
    out = run("de", tmp_path / "corpus")[1]
    counts = {name: int(pairs) for _, name, _, pairs, _ in provenance(tmp_path / "corpus")}
    assert counts["iso_639-3"] == catalogues.MOST_NAMES == 1000
    assert counts["git"] == len(words) == 1600
    assert ["names", "600"] in [row.split() for row in out.splitlines()]


def test_the_table_counts_every_message_once(run, root, tmp_path):
    extra = {
        "POSIX": "POSIX",
        "see <b>here</b> now": "siehe <b>hier</b>",
        "yes": "ja",
        "Yes!": "Ja!",
        "%s": "%s %s",
    }
    install(root, "de", "extra", extra)
    _, out, err = run("de", tmp_path / "corpus")
    rows = dict(row.split()[:2] for row in out.splitlines() if row[-1:].isdigit())
    for rule in ("identical", "markup", "repeated", "placeholders"):
        assert rows[rule] == "1"
    sizes = [row.split() for row in out.splitlines() if row.startswith(("train", "valid", "test"))]
    assert sum(int(row[1]) for row in sizes) == 21
    assert sum(int(row[2]) for row in sizes) == 20 * 40 + 1
    assert err == ""


def test_provenance_names_every_catalogue_and_its_program(run, root, tmp_path):
    install(root, "de", "odd", {"a message": "eine Meldung"}, project="odd\t 2.0\x1b[31m" + "x" * 99)
    run("de", tmp_path / "corpus")
    rows = provenance(tmp_path / "corpus")
    assert {row[1] for row in rows} == {*PROGRAMS, "odd"}
    programs = {name: program for _, name, program, _, _ in rows}
    assert programs["program-a"] == "program-a 1.0"
    assert programs["odd"].startswith("odd 2.0 [31mxx")
    assert len(programs["odd"]) == 60
    sizes = {split: len(part) for split, part in read(tmp_path / "corpus").items()}
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        assert sum(int(row[3]) for row in rows if row[0] == name) == sizes[split]


def test_a_catalogue_with_two_names_is_read_once(run, root, tmp_path):
    (root / "de" / "LC_MESSAGES" / "alias.mo").symlink_to("program-a.mo")
    out = run("de", tmp_path / "corpus")[1]
    assert "repeated" not in out
    assert "alias" not in (tmp_path / "corpus" / "PROVENANCE").read_text(encoding="utf-8")


def test_few_and_large_catalogues_leave_no_split_empty(run, root, tmp_path):
    for name, count in (("large", 100), ("medium", 60), ("small", 30)):
        install(root, "nl", name, sentences(name, count))
    run("nl", tmp_path / "corpus")
    assert [row[:2] for row in provenance(tmp_path / "corpus")] == [
        ["train", "large"],
        ["valid", "small"],
        ["test", "medium"],
    ]


@pytest.mark.parametrize("language", ["ca@valencia", "sr_RS@latin", "zh_CN"])
def test_a_region_or_a_variant_is_a_language_of_its_own(run, root, data_folder, language):
    for program in PROGRAMS[:3]:
        install(root, language, program, sentences(program, 5))
    run(language, data_folder / "messages")
    spelled = language.replace("@", "_")
    assert folders.find("messages", {}).languages == ("en", spelled)
    assert len(read(data_folder / "messages", spelled)["test"]) == 5


def test_a_broken_catalogue_is_passed_over_with_a_warning(run, root, tmp_path):
    path = root / "de" / "LC_MESSAGES" / "program-a.mo"
    path.write_bytes(path.read_bytes()[:100])
    code, _, err = run("de", tmp_path / "corpus")
    assert code == 0
    assert err.startswith(f"warning: cannot read {path} as a .mo file: ")
    assert err.count("\n") == 1
    assert len(provenance(tmp_path / "corpus")) == 19


@pytest.mark.parametrize("language", ["xx", "en", "..", "../de", "", "de/../de", "DE\nx"])
def test_a_language_that_is_not_there_is_refused_with_those_that_are(run, tmp_path, language):
    err = refusal(run(language, tmp_path / "corpus"))
    assert f"no catalogues of {language!r}" in err
    assert "there are de (20), fr (1): install" in err
    assert not (tmp_path / "corpus").exists()


def test_english_is_no_translation_but_its_variants_are(run, root, tmp_path):
    for program in PROGRAMS[:3]:
        install(root, "en", program, sentences(program, 5))
        install(root, "en_GB", program, sentences(program, 5))
    assert "there are de (20), en_GB (3), fr (1): install" in refusal(run("en", tmp_path / "corpus"))
    assert run("en_GB", tmp_path / "corpus")[0] == 0


def test_only_the_languages_with_most_catalogues_are_named(run, root, tmp_path):
    for first in LETTERS:
        install(root, f"q{first}", "tar", {"a message": "x"})
    err = refusal(run("xx", tmp_path / "corpus"))
    assert "de (20), fr (1), qa (1), " in err
    assert err.count("(1)") == 19
    assert " and 2 more" in err


def test_a_system_without_catalogues_is_refused(run, root, tmp_path):
    (root / "nothing").mkdir()
    err = refusal(run("de", tmp_path / "corpus", "--root", str(root / "nothing")))
    assert "there are none of other languages" in err
    assert "--root" in refusal(run("de", tmp_path / "corpus", "--root", str(root / "nowhere")))


def test_too_few_catalogues_are_refused(run, root, tmp_path):
    install(root, "fr", "second", sentences("second", 10))
    install(root, "fr", "nothing", {"POSIX": "POSIX"})
    assert "only 2 catalogues have messages" in refusal(run("fr", tmp_path / "deep" / "corpus"))
    assert not (tmp_path / "deep").exists()


def test_a_folder_with_something_in_it_is_refused_and_left_as_it_is(run, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "notes").write_text("mine")
    assert "name a new or empty folder" in refusal(run("de", folder))
    assert [path.name for path in folder.iterdir()] == ["notes"]
    assert "name a new or empty folder" in refusal(run("de", folder / "notes"))
    assert "cannot write" in refusal(run("de", folder / "notes" / "corpus"))
    assert (folder / "notes").read_text() == "mine"


def test_an_empty_folder_is_filled(run, tmp_path):
    (tmp_path / "corpus").mkdir()
    assert run("de", tmp_path / "corpus")[0] == 0
    assert len(list((tmp_path / "corpus").iterdir())) == 7


@pytest.mark.parametrize(
    ("fault", "code"), [(OSError(errno.ENOSPC, "No space left on device"), 2), (KeyboardInterrupt(), 130)]
)
def test_what_stops_halfway_leaves_nothing(run, tmp_path, monkeypatch, fault, code):
    whole = Path.write_text

    def write_text(path, *args, **options):
        if path.name == "test.en":
            raise fault
        return whole(path, *args, **options)

    monkeypatch.setattr(Path, "write_text", write_text)
    before = sorted(tmp_path.iterdir())
    found = run("de", tmp_path / "corpus")
    assert found[0] == code
    assert sorted(tmp_path.iterdir()) == before
    if code == 2:
        assert "No space left on device" in refusal(found)


def test_it_is_run_as_a_module(root, tmp_path):
    command = [sys.executable, "-m", "domains.nlp.catalogues", "xx", "corpus", "--root", str(root)]
    found = subprocess.run(command, cwd=Path(__file__).parents[4], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.startswith("ticketbench: no catalogues of 'xx'")
    assert found.stderr.count("\n") == 1
