"""The first screen in a real browser, on a desk and on a phone; downloads and claims: `tox -e browser`."""

import csv
import io
import json
import re

import pytest
from browsers import CONTRAST
from pages import write_site
from PIL import Image

from bench.report.claims.definitions import find, load_claims
from bench.report.claims.verdicts import judge

pytestmark = pytest.mark.browser

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05, "one-shot": 0.0}
FORMULAS = ("=1+1", "-1+cmd", "@sum", "+cmd|x", "\uff1d1+1")
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def index(study, tmp_path_factory):
    """Twenty-four tasks of four domains, and one with names that spreadsheets would obey."""
    names = [f"{domain}/task-{n}" for domain in ("vision", "rl", "nlp", "teacher") for n in range(6)]
    (claim,) = find("F1-4", scale="small")
    seeds = dict.fromkeys(names, 5) | dict.fromkeys(claim.tasks, claim.seeds)
    records = [
        record
        for name, count in seeds.items()
        for record in study(EFFECTS, levels=(1, 4, 7, 12), seeds=count, name=name, noise=0.004)
    ]
    records += study(dict.fromkeys(FORMULAS, 0.0), levels=(1,), name="vision/lenet-mnist")
    return write_site(tmp_path_factory.mktemp("first") / "index.html", {"some": records}, judge(load_claims(), records))


@pytest.fixture
def visit(chromium, index):
    contexts = []

    def opened(anchor="", *, screen=DESK, scheme="light", script=True):
        contexts.append(chromium.new_context(viewport=screen, color_scheme=scheme, java_script_enabled=script))
        page = contexts[-1].new_page()
        page.goto(f"{index.as_uri()}{anchor and f'#{anchor}'}")
        page.wait_for_load_state()
        return page

    yield opened
    for context in contexts:
        context.close()


def boxes(page, selector):
    return [each.bounding_box() for each in page.locator(selector).all()]


def inside(box, screen):
    return (
        box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= screen["width"]
        and box["y"] + box["height"] <= screen["height"]
    )


@pytest.mark.parametrize("script", [True, False])
def test_a_desk_shows_the_sentences_and_both_pictures_without_scrolling(visit, script):
    page = visit(script=script)
    sentences, panels, prices = (
        boxes(page, f"#overview {each}") for each in (".summary dd", ".panel svg", ".prices svg")
    )
    assert [len(each) for each in (sentences, panels, prices)] == [3, 4, 1]
    assert all(inside(box, DESK) for box in (*sentences, *panels, *prices))


@pytest.mark.parametrize("script", [True, False])
def test_a_phone_shows_the_sentences_and_where_the_first_picture_starts(visit, script):
    page = visit(script=script, screen=PHONE)
    assert all(inside(box, PHONE) for box in boxes(page, "#overview .summary dd"))
    first = boxes(page, "#overview .panel svg")[0]
    assert first["y"] + 60 < PHONE["height"]
    assert first["x"] >= 0
    assert first["x"] + first["width"] <= PHONE["width"], "one panel whole, the next ones behind it"
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("screen", [DESK, PHONE])
@pytest.mark.parametrize("anchor", ["", "tasks"])
def test_text_of_pictures_can_be_read(visit, screen, anchor):
    page = visit(anchor, screen=screen)
    sizes = page.evaluate("""[...document.querySelectorAll('.page.on .plot text')].map(each => {
        const plot = each.ownerSVGElement; return parseFloat(getComputedStyle(each).fontSize) * plot.getBoundingClientRect().width / plot.viewBox.baseVal.width; })""")
    assert len(sizes) > 20
    assert min(sizes) >= 11


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("script", [True, False])
def test_text_stands_out_from_its_ground_in_pictures_too(visit, scheme, script):
    page = visit(scheme=scheme, script=script)
    assert page.evaluate(CONTRAST) == []
    assert page.locator("#overview .plot text").count() > 20


def test_the_tasks_of_the_first_screen_are_few_and_lead_to_all(visit):
    page = visit()
    assert {text.split("/")[0] for text in page.locator("#overview .panel a").all_text_contents()} == {
        "vision",
        "rl",
        "nlp",
        "teacher",
    }
    page.click("#overview a[href='#curves']")
    page.wait_for_selector("#tasks.on")
    assert page.locator("#tasks .panel").count() == 25
    assert page.locator("#curves").bounding_box()["y"] < DESK["height"]


@pytest.mark.parametrize("script", [True, False])
def test_a_paper_opens_into_its_claims(visit, script):
    page = visit("claims", script=script)
    paper = page.locator("details[id='paper-1803.03635']")
    squares = paper.locator(".square")
    assert squares.count() == paper.locator("tbody tr").count() > 10
    assert paper.locator("table").is_hidden()
    paper.locator("summary").click()
    assert paper.locator("table").is_visible()
    assert paper.locator("a[href='https://arxiv.org/abs/1803.03635']").is_visible()
    assert re.search(r"0\.\d+ \[-?0\.\d+, 0\.\d+\]", paper.locator("tbody").inner_text())


def save(page, button):
    with page.expect_download() as waiting:
        button.click()
    return waiting.value


@pytest.mark.parametrize(("anchor", "key"), [("", "methods"), ("tickets", "tickets"), ("claims", "claims-1803.03635"), ("tasks", "tasks"), ("about", "glossary"), ("task-vision-task-0-small-v1", "numbers"), ("task-vision-task-0-small-v1", "layers")])  # fmt: skip
def test_a_table_can_be_taken_along_as_csv_and_json(visit, anchor, key):
    page = visit(anchor)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    table = page.locator(f"table[data-key='{key}']:visible")
    kinds = ["n" in (head.get_attribute("class") or "").split() for head in table.locator("thead th").all()]
    shown = [
        [" ".join(cell.split()) for cell in row.locator("> *").all_text_contents()] for row in table.locator("tr").all()
    ]
    buttons = page.locator(f".wide:has(table[data-key='{key}']):visible + .downloads button")
    assert buttons.all_text_contents() == ["CSV", "JSON"]
    taken = save(page, buttons.first)
    assert taken.suggested_filename.endswith(f"{key}.csv")
    (head, *found) = csv.reader(io.StringIO(taken.path().read_text(encoding="utf-8")))
    rows = json.loads(save(page, buttons.last).path().read_text(encoding="utf-8"))
    assert [list(row) for row in rows] == [head] * (len(shown) - 1) == [head] * len(found)
    for line, row, cells in zip(found, rows, shown[1:], strict=True):
        assert [_value(text, like) for text, like in zip(line, row.values(), strict=True)] == list(row.values())
        for name, is_number, cell in zip(shown[0], kinds, cells, strict=True):
            short = name.removesuffix(" [low, high]")
            parts = [row.get(each) for each in (short, f"{short} low", f"{short} high", f"{short} note")]
            assert parts == (_read(cell) if is_number else [cell, None, None, None])


def _value(text, like):
    """A field of a CSV file, where JSON has a value like that."""
    return None if like is None and not text else text.removeprefix("'") if isinstance(like, str) else float(text)


def _read(cell):
    """Value, low, high and the rest of a cell of numbers."""
    found = re.fullmatch(r"([+-]?[\d.,]+(?:e-\d+)?)(?: \[(\S+), (\S+)\])?(?: (.+))?", cell)
    if not found:
        return [None, None, None, cell or None]
    *numbers, note = found.groups()
    return [*(float(each.replace(",", "")) if each else None for each in numbers), note]


def test_what_is_filtered_out_is_not_taken_along(visit):
    page = visit("tickets?method=ticket")
    taken = save(page, page.locator("#tickets .downloads button").first)
    rows = list(csv.DictReader(io.StringIO(taken.path().read_text(encoding="utf-8"))))
    assert {row["method"] for row in rows} == {"ticket"}
    assert len(rows) == 25


def test_records_are_taken_along_with_their_arm(visit):
    page = visit("task-vision-task-0-small-v1")
    page.click(".page.on .unfold")
    button = page.locator(".page.on .wide:has(table[data-key=records]) + .downloads button").first
    rows = list(csv.DictReader(io.StringIO(save(page, button).path().read_text(encoding="utf-8"))))
    assert len(rows) == 5 * (1 + 5 * 4)
    assert rows[0]["group"].startswith("dense, level 0")
    assert {row["seed"] for row in rows} == set("01234")


def test_a_name_is_no_formula_and_a_number_is_no_text(visit):
    page = visit("task-vision-lenet-mnist-small-v1")
    button = page.locator(".page.on .wide:has(table[data-key=numbers]) + .downloads button").first
    rows = list(csv.DictReader(io.StringIO(save(page, button).path().read_text(encoding="utf-8"))))
    names = {row["method"].split(" (")[0] for row in rows}
    assert {f"'{name}" for name in FORMULAS} <= names
    assert not {name for name in names if name[0] in "=+-@"}
    assert all(re.fullmatch(r"[\d.]+", row[name]) for row in rows for name in ("mean", "mean low", "search cost"))
    assert any(float(row["vs dense low"] or 0) < float(row["vs dense"] or 0) < 0 for row in rows)
    assert max(float(row["search cost"]) for row in rows) > 1_000, "without the comma of the page"


def test_a_square_opens_its_claim(visit):
    page = visit("claims")
    square = page.locator(".square[title^='F1-4:']")
    line = page.locator("#claim-F1-4")
    assert line.is_hidden()
    square.click()
    page.wait_for_selector("#claim-F1-4.here")
    assert line.is_visible()
    assert page.locator("details[open]").count() == 1
    assert visit("claim-F1-4").locator("#claim-F1-4").is_visible()
    still = visit("claims", script=False)
    still.locator(".square[title^='F1-4:']").click()
    assert still.locator("#claim-F1-4").is_visible()


def test_claims_are_filtered_by_verdict_and_squares_and_counts_follow(visit):
    page = visit("claims")
    options = page.locator("select[name=verdict] option").all_text_contents()
    assert {"all", "holds", "not run"} <= set(options)
    paper = page.locator("details[id='paper-1803.03635']")
    everything = paper.locator(".square").count()
    page.select_option("select[name=verdict]", "holds")
    left = paper.locator(".square:visible").count()
    assert 0 < left < everything
    assert set(paper.locator(".square:visible").all_text_contents()) == {"✓"}
    assert paper.locator("summary small").inner_text() == f"{left} of {everything} claims"
    assert "?verdict=holds" in page.url
    paper.locator(".square:visible").first.click()
    page.wait_for_selector("tr.here")
    assert page.input_value("select[name=verdict]") == "holds", "a square keeps what is filtered"
    page.click("button[type=reset]")
    page.wait_for_timeout(200)
    assert paper.locator(".square:visible").count() == everything
    assert "holds" in paper.locator("summary small").inner_text()


def test_only_what_has_records_is_offered_and_nothing_left_is_said(visit):
    page = visit("tickets")
    offered = set(page.locator("select[name=task] option").all_text_contents())
    assert len(offered) == 1 + 25, "and all; claims are about tasks that nobody ran, too"
    page.select_option("select[name=domain]", "rl")
    page.select_option("select[name=task]", "vision/lenet-mnist")
    assert re.fullmatch(r"0 of \d+ rows: nothing here fits these filters", page.locator("output").inner_text())


def test_a_chart_says_what_is_drawn_of_dense_and_how_to_colour_a_method(visit):
    page = visit("task-vision-task-0-small-v1")
    page.wait_for_selector(".page.on .legend button")
    rest = page.locator(".page.on .legend li:not(:has(button))").all_text_contents()
    assert rest[:3] == ["dense", "its 95 % interval", "dense less the tolerance"]
    assert rest[3].startswith("Press a method to colour it")


@pytest.mark.parametrize("script", [True, False])
def test_a_table_that_is_cut_has_a_shadow_where_it_goes_on(visit, script):
    """Pixels at the right end of a row: darker than the ground where more is behind it, the ground itself at the end."""
    page = visit("tickets", screen=PHONE, script=script)
    box = page.locator(".wide:has(table[data-key=tickets])")
    box.scroll_into_view_if_needed()
    before, ground = _right_end(box), 255
    box.evaluate("each => { each.scrollLeft = each.scrollWidth; }")
    assert before < ground - 20
    assert _right_end(box) > ground - 5


def _right_end(box):
    """The brightness next to the right border, beside the caption, where no text is."""
    shot = Image.open(io.BytesIO(box.screenshot())).convert("L")
    return shot.getpixel((shot.width - 4, 16))
