"""The page as text: escaped, linked, the same for any order of records, and allowed to run only its own scripts."""

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest
from pages import Reader, site, write_site

from bench import registry
from bench.report.claims.definitions import find, load_claims
from bench.report.claims.verdicts import ClaimVerdict, judge
from bench.report.publish import publish
from bench.report.site.anchors import pages
from bench.report.site.overview.ranking import rank
from bench.report.site.scripts import PARTS, policy, scripts, vendor
from bench.report.site.sections.charts import FEW, chart, styles
from bench.report.site.sections.claims import KINDS, claim_lines, tally
from bench.report.site.sections.densities import families
from bench.report.site.sections.glossary import ARXIV
from bench.report.site.sections.standings import standings
from bench.tickets.methods import METHODS

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}
HOSTILE = "</script><script>alert(1)</script>\"'&lt;`=\u202egpj.exe"


@pytest.fixture
def records(study):
    return study(EFFECTS, levels=(1, 3), seeds=4)


def read(records, **more):
    return Reader(site({"some": records}, judge(load_claims(), records), **more))


def test_every_link_leads_somewhere_and_no_anchor_is_twice(records, study):
    other = study(EFFECTS, levels=(2,), seeds=3, name="rl/toy", version=2)
    older = study(EFFECTS, levels=(2,), seeds=3, name="rl/toy")
    found = read([*records, *other, *older], records_url="records")
    assert len(found.ids) == len(set(found.ids))
    assert {each[1:] for each in found.links if each.startswith("#")} <= set(found.ids)
    assert found.outside == {"records/some.jsonl"}


def test_every_number_of_a_task_leads_to_its_records(records):
    text = site({"some": records}, [])
    body = text[text.index('data-key="numbers"') :]
    body = body[: body.index("</table>")]
    numbers = [each for each in re.findall(r"<td class=n>([^\n]*?)(?=<t|\n)", body) if each]
    assert numbers
    assert all(
        re.fullmatch(r'<a href="#task-vision-toy-small-v1\.[\w-]+"( tabindex=-1)?>[^<]+</a>', each) for each in numbers
    )
    for record in records:
        assert f'<tr id="u-{record["unit_id"][:12]}">' in text


def test_a_record_shows_what_identifies_it(records):
    rows = read(records).told
    for record in records:
        (line,) = [row for row in rows if record["unit_id"][:12] in row]
        assert line[0] == str(record["spec"]["seed"])
        for name in ("result", "curve", "mask", "weights"):
            assert record["digests"][name][:12] in line
    config = json.dumps(records[0]["spec"]["task"]["config"], indent=1)[2:-2].strip()
    assert config in html.unescape(site({"some": records}, []))


def test_a_parent_is_linked_where_its_record_is_on_the_page(records):
    known, unknown = records[0]["unit_id"], "f" * 64
    records[-1]["spec"]["parents"] = {"dense": known, "previous": unknown}
    text = site({"some": records}, [])
    assert f'<td><a href="#u-{known[:12]}">dense {known[:12]}</a>, previous {unknown[:12]}<td>' in text


def test_versions_of_a_protocol_stand_apart(study, task, install):
    install(task(version=2))
    old = study(EFFECTS, levels=(2,), seeds=3, tolerance=0.02)
    new = study(EFFECTS, levels=(2,), seeds=3, version=2)
    made = pages({"some": [*old, *new]})
    assert [(page.anchor, page.outdated) for page in made] == [
        ("task-vision-toy-small-v1", "superseded"),
        ("task-vision-toy-small-v2", ""),
    ]
    text = site({"some": [*old, *new]}, [])
    assert 'superseded by <a href="#task-vision-toy-small-v2">version 2</a>' in text
    assert [page.task.version for page in rank(standings(made)).ground] == [2]


def test_a_borrowed_name_moves_no_anchor_of_the_installed_task(study, task, install):
    install(task())
    honest, borrowed = study(EFFECTS), study(EFFECTS, data={"set": "0" * 64})
    (alone,), both = pages({"some": honest}), pages({"some": [*honest, *borrowed]})
    assert alone.anchor == "task-vision-toy-small-v1"
    assert {page.anchor: page.arms for page in both if page.installed} == {alone.anchor: alone.arms}
    (other,) = [page for page in both if not page.installed]
    assert re.fullmatch("task-vision-toy-small-v1-[0-9a-f]{6}", other.anchor)
    text = site({"some": [*honest, *borrowed]}, [])
    assert len(Reader(text).ids) == len(set(Reader(text).ids))


def test_a_task_of_a_higher_version_supersedes_nothing_and_counts_nowhere(study, task, install):
    """Anybody can write a record of version 99."""
    install(task())
    honest = study(EFFECTS, levels=(1, 2))
    forged = study({method: effect + 0.05 for method, effect in EFFECTS.items()}, levels=(1, 2), version=99)
    alone, both = standings(pages({"some": honest})), standings(pages({"some": [*honest, *forged]}))
    assert rank(both).methods == rank(alone).methods
    assert [(each.method, each.rank) for each in both if each.installed] == [(each.method, each.rank) for each in alone]
    assert {each.rank for each in both if not each.installed} == {None}
    found = Reader(site({"some": [*honest, *forged]}, judge(load_claims(), [*honest, *forged])))
    text = site({"some": [*honest, *forged]}, [])
    assert "superseded" not in text
    assert text.count("<p class=warning>Not installed here") == 1
    board = text[text.index('data-key="tickets"') :]
    assert "not installed here" not in board[: board.index("</table>")]
    strangers = text[text.index('data-key="strangers"') :]
    assert strangers[: strangers.index("</table>")].count("version 99, not installed here") == 4
    assert [row[3] for row in found.told if row and row[0] == "vision/toy"] == ["1", "99 (not installed here)"]


def test_a_method_that_is_not_installed_stands_apart_without_a_rank(study, record):
    """A random ticket of version 99 that scores nothing would make every arm a winner; a ticket of it, all others losers."""
    honest = study(EFFECTS, levels=(1,))
    weak, strong = (replace(METHODS[name], version=99) for name in ("random-ticket", "ticket"))
    forged = [
        record(method, level, seed, score)
        for method, level, score in ((weak, 1, 0.2), (strong, 3, 0.99))
        for seed in range(3)
    ]
    alone, both = pages({"some": honest})[0], pages({"some": [*honest, *forged]})[0]
    assert set(both.arms) > set(alone.arms)
    assert [cells for cells in both.cells if "version 99" not in cells["method"]] == list(alone.cells)
    ranked, before = standings([both]), standings([alone])
    assert [(each.method, each.best is not None, each.rank) for each in ranked if not each.installed] == [
        ("ticket (version 99) ‖", True, None),
        ("random-ticket (version 99) ‖", False, None),
    ]
    assert [(each.method, each.rank) for each in ranked if each.installed] == [
        (each.method, each.rank) for each in before
    ]
    assert rank(ranked).methods == rank(before).methods
    text = site({"some": [*honest, *forged]}, [])
    strangers = text[text.index('data-key="strangers"') :]
    assert strangers[: strangers.index("</table>")].count("<td>random-ticket (version 99)") == 1


def test_the_order_of_records_changes_no_byte(records):
    half = len(records) // 2
    one = site({"a": records[:half], "b": records[half:]}, judge(load_claims(), records))
    two = site({"b": records[half:][::-1], "a": records[:half][::-1]}, judge(load_claims(), records[::-1]))
    assert one == two


def test_seeds_that_somebody_chose_move_no_row_and_no_rank(records, record):
    """Whoever trains a hundred seeds can send the best; who goes on where others stopped cannot choose."""
    honest = pages({"some": records})[0]
    chosen = [record("reinit", 3, seed, 0.95) for seed in (17, 33, 91)]
    several = pages({"some": records, "guest": chosen})[0]
    assert (several.section.rows, several.cells, several.records) == (
        honest.section.rows,
        honest.cells,
        honest.records,
    )
    assert standings([several])[1:] == standings([replace(honest, aside=several.aside)])[1:]
    assert (honest.aside, several.aside[:32]) == ("", "3 records are set aside (guest):")
    assert several.aside in html.unescape(site({"some": records, "guest": chosen}, []))

    going_on = [record("reinit", 3, seed, 0.95) for seed in (4, 5, 7)]
    longer = pages({"some": records, "guest": going_on})[0]
    assert [arm.records.keys() for arm in longer.section.arms if arm.label == "reinit L3"] == [{*range(6)}]
    assert longer.aside.startswith("1 record is set aside (guest)")


def test_the_sparsest_matching_network_is_ranked_first(study):
    records = [
        *study({"dense": 0.0, "ticket": 0.0}, levels=(1, 2, 3), seeds=5),
        *study({"one-shot": 0.0}, levels=(1,), seeds=5),
        *study({"one-shot": -0.1}, levels=(2,), seeds=5),
        *study({"one-shot": 0.0}, levels=(3,), seeds=5)[:2],
        *study({"reinit": -0.1}, levels=(1, 2, 3), seeds=5),
    ]
    found = standings(pages({"some": records}))
    told = [(each.method, each.rank, each.best and each.best.level, each.matched, each.judged) for each in found]
    assert told == [("ticket", 1, 3, 3, 3), ("one-shot", 2, 1, 1, 2), ("reinit", None, None, 0, 3)]
    assert [each.unbroken for each in found] == [0.125, 0.5, None]


def test_without_enough_seeds_nothing_is_ranked(study):
    records = study(EFFECTS, seeds=2)
    found = standings(pages({"some": records}))
    assert {each.outcome for each in found} == {"n < 3"}
    assert rank(found).methods == ()
    assert "n &lt; 3" in site({"some": records}, [])


def test_no_network_is_ranked_by_matching_what_learned_nothing(study):
    hopeless, other = study(EFFECTS, chance=0.9, seeds=4, name="vision/a"), study(EFFECTS, seeds=4, name="vision/b")
    found = standings(pages({"some": [*hopeless, *other]}))
    told = {(each.page.task.name, each.rank, each.outcome) for each in found if each.method == "ticket"}
    assert told == {("vision/a", None, "dense at chance"), ("vision/b", 1, "none")}
    assert [each.page.task.name for each in found][-1] == "vision/a", "tasks of which nothing can be told come last"
    cells = {cell for row in Reader(site({"some": hopeless}, [])).rows for cell in row}
    assert "dense at chance" in cells
    assert not {"1 of 1", "0 of 1"} & cells


def test_what_has_no_verdict_says_why(study):
    """The sparsest ticket is beyond the levels of the random one, whose own line is judged by nobody."""
    records = [*study({"dense": 0.0, "ticket": 0.0, "random-ticket": 0.0, "reinit": -0.2}, levels=(1,), seeds=5)]
    records += study({"ticket": 0.0}, levels=(3,), seeds=5)
    found = {each.method: each.unopposed for each in standings(pages({"some": records}))}
    assert found == {
        "ticket": "no random-ticket at level 3",
        "random-ticket": "is random-ticket itself",
        "reinit": "",
    }
    assert "<td><small>no random-ticket at level 3</small><td" in site({"some": records}, [])
    (judged,) = [
        each.unopposed for each in standings(pages({"some": study(EFFECTS)})) if each.method == "ticket" and each.best
    ]
    assert judged == ""


def test_a_task_counts_once_at_however_many_scales(study):
    records = [*study(EFFECTS, scale="small"), *study(EFFECTS, scale="quick"), *study(EFFECTS, name="rl/toy")]
    assert f"{len(records)} records, 2 tasks (3 with their scales), 1 suite." in site({"some": records}, [])
    assert ", 1 task, 1 suite." in site({"some": study(EFFECTS)}, [])


def test_a_ranking_on_one_task_is_on_one_task(study):
    text = site({"some": study(EFFECTS)}, [])
    assert "Methods are compared on the 1 task on which" in text
    assert "Filled: run on the 1 task of the comparison" in text
    text = site({"some": [*study(EFFECTS), *study(EFFECTS, name="rl/toy")]}, [])
    assert "Methods are compared on the 2 tasks on which" in text
    assert "Filled: run on all 2 tasks of the comparison" in text


def test_claims_are_told_apart_by_what_their_verdict_weighs():
    """Paper's scale, a stand-in's, derived, and counts, which need no training: 39 that hold are not 39 of a kind."""
    claims = {each.id: each for each in load_claims()}
    plain = next(each for each in claims.values() if each.test == "greater" and each.scale == "paper")
    exact = next(each for each in claims.values() if each.test == "exact")
    derived = next(each for each in claims.values() if each.statement.startswith("Derived: ") and each.test != "exact")
    asked = [(plain, "paper", "holds"), (plain, "small", "holds"), (plain, "quick", "fails"), (derived, "paper", "holds"), (exact, "smoke", "holds"), (plain, None, "not run")]  # fmt: skip
    lines = claim_lines([ClaimVerdict(claim=claim, scale=scale, status=status) for claim, scale, status in asked], [])
    assert [KINDS.index(line.kind) for line in lines] == [0, 1, 1, 2, 3, 0]
    assert tally(lines) == [("holds", (1, 1, 1, 1)), ("fails", (0, 1, 0, 0)), ("not run", (1, 0, 0, 0))]


def test_a_square_leads_to_its_claim_and_the_board_counts_them_all(study):
    records = study(EFFECTS, seeds=5)
    text = site({"some": records}, judge(load_claims(), records))
    found = Reader(text)
    squares = re.findall(r'<a class="square [\w ]+" href="#(claim-[^"]+)" title="([^":]+): ', text)
    assert len(squares) == len({each.id for each in load_claims()})
    for anchor, name in squares:
        assert anchor == f"claim-{name}"
        assert found.ids.count(anchor) == 1
    board = text[text.index("data-key=tally") :]
    together = re.findall(r"</span><td class=n>(\d+)", board[: board.index("</table>")])
    assert sum(map(int, together)) == len(squares)
    assert "<th scope=col>holds if<th" in text
    assert "<th scope=col>claimed<" not in text


def test_claims_come_with_verdicts_numbers_and_their_records(study):
    (claim,) = find("F1-4", scale="small")
    records = study(EFFECTS, levels=claim.levels, seeds=claim.seeds, name=claim.tasks[0], at=("final",))
    found = read(records)
    board = [row for row in found.told if row and row[0].startswith("F1-4 ")]
    assert {row[1] for row in board} == {"✓ holds"}
    assert len(board) == 2, "on the board, and at the task"
    assert all(re.match(r"0\.\d+ \[0\.\d+, 0\.\d+\] from ticket L7, reinit L7$", row[3]) for row in board)
    assert len({row[0] for row in found.told if row and row[0].startswith("F1-")}) == len(
        {each.id for each in load_claims() if each.id.startswith("F1-")}
    )


def test_a_claim_across_two_tasks_is_shown_at_both_with_the_records_of_each_side(study):
    (claim,) = find("R-6", scale="small")
    (here,) = claim.tasks
    there = claim.comparator_task
    records = [r for name in (here, there) for r in study(EFFECTS, levels=claim.levels, seeds=claim.seeds, name=name)]
    found = read(records)
    board = [row for row in found.told if row and row[0].startswith("R-6 ")]
    assert len(board) == 3, "on the board, and at both tasks"
    assert all(row[3].endswith("from dense L0, ticket L3, ticket L8, ticket L12") for row in board)
    assert all(f"{here}, {there}" in row for row in board)


def test_what_is_not_installed_is_evidence_of_no_claim(study, task, install):
    (claim,) = find("F1-4", scale="small")
    install(task(name=claim.tasks[0]))
    honest, forged = (
        study(EFFECTS, levels=claim.levels, seeds=claim.seeds, name=claim.tasks[0], version=version)
        for version in (1, 99)
    )
    text = site({"some": [*honest, *forged]}, judge(load_claims(), [*honest, *forged]))
    assert 'from <a href="#task-vision-lenet-mnist-small-v1.' in text
    assert 'from <a href="#task-vision-lenet-mnist-small-v99' not in text
    assert text.count('data-key="task-claims"') == 1


def test_methods_that_prune_alike_share_their_layers(records, study):
    arms = pages({"some": records})[0].section.arms
    assert [methods for methods, _ in families(arms)] == [list(EFFECTS)[1:]]
    _, by_level = families(arms)[0]
    assert by_level[1] == {"all hidden": 0.5, "all head": 0.5, "fc1.weight": 0.5, "fc2.weight": 0.5}


def drawn(records):
    made = pages({"some": records})
    return chart(made[0], styles(made))


def test_the_chart_has_every_seed_and_interval(records):
    told = drawn(records)
    assert [each["name"] for each in told["methods"]] == list(EFFECTS)[1:]
    assert len(told["arms"]) == 8
    for arm in told["arms"]:
        assert arm[4] < arm[3] < arm[5]
        assert [seed for seed, _ in arm[-1]] == [0, 1, 2, 3]


@pytest.mark.parametrize("changes", [{"version": 2}, {"weights": "fresh"}], ids=str)
def test_no_number_of_an_installed_method_is_a_strangers_of_the_same_name(records, record, changes):
    dense, ticket = (replace(METHODS[name], **changes) for name in ("dense", "ticket"))
    sparser = record("ticket", 5, 0, 0.1)["counts"]
    forged = [record(dense, 0, seed, 0.2) for seed in range(4)]
    forged += [record(ticket, level, seed, 0.3, counts=sparser) for level in (1, 3, 4) for seed in range(4)]
    honest = pages({"some": records})[0].section.arms
    mixed = pages({"some": [*records, *forged]})[0].section.arms
    assert families(mixed)[: len(families(honest))] == families(honest)
    ((names, by_level),) = families(mixed)[len(families(honest)) :]
    assert names == [f"ticket (version {ticket.version}) ‖"]
    assert by_level[4]["fc1.weight"] == 0.03125
    told, alone = drawn([*records, *forged]), drawn(records)
    assert told["dense"][:5] == alone["dense"][:5]
    assert drawn([*records[4:], *forged])["dense"] is None, "nobody's opponent"


def test_no_two_methods_are_drawn_alike(study):
    told = drawn(study(dict.fromkeys(METHODS, 0.0), seeds=2))
    assert len(told["methods"]) == len(METHODS) - 1
    assert len({(each["colour"], tuple(each["dash"])) for each in told["methods"]}) == len(METHODS) - 1


def test_any_number_of_methods_of_one_family_is_drawn(study, monkeypatch):
    """Twelve methods from outside are drawn, told apart, ranked, and stand beside the built-in ones."""
    outside = {f"reinit-{place}": replace(METHODS["reinit"], name=f"reinit-{place}") for place in range(12)}
    monkeypatch.setattr(registry, "methods", lambda: {**METHODS, **outside})
    records = study({**EFFECTS, **dict.fromkeys(outside, -0.01)}, seeds=3)
    told = drawn(records)
    assert {each["name"] for each in told["methods"]} == {*list(EFFECTS)[1:], *outside}
    assert len({(each["colour"], tuple(each["dash"])) for each in told["methods"]}) == len(told["methods"])
    coloured = {each["name"] for each in told["methods"] if each["few"]}
    assert coloured == {*FEW, "reinit-0", "reinit-1", "reinit-10", "reinit-11"} & {*EFFECTS, *outside}, (
        "what is brought is looked for"
    )
    text = site({"some": records}, judge(load_claims(), records))
    assert 'data-key="strangers"' not in text
    for name in outside:
        assert len({row[2] for row in Reader(text).told if row[:2] == ["vision/toy@small", name]}) == 1


def test_the_same_method_is_drawn_alike_on_every_page(study):
    records = [*study(EFFECTS), *study({"dense": 0.0, "shuffled": 0.0}, name="vision/other")]
    made = pages({"some": records})
    looks = [
        {each["name"]: (each["colour"], each["dash"]) for each in chart(page, styles(made))["methods"]} for page in made
    ]
    assert looks[0]["shuffled"] == looks[1]["shuffled"]


def test_hostile_names_stay_text(record, task):
    records = [
        record(method, level, seed, 0.9, task=task(name=f"vision/{name}", metric=name, directions={name: "max", "loss": "min"}, source=name, deviations=(name,)))
        for name in (HOSTILE, "x" * 10_000)
        for method, level in (("dense", 0), (HOSTILE, 1), ("y" * 10_000, 1))
        for seed in range(3)
    ]  # fmt: skip
    for each in records:
        each["provenance"]["commit"] = each["status"] = HOSTILE
        each["reason"] = HOSTILE
        each["counts"]["layers"][HOSTILE] = {"all": 4, "prunable": 4, "kept": 2}
    text = site({HOSTILE: records}, [], records_url="records")
    found = Reader(text)
    scripts_found = [(attrs.get("type"), inline) for tag, attrs, inline in found.inline if tag == "script"]
    assert [inline for kind, inline in scripts_found if kind is None] == list(scripts())
    for kind, inline in scripts_found:
        assert kind is None or json.loads(inline)
    assert "\u202e" not in text
    assert not [attrs for _, attrs in found.tags if any(name.startswith("on") or name == "style" for name in attrs)]
    assert "alert(1)" in " ".join(cell for row in found.told for cell in row)
    assert len(text) < 3_000_000, "a long name is cut where it is repeated"
    assert len(found.ids) == len(set(found.ids))


def test_half_a_character_can_be_written(records, tmp_path):
    for each in records:
        each["spec"]["task"]["name"] = each["spec"]["method"]["name"] = "vision/\ud800"
        each["unit_id"] += "\ud800"
        each["provenance"]["commit"] = "\ud800"
    assert write_site(tmp_path / "index.html", {"\ud800": records}, [], records_url="records").stat().st_size


def test_only_its_own_scripts_and_styles_may_run(records):
    text = site({"some": records}, [])
    found = Reader(text)
    (meta,) = [attrs for tag, attrs in found.tags if tag == "meta" and "http-equiv" in attrs]
    assert meta["content"] == policy()
    assert policy().startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy()
    for tag, attrs, inline in found.inline:
        if attrs.get("type") != "application/json":
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy(), (tag, inline[:50])


def test_nothing_is_fetched(records):
    found = read(records)
    assert {tag for tag, _ in found.tags} & {
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "video",
        "audio",
        "base",
    } == set()
    assert not [attrs for _, attrs in found.tags if "src" in attrs or "srcset" in attrs]
    text = site({"some": records}, [])
    own = text
    for script in scripts():
        own = own.replace(script, "")
    own = own.replace(f'href="{ARXIV}', "")  # followed when somebody clicks
    assert not re.search(r"https?://|url\(|@import|sourceMappingURL", own)


def test_vendored_files_are_what_is_written_down():
    folder = PARTS / "vendor"
    told = tomllib.loads((folder / "vendor.toml").read_text(encoding="utf-8"))["file"]
    names = {each.name for each in folder.iterdir()}
    assert names == {"vendor.toml", "LICENSES.txt", *(each["name"] for each in told)}
    licences = (folder / "LICENSES.txt").read_text(encoding="utf-8")
    for each in vendor():
        assert hashlib.sha256((folder / each["name"]).read_bytes()).hexdigest() == each["sha256"]
        assert f"==== {each['package']}-{each['version']}\n" in licences


def test_no_records_make_a_page_too():
    assert "No finished records." in site({}, [])


def test_the_page_replaces_the_old_one_whole_or_not_at_all(records, tmp_path, monkeypatch):
    path = write_site(tmp_path / "deep" / "index.html", {"some": records}, [])
    before = path.read_text(encoding="utf-8")
    assert before == site({"some": records}, [])
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_site(path, {}, [])
    assert [each.name for each in path.parent.iterdir()] == ["index.html"]
    assert path.read_text(encoding="utf-8") == before


def test_the_verb_needs_no_torch(records, tmp_path):
    publish(records, tmp_path, name="some")
    code = (
        "import sys; from bench.__main__ import main; "
        f"sys.argv = ['ticketbench', 'site', '--records', {str(tmp_path / 'records')!r}, '--output', {str(tmp_path / 'index.html')!r}]\n"
        "try: main()\nexcept SystemExit as left: assert not left.code, left\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert 'href="records/some.jsonl"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_links_lead_to_the_files_that_there_are(records):
    for packed, name in (((), "some.jsonl"), ({"some"}, "some.jsonl.gz")):
        found = Reader(site({"some": records}, [], records_url="records", packed=packed))
        assert found.outside == {f"records/{name}"}
