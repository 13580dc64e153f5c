"""The page in a real browser: `tox -e browser`, which needs Debian's chromium; the ordinary run leaves these tests out."""

import re

import pytest
from browsers import CONTRAST
from nodes import build_layer, with_nodes
from pages import measurement, write_site

from bench.report.claims.definitions import load_claims
from bench.report.claims.verdicts import judge
from bench.report.site.sections.measured import Measured
from bench.spec import Pruning

pytestmark = pytest.mark.browser

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05, "one-shot": 0.0}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;`=\u202egpj.exe"
EARLY = {"at": ("final", "early-stop"), "select": "loss", "pruning": Pruning(rate=0.2)}
LENET = "task-vision-lenet-mnist-small-v1"
NODES = "task-nlp-some-small-v1"
PRUNED = {"fanout_final": [2.0, 1.0, 0.0], "correlation_final": [0.96, 0.5, 0.0], "kept_in": [3, 3, 0]}
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));
"""


@pytest.fixture(scope="module")
def index(study, tmp_path_factory):
    """A page of three domains, one task in two versions."""
    levels = (1, 2, 4, 7, 9, 12, 15)
    records = [
        *study(EFFECTS, levels=levels, seeds=5, name="vision/lenet-mnist", **EARLY),
        *study(EFFECTS, levels=levels, seeds=5, name="vision/lenet-mnist", version=2, **EARLY),
        *study(EFFECTS, levels=(2, 4), seeds=3, name="rl/cartpole-a2c"),
        *with_nodes(
            study({**EFFECTS, "snip": -0.04}, levels=(1, 3), seeds=2, name="nlp/some"),
            lambda: build_layer(students=PRUNED),
        ),
    ]
    folder = tmp_path_factory.mktemp("page")
    return write_site(folder / "index.html", {"some": records}, judge(load_claims(), records), records_url="records")


@pytest.fixture
def visit(chromium, index):
    """Open the page; afterwards nothing may have left it, and nothing may have been complained about."""
    contexts, trouble = [], []

    def opened(anchor="", *, path=index, script=True, width=1280, scheme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(WATCH)
        page.on("console", lambda message: trouble.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request", lambda each: each.url.split("#")[0] == path.as_uri() or trouble.append(f"request: {each.url}")
        )
        page.goto(f"{path.as_uri()}{anchor and f'#{anchor}'}")
        page.wait_for_load_state()
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            if page.evaluate("typeof window.violations") == "object":
                trouble.extend(page.evaluate("window.violations"))
        context.close()
    assert trouble == []


def until(page, expression):
    """Playwright's own way of waiting evaluates text inside the page, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def column(page, table, place):
    cells = page.locator(f"table[data-key='{table}']:visible tbody tr:visible > :nth-child({place})")
    return [text.strip() for text in cells.all_text_contents()]


def number(text):
    found = re.match(r"[+-]?[\d,.]+", text)
    return (0, float(found[0].replace(",", ""))) if found else (1, 0.0)


def shown(page):
    return page.evaluate(
        "[...document.querySelectorAll('.page')].filter(each => each.checkVisibility()).map(each => each.id)"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("anchor", ["", "tickets", "claims", "tasks", "about", LENET, NODES, f"{LENET}.ticket-L12"])
def test_every_view_is_quiet_readable_and_no_wider_than_the_screen(visit, anchor, width, scheme):
    page = visit(anchor, width=width, scheme=scheme)
    assert shown(page) == [anchor.split(".")[0] or "overview"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("anchor", ["overview", "tickets", "claims", LENET])
def test_a_link_to_a_view_opens_it_with_the_navigation_in_sight(visit, anchor):
    page = visit(anchor)
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == 0, "the browser itself would go to the heading"


@pytest.mark.parametrize(("anchor", "table"), [("", "methods"), ("tickets", "tickets"), (LENET, "numbers")])
def test_the_first_column_keeps_its_heading_when_a_table_is_scrolled(visit, anchor, table):
    page = visit(anchor, width=390)
    head = page.locator(f"table[data-key={table}]:visible thead th").first
    before = head.bounding_box()["x"]
    assert (
        head.evaluate("each => { const box = each.closest('.wide'); box.scrollLeft = 300; return box.scrollLeft; }")
        > 100
    )
    assert head.bounding_box()["x"] == before
    head.scroll_into_view_if_needed()
    assert head.evaluate(
        "each => { const at = each.getBoundingClientRect(); return each.contains(document.elementFromPoint(at.x + 12, at.y + at.height / 2)); }"
    )


def test_a_task_is_drawn(visit):
    page = visit(f"{LENET.replace('v1', 'v2')}")
    until(page, "document.querySelectorAll('.page.on .chart svg').length >= 2")
    assert page.locator(".legend button").all_text_contents() == list(EFFECTS)[1:]
    marks = page.locator(".page.on .chart").first.locator("svg .mark-symbol path")
    points = 5 * 7 + 4 * 5 * 7 + 5
    assert marks.count() == points, "a point per arm; and per seed of dense and of the few in colour"
    shuffled = page.locator(".legend button", has_text="shuffled")
    assert shuffled.get_attribute("aria-pressed") == "false"
    grey = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--rest')")
    assert page.locator(f".page.on .chart >> nth=0 >> svg .mark-line path[stroke='{grey}']").count() == 1
    shuffled.press("Enter")
    until(
        page,
        f"document.querySelector('.page.on .chart').querySelectorAll('svg .mark-symbol path').length === {points + 5 * 7}",
    )
    assert page.locator(f".page.on .chart >> nth=0 >> svg .mark-line path[stroke='{grey}']").count() == 0
    assert page.locator(".legend button", has_text="shuffled").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nodes_are_drawn(visit, scheme):
    page = visit(NODES, scheme=scheme)
    panels = 6 + 1 + 2 + 6
    until(page, f"document.querySelectorAll('.page.on .nodes .chart svg').length === {panels}")
    assert page.locator(".nodes h3").all_text_contents() == [
        "What student nodes follow",
        "Which teacher nodes are recovered",
        "How nodes are found over training",
        "How the best students began",
    ]
    titles = page.locator(".nodes figcaption").all_text_contents()
    assert titles[:2] == ["dense: 4 kept, 2 pruned", "ticket L3: 4 kept, 2 pruned"]
    kept = page.locator(".nodes .chart").nth(1).locator("svg .mark-symbol path")
    assert kept.count() == 1 + 2, "a mark for the pruned nodes, which lie together, and one for each of the others"
    bars = page.locator(".nodes .chart").last.locator("svg .mark-rect path")
    assert bars.count() == 10
    legend = page.locator(".nodes .chart").nth(6).locator("svg .role-legend-label text").all_text_contents()
    assert legend == [title.partition(":")[0] for title in titles[:6]]


def test_nodes_of_which_nothing_is_known_are_drawn_quietly(visit, record, tmp_path):
    """A teacher whose nodes are all dead, and a student that correlates with none and leads nowhere."""
    dead = {"dead": [True] * 3, "initial_rank": [None] * 3, "correlation_early": None}
    layer = build_layer(dead, {"fanout_final": [0.0], "correlation_final": [-1.0]})
    path = write_site(tmp_path / "index.html", {"some": [record("dense", 0, 0, 0.9, nodes=[layer])]}, [])
    page = visit("task-vision-toy-small-v1", path=path)
    until(page, "document.querySelectorAll('.page.on .nodes .chart svg').length === 5")


def test_a_point_leads_to_its_records(visit):
    page = visit(LENET)
    page.wait_for_selector(".page.on .chart svg .mark-symbol path", state="attached")
    point = page.locator(".page.on .chart").first.locator("svg .mark-symbol").last.locator("path").last
    point.click(force=True)
    page.wait_for_selector("tbody.here")
    assert page.locator("tbody.here").get_attribute("id") in page.url


def test_a_point_tells_its_numbers(visit):
    page = visit(LENET)
    page.wait_for_selector(".page.on .chart svg .mark-symbol path", state="attached")
    page.locator(".page.on .chart").first.locator("svg .mark-symbol").last.locator("path").last.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "search cost" in page.locator("#vg-tooltip-element").inner_text()


def test_sorting_is_stable_and_comes_back_to_what_was_written(visit):
    page = visit("tickets")
    written = list(zip(*(column(page, "tickets", place) for place in range(1, 8)), strict=True))

    def press(name):
        page.locator("table[data-key=tickets] thead button", has_text=name).click()
        return list(zip(*(column(page, "tickets", place) for place in range(1, 8)), strict=True))

    by_density = press("density")
    assert by_density == sorted(written, key=lambda row: number(row[3]))
    assert page.locator("table[data-key=tickets] th[aria-sort]").get_attribute("aria-sort") == "ascending"
    assert press("method") == sorted(by_density, key=lambda row: row[1]), "the order before is kept among equals"
    assert press("method") == sorted(by_density, key=lambda row: row[1], reverse=True), "also backwards"
    assert [row[1] for row in press("method")] == [row[1] for row in by_density], "a third time: as before"
    assert press("density") == sorted(written, key=lambda row: (number(row[3])[0], -number(row[3])[1])), (
        "nothing stays last"
    )
    assert press("density") == written


def test_an_order_is_part_of_the_link(visit):
    page = visit("tickets")
    for name in ("density", "method"):
        page.locator("table[data-key=tickets] thead button", has_text=name).click()
    again = visit(page.url.partition("#")[2])
    assert column(again, "tickets", 1) == column(page, "tickets", 1)
    assert again.url == page.url
    assert "sort.tickets=2,4" in page.url


def test_filters_narrow_tables_and_are_part_of_the_link(visit):
    page = visit("tickets")
    page.select_option("select[name=domain]", "vision")
    assert {text.partition("/")[0] for text in column(page, "tickets", 1)} == {"vision"}
    page.select_option("select[name=method]", "ticket")
    assert set(column(page, "tickets", 2)) == {"ticket"}
    page.fill("input[name=density]", "0.001")
    assert column(page, "tickets", 1) == []
    page.fill("input[name=density]", "10")
    assert column(page, "tickets", 1)
    assert re.fullmatch(r"\d+ of \d+ rows", page.locator("output").inner_text())
    assert page.url.endswith("#tickets?domain=vision&method=ticket&density=10")
    again = visit(page.url.partition("#")[2])
    assert column(again, "tickets", 1) == column(page, "tickets", 1)
    assert again.input_value("select[name=method]") == "ticket"
    page.click("nav >> text=Claims")
    page.wait_for_selector("#claims.on")
    papers = page.locator("details:visible")
    assert 0 < papers.count() < page.locator("details").count(), "the other board keeps the filter"
    papers.first.locator("summary").click()
    key = papers.first.locator("table").get_attribute("data-key")
    assert all("vision/" in text for text in column(page, key, 11))
    page.click("button[type=reset]")
    until(page, "document.querySelector('output').textContent === ''")
    assert papers.count() == page.locator("details").count()


def test_density_narrows_a_task(visit):
    page = visit(f"{LENET}?density=10&method=reinit")
    assert set(column(page, "numbers", 1)) == {"reinit"}
    assert [number(text)[1] for text in column(page, "numbers", 3)] == [6.9, 3.5]


def test_a_number_leads_to_its_records_and_back(visit):
    page = visit("tickets")
    page.locator("table[data-key=tickets] tbody td.n a").first.click()
    here = page.locator("tbody.here")
    here.wait_for()
    assert here.get_attribute("id") == page.url.partition("#")[2] == "task-rl-cartpole-a2c-small-v1.one-shot-L4"
    assert here.locator("tr").count() == 1 + 3
    assert page.evaluate("document.querySelector('tbody.here').getBoundingClientRect().top") < 900
    assert page.evaluate("document.activeElement.matches('tbody.here')")
    page.go_back()
    until(page, "document.querySelector('#tickets').matches('.on')")


def test_a_link_to_a_record_opens_it(visit, index):
    anchor = re.search(r'<tr id="(u-[0-9a-f]{12})">', index.read_text())[1]
    page = visit(anchor)
    assert page.locator("tr.here").get_attribute("id") == anchor
    assert page.locator("tr.here").is_visible()


@pytest.mark.parametrize("anchor", ["nothing", "%E0%A4%A", "u-000000000000", "?sort.tickets=99,x,-0", '"><script>'])
def test_a_broken_link_shows_the_first_board(visit, anchor):
    assert shown(visit(anchor)) == ["overview"]


def test_without_javascript_everything_is_there(visit):
    page = visit(script=False)
    assert page.locator(".filters").is_hidden()
    assert page.locator("thead button").count() == 0
    assert page.locator(".page").count() == page.locator(".page:visible").count() == 5 + 4
    assert page.locator(".downloads").count() == 0
    scripted = visit()
    for table in ("tickets", "methods", "claims-1803.03635", "tasks", "glossary"):
        rows = f"table[data-key='{table}'] tbody tr"
        assert page.locator(rows).count() == scripted.locator(rows).count() > 0
    assert page.locator("table[data-key=records] tbody tr[id]").count() == 2 * 5 * (1 + 5 * 7) + 3 * 11 + 2 * 13
    page.locator("table[data-key=tickets] tbody td.n a").first.click()
    assert page.url.endswith("#task-rl-cartpole-a2c-small-v1.one-shot-L4")
    assert page.evaluate(CONTRAST) == []


def test_the_keyboard_gets_everywhere_in_order(visit):
    page = visit("tickets")

    def where():
        return page.evaluate("(each => each.name || each.textContent.trim())(document.activeElement)")

    page.locator(".skip").focus()
    order = [where()]
    for _ in range(10):
        page.keyboard.press("Tab")
        order.append(where())
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or order[-1].startswith(
            "Skip"
        )
    boards = ["Overview", "Tickets", "Claims", "Tasks", "About"]
    assert order == ["Skip to the tables", *boards, "domain", "task", "method", "density", "Clear"]
    page.keyboard.press("Tab")  # the table, which scrolls
    page.keyboard.press("Tab")
    assert where() == "task"
    page.keyboard.press("Enter")
    assert column(page, "tickets", 1) == sorted(column(page, "tickets", 1))
    assert where() == "task", "the focus stays"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert where() == "Clear"


def test_the_skip_link_leads_to_the_tables(visit):
    page = visit("claims")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "MAIN"
    assert shown(page) == ["claims"]


def test_a_line_takes_one_stop_of_the_keyboard(visit):
    page = visit(LENET)
    line = page.locator("table[data-key=numbers] tbody tr").nth(3)
    assert line.locator("a").count() > 5
    assert line.locator("a:not([tabindex])").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_not_installed_or_set_aside_is_readable_and_filtered(
    visit, study, task, install, tmp_path, width, scheme
):
    install(task())
    records = [*study(EFFECTS), *study(EFFECTS, version=99), *study({"unheard-of": 0.1})]
    measured = Measured(
        believed={records[0]["unit_id"]: measurement(records[0])}, aside=("some.jsonl, line 2: forged",)
    )
    path = write_site(tmp_path / "index.html", {"some": records}, [], measured=measured, records_url="records")
    page = visit("tickets", path=path, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CONTRAST) == []
    assert "some.jsonl, line 2: forged" in page.locator("#tickets").inner_text()
    page.select_option("select[name=method]", "unheard-of (version 1) ‖")
    assert column(page, "tickets", 2) == []
    assert column(page, "strangers", 2) == ["unheard-of (version 1) ‖"]
    page = visit("task-vision-toy-small-v99", path=path, width=width, scheme=scheme)
    assert page.locator(".warning:visible").count() == 1
    assert page.evaluate(CONTRAST) == []


def test_hostile_names_are_shown_and_do_nothing(visit, record, task, tmp_path):
    names = (HOSTILE, "x" * 10_000, "\u05e9\u05dc\u05d5\u05dd")
    records = [
        record(method, level, seed, 0.9 + seed / 1000, task=task(name=f"vision/{name}", metric=name, directions={name: "max", "loss": "min"}, source=name, deviations=(name,)))
        for name in names
        for method, level in (("dense", 0), (HOSTILE, 1), ("y" * 10_000, 2), ("datum.x", 3), ("random-ticket", 1))
        for seed in range(3)
    ]  # fmt: skip
    path = write_site(tmp_path / "index.html", {HOSTILE: records}, [], records_url="records")
    page = visit(path=path)
    anchors = page.evaluate("[...document.querySelectorAll('.page')].map(each => each.id)")
    assert len(anchors) == 5 + len(names)
    for anchor in anchors[5:]:
        page = visit(anchor, path=path)
        page.wait_for_selector(".page.on .chart svg")
        assert page.evaluate("document.documentElement.scrollWidth") == 1280
        page.click(".unfold")
        assert page.locator("img").count() == 0
        assert any(text.startswith("</script><script>alert(1)") for text in column(page, "numbers", 1))
        page.locator(".page.on .chart").first.locator("svg .mark-symbol").last.locator("path").first.hover(force=True)
        page.wait_for_selector("#vg-tooltip-element.visible")
    page = visit("tickets", path=path)
    method = next(text for text in column(page, "strangers", 2) if text.startswith("</script>"))
    page.select_option("select[name=method]", method)
    assert set(column(page, "strangers", 2)) == {method}
    assert column(visit(page.url.partition("#")[2], path=path), "strangers", 2) == column(page, "strangers", 2)
