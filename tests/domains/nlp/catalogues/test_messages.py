import pytest

from domains.nlp.catalogues import messages
from domains.nlp.catalogues.messages import fault, gist, one_line, pair, without_accelerators
from domains.nlp.catalogues.mo import Message


def test_a_pair_is_the_singular_and_the_first_form_without_context_and_line_breaks():
    message = Message(
        "menu", "\n%d  file\twas\nread\n", "%d files\nwere read", ("%d Datei\r\nwurde\u00a0gelesen", "%d Dateien")
    )
    assert pair(message) == ("%d file was read", "%d Datei wurde gelesen")


@pytest.mark.parametrize("character", ["\n", "\r", "\v", "\f", "\x07", "\x1b", "\x85", "\u2028", "\x00", "\x7f"])
def test_no_character_that_may_break_a_line_is_left(character):
    assert one_line(f"{character}a{character}{character}b ") == "a b"


def test_joiners_that_spell_words_are_left():
    assert one_line("क्\u200dष") == "क्\u200dष"


@pytest.mark.parametrize(
    ("source", "target", "plain"),
    [
        ("_File", "_Datei", ("File", "Datei")),
        ("E_xit now", "Jetzt _beenden", ("Exit now", "Jetzt beenden")),
        ("&File", "&Datei", ("File", "Datei")),
        ("_File", "ファイル(_F)", ("File", "ファイル")),
        ("Save &As...", "名前を付けて保存 (&A)...", ("Save As...", "名前を付けて保存...")),
    ],
)
def test_marks_of_keys_are_removed(source, target, plain):
    assert without_accelerators(source, target) == plain


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("cannot read pg_control", "kann pg_control nicht lesen"),
        ("invalid krb5_cred structure", "ungültige Krb5_cred-Struktur"),
        ("join_condition", "Verbundbedingung"),
        ("LC_ALL and LC_CTYPE", "LC_ALL und _LC"),
        ("AT&T syntax", "Syntax von AT&T"),
        ("Search & Replace", "Suchen & Ersetzen"),
        ("Search & Replace", "搜索&替换"),
        ("a && b", "b && a"),
        ("__init__", "_start"),
    ],
)
def test_names_keep_what_looks_like_a_mark(source, target):
    assert without_accelerators(source, target) == (source, target)


@pytest.mark.parametrize(
    ("rule", "source", "target"),
    [
        ("empty", "file", ""),
        ("empty", "", "Datei"),
        ("identical", "POSIX", "POSIX"),
        ("long", "a " * 50 + "a", "ein " * 30),
        ("long", "an " * 30, "x " * 51),
        ("long", "abcdefghi " * 25 + "a", "neun " * 26),
        ("uneven", "one two three", "eins"),
        ("uneven", "eins zwei", "one two three four five six"),
        ("unbroken", "see the link", f"siehe {'x' * 40} dort"),
        ("unbroken", f"see {'x' * 40} there", "siehe dort nach"),
        ("markup", "<b>bold</b>", "fett"),
        ("markup", "a <file> to read", "eine Datei zum Lesen"),
        ("markup", "press enter", "Eingabe &lt; drücken"),
        ("placeholders", "%s: %s", "%s, %s"),
        ("placeholders", "%2$s %1$-10.3f at", "bei %2$s %1$-10.3f"),
        ("placeholders", "{name} {0} %(size)d %lu %zd ${HOME} file", "Datei {name} {0} %(size)d %lu %zd ${HOME}"),
        ("placeholders", "1 2 3", "eins zwei drei"),
        ("placeholders", "one two three", "1 2 3"),
        ("punctuation", "Why? Who? When? Where? Why?", "Warum! Wer! Was? Wo?"),
        ("numerals", "in 1999 and 2345", "in 1867 und damals"),
        ("numerals", "part 3", "Teil drei"),
        ("numerals", "part 12345", "Teil 1267"),
    ],
)
def test_a_pair_is_dropped_by_the_first_rule_that_applies(rule, source, target):
    assert fault(source, target) == rule


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a " * 50, "ein " * 50),
        ("abcdefghi " * 24 + "abcdefghij", "zehn " * 25),
        ("one two three four five", "eins zwei"),
        ("a word", f"ein {'x' * 39}"),
        ("x < y and y > z", "x < y und y > z"),
        ("cannot open %s: %s!", "kann %s nicht öffnen: %s"),
        ("100% of the disk", "100% der Platte"),
        ("Done. Go on?", "Fertig. Weiter?"),
        ("Wait...", "Warten …"),
        ("in 1990", "im Jahr 1990"),
        ("at most 1 metre", "höchstens 1000000 Mikrometer"),
        ("part 12", "Teil 13"),
        ("open %1$s now", "%s jetzt öffnen"),
        ("the file was not found", "ファイルが見つかりません"),
        ("file not found", "找不到文件"),
    ],
)
def test_a_pair_within_all_limits_stays(source, target):
    assert fault(source, target) is None


def test_every_rule_drops_something_that_no_other_does():
    alone = {
        "identical": ("same words", "same words"),
        "long": ("a " * 51, "b " * 51),
        "uneven": ("one two three", "eins"),
        "unbroken": ("word", "x" * 40),
        "markup": ("a <b> c", "der <b> d"),
        "placeholders": ("%s %s and", "%s und %s"),
        "punctuation": ("a. b. c. d. e.", "f. g. h. i. j."),
        "numerals": ("in 1 day", "in 2 Tagen"),
    }
    assert [rule.__name__ for rule in messages.RULES] == ["empty", *alone]
    for name, example in alone.items():
        assert [rule.__name__ for rule in messages.RULES[1:] if rule(*example)] == [name]


def test_punctuation_is_penalised_as_vazquez_et_al_do():
    # -log(penalty + 1) falls below -2 between a penalty of 6 and of 7.
    assert not messages.punctuation("a.b.c.d.", "a.b.c.d.")
    assert messages.punctuation("a.b.c.d.", "a.b.c.d.e.f.")
    assert not messages.punctuation("a", "b.c.d.")
    assert messages.punctuation("a", "b.c.d.e.")


def test_near_copies_have_one_gist():
    assert gist("Cannot open file '%s': %d!") == gist("cannot open  file %(name)s") == "cannot open file"
    assert gist("version 1.2") == gist("Version 3")
    assert gist("cannot open file") != gist("cannot open files")
    assert gist("Größe") == gist("GRÖSSE")
