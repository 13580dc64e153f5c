"""The page as text: escaped, linked, the same for any order of records, and allowed to run only its own scripts."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser

import pytest

from bench.report.claims.definitions import load
from bench.report.claims.verdicts import judge
from bench.report.publish import publish
from bench.report.site.anchors import pages
from bench.report.site.charts import LOOKS, chart
from bench.report.site.layers import families
from bench.report.site.standings import overall, standings
from bench.report.site.write import PARTS, policy, scripts, site, vendor, write_site

EFFECTS = {"dense": 0.0, "ticket": 0.01, "reinit": -0.02, "shuffled": -0.03, "random-ticket": -0.05}
HOSTILE = "</script><script>alert(1)</script>\"'&lt;`=\u202egpj.exe"


class Reader(HTMLParser):
    """Collects what the tests ask about; a folded `noscript` is read like the rest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.ids, self.links, self.tags, self.inline, self.rows, self.cells = [], [], [], [], [], []
        self._within = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])
        if tag in ("script", "style"):
            self._within = [tag, attrs, ""]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if self._within and tag == self._within[0]:
            self.inline.append(tuple(self._within))
            self._within = None
        if tag in ("thead", "table"):
            self.rows.append([])

    def handle_data(self, data):
        if self._within:
            self._within[2] += data
        elif self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    @property
    def told(self):
        return [[cell.strip() for cell in row] for row in self.rows]


@pytest.fixture
def records(study):
    return study(EFFECTS, levels=(1, 3), seeds=4)


def read(records, **more):
    return Reader(site({"some": records}, judge(load(), records), **more))


def test_every_link_leads_somewhere_and_no_anchor_is_twice(records, study):
    other = study(EFFECTS, levels=(2,), seeds=3, name="rl/toy", version=2)
    older = study(EFFECTS, levels=(2,), seeds=3, name="rl/toy")
    found = read([*records, *other, *older], records_url="records")
    assert len(found.ids) == len(set(found.ids))
    assert {each[1:] for each in found.links if each.startswith("#")} <= set(found.ids)
    assert {each for each in found.links if not each.startswith("#")} == {"records/some.jsonl"}


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
    assert json.dumps(records[0]["spec"]["task"]["config"], indent=1)[2:-2].strip() in site({"some": records}, [])


def test_versions_of_a_protocol_stand_apart(study):
    old = study(EFFECTS, levels=(2,), seeds=3, tolerance=0.02)
    new = study(EFFECTS, levels=(2,), seeds=3, version=2)
    found = pages({"some": [*old, *new]})
    assert [(page.anchor, page.newest) for page in found] == [
        ("task-vision-toy-small-v1", False),
        ("task-vision-toy-small-v2", True),
    ]
    text = site({"some": [*old, *new]}, [])
    assert 'superseded by <a href="#task-vision-toy-small-v2">version 2</a>' in text
    ranked = overall(standings(found))
    assert {each.tasks for each in ranked} == {1}


def test_tasks_that_differ_in_more_than_the_version_have_anchors_of_their_own(study):
    found = pages({"some": [*study(EFFECTS), *study(EFFECTS, data={"set": "0" * 64})]})
    assert len({page.anchor for page in found}) == 2
    assert all(page.anchor.startswith("task-vision-toy-small-v1-") for page in found)


def test_the_order_of_records_changes_no_byte(records):
    half = len(records) // 2
    one = site({"a": records[:half], "b": records[half:]}, judge(load(), records))
    two = site({"b": records[half:][::-1], "a": records[:half][::-1]}, judge(load(), records[::-1]))
    assert one == two


def test_the_sparsest_matching_network_is_ranked_first(study):
    records = [
        *study({"dense": 0.0, "ticket": 0.0}, levels=(1, 2, 3), seeds=5),
        *study({"one-shot": 0.0}, levels=(1,), seeds=5),
        *study({"one-shot": -0.1}, levels=(2,), seeds=5),
        *study({"one-shot": 0.0}, levels=(3,), seeds=5)[:2],
        *study({"reinit": -0.1}, levels=(1, 2, 3), seeds=5),
    ]
    found = standings(pages({"some": records}))
    told = [(each.method, each.rank, each.best and each.best[1].level, each.matched, each.judged) for each in found]
    assert told == [("ticket", 1, 3, 3, 3), ("one-shot", 2, 1, 1, 2), ("reinit", None, None, 0, 3)]
    assert [each.unbroken for each in found] == [0.125, 0.5, None]
    summary = {each.method: each for each in overall(found)}
    assert summary["ticket"].density == pytest.approx(0.125)
    assert summary["reinit"].density == 1
    assert [each.first for each in summary.values()] == [1, 0, 0]


def test_without_enough_seeds_nothing_is_ranked(study):
    records = study(EFFECTS, seeds=2)
    found = standings(pages({"some": records}))
    assert {each.told for each in found} == {"n < 3"}
    assert overall(found) == []
    assert "n &lt; 3" in site({"some": records}, [])


def test_claims_come_with_verdicts_numbers_and_their_records(study):
    claim = next(each for each in load() if each.id == "F1-4" and each.scale == "small")
    records = study(EFFECTS, levels=claim.levels, seeds=5, name=claim.tasks[0], at=("final",))
    found = read(records)
    board = [row for row in found.told if row and row[0].startswith("F1-4 ")]
    assert {row[1] for row in board} == {"✓ holds"}
    assert len(board) == 2, "on the board, and at the task"
    assert all(re.match(r"0\.\d+ \[0\.\d+, 0\.\d+\] from ticket L7, reinit L7$", row[3]) for row in board)
    assert len({row[0] for row in found.told if row and row[0].startswith("F1-")}) == len(
        {each.id for each in load() if each.id.startswith("F1-")}
    )


def test_methods_that_prune_alike_share_their_layers(records, study):
    arms = pages({"some": records})[0].section.arms
    assert [methods for methods, _ in families(arms)] == [list(EFFECTS)[1:]]
    _, by_level = families(arms)[0]
    assert by_level[1] == {"all hidden": 0.5, "all head": 0.5, "fc1.weight": 0.5, "fc2.weight": 0.5}


def test_the_chart_has_every_seed_and_interval(records):
    drawn = chart(pages({"some": records})[0])
    assert [each["name"] for each in drawn["methods"]] == list(EFFECTS)[1:]
    assert len(drawn["arms"]) == 8
    for arm in drawn["arms"]:
        assert arm[4] < arm[3] < arm[5]
        assert [seed for seed, _ in arm[-1]] == [0, 1, 2, 3]


def test_no_two_methods_are_drawn_alike(study):
    drawn = chart(pages({"some": study(dict.fromkeys(LOOKS, 0.0) | {"dense": 0.0}, seeds=2)})[0])
    assert len(drawn["methods"]) == len(LOOKS)
    assert len({(each["colour"], each["line"]) for each in drawn["methods"]}) == len(LOOKS)


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
    for number, record in enumerate(records):
        record["spec"]["task"]["name"] = "vision/\ud800"
        record["spec"]["method"]["name"] = record["unit_id"] = f"vision/\ud800{number}"
        record["provenance"]["commit"] = "\ud800"
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
        "import sys; from bench import cli; "
        f"sys.argv = ['ticketbench', 'site', '--records', {str(tmp_path / 'records')!r}, '--output', {str(tmp_path / 'index.html')!r}]\n"
        "try: cli.main()\nexcept SystemExit as left: assert not left.code, left\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert 'href="records/some.jsonl"' in (tmp_path / "index.html").read_text(encoding="utf-8")
