import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.report import escaping

HOSTILE = [
    "a|b",
    "a\\|b",
    "<script>alert(1)</script>",
    "<!-- gone -->",
    "&lt;b&gt; &#60;",
    "two\nlines\r\nthree",
    "**bold** _em_ __strong__ ~~gone~~",
    "[text](javascript:alert(1))",
    "![image](http://x/y.png)",
    "`code` and `<b>` and `a|b`",
    "`",
    "\\",
    "$x_1$ 100 % #1 {a} ^ ~ & \\input{/etc/passwd}",
    "=1+1",
    "\x1b[31mred\x07",
    "\u202egnp.exe",
]


def _inline(text):
    """What a reader sees of a table cell, and the kinds of markup in it."""
    tokens = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .parse(f"| h | i |\n| - | - |\n| x{text}x | end |\n")
    )
    cells = [token for token in tokens if token.type == "inline"]
    assert [cell.content for cell in (*cells[:2], cells[-1])] == ["h", "i", "end"]
    assert len(cells) == 4
    children = cells[2].children
    return "".join(child.content for child in children), {child.type for child in children}


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text_and_never_obeys_it(text):
    seen, kinds = _inline(escaping.markdown(text))
    assert kinds <= {"text", "text_special", "code_inline"}
    assert seen.replace("`", "") == f"x{escaping.plain(text)}x".replace("`", "")


@given(st.text(st.sampled_from("ab1 |\\`*_<>&;#[]()!~$-=\n\x1b"), max_size=30))
def test_markdown_shows_any_text(text):
    seen, kinds = _inline(escaping.markdown(text))
    assert kinds <= {"text", "text_special", "code_inline"}
    assert " ".join(seen.replace("`", "").split()) == " ".join(f"x{escaping.plain(text)}x".replace("`", "").split())


@given(st.text(max_size=30))
def test_tex_leaves_no_special_character_and_balanced_groups(text):
    rest = escaping.tex(text)
    for known in (
        "textbackslash",
        "textasciigrave",
        "textasciitilde",
        "textasciicircum",
        "textless",
        "textgreater",
        "textbar",
        "texttt",
    ):
        rest = rest.replace(f"\\{known}{{", "{")
    for known in ("\\P{}", "\\dag{}", "\\ddag{}", "$\\uparrow$", "$\\downarrow$", "$-$"):
        rest = rest.replace(known, "")
    for mark in "{}$&#_%":
        rest = rest.replace(f"\\{mark}", "")
    assert not set("\\$&#_%^~\n") & set(rest)
    assert rest.count("{") == rest.count("}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100 % of a_b & c", r"100 \% of a\_b \& c"),
        ("-0.5 [-1, 2]", "$-$0.5 [$-$1, 2]"),
        ("random-ticket L-2", "random-ticket L-2"),
        ("[1]", "{[}1]"),
        ("* no", "{*} no"),
        ("  [9cm]", "  {[}9cm]"),
        (" *no", " {*}no"),
        ("`ticket` here", r"\texttt{ticket} here"),
        ("a--b", "a-{}-b"),
        ("3 ‡ ↑", r"3 \ddag{} $\uparrow$"),
        ("3 ¶", r"3 \P{}"),
    ],
)
def test_tex(text, expected):
    assert escaping.tex(text) == expected


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20sum"]
)
def test_a_spreadsheet_sees_no_formula(text):
    assert escaping.field(text) == f"'{text}".replace("\r", "\n")


def test_an_ordinary_field_is_itself():
    assert escaping.field("ticket-init") == "ticket-init"


@given(st.text(max_size=20))
def test_a_field_survives_csv(text):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(["a", escaping.field(text), "b"])
    (line,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert line[1].removeprefix("'") == text.removeprefix("'").replace("\r\n", "\n").replace("\r", "\n")


def test_plain_text_is_one_line_without_control():
    assert escaping.plain("a\nb\x1b[0m\u202ec") == "a b [0m c"
