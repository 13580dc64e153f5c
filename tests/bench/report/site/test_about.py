"""The glossary is drawn from facts, and covers what the page shows; the sources say what the records say of themselves."""

import re
from dataclasses import replace

from pages import Reader, measurement, site

from bench import registry
from bench.report.claims.definitions import load_claims, papers
from bench.report.claims.verdicts import judge
from bench.report.site.anchors import pages
from bench.report.site.sections import glossary
from bench.report.site.sections.glossary import COLUMNS, PAPERS, ruled_out, terms
from bench.report.site.sections.measured import Measured
from bench.report.site.sources import sources
from bench.report.table.compact import HEADER
from bench.tickets.methods import METHODS

ARMS = {"dense": 0.0, "ticket": 0.0, "reinit": -0.1, "random-ticket": -0.2}


def lessons(study, *methods):
    made = pages({"some": study(dict.fromkeys(("dense", *methods), 0.0))})
    return {term.method.name: term.lesson for term in terms(made)}


def test_every_control_says_what_a_better_ticket_rules_out(study):
    found = lessons(study, *(name for name in METHODS if name != "dense"))
    assert {name for name, told in found.items() if not told} == {"dense", "ticket"}
    assert found["reinit"] == "The mask is enough, whatever it starts from."
    assert found["shuffled"] == "The number of weights in each layer is enough."
    assert found["ticket-reordered"] == "The order of the data does not decide it."
    assert found["ticket-noise"] == "A start near the ticket's is enough."
    assert found["one-shot"] == found["one-shot-increase"] == "One round of pruning is enough."
    assert found["one-shot-untrained"] == "The mask is enough, without any training."
    assert found["random-ticket"] == "Any mask of this size does."
    assert found["reinit-signed"] == "The signs of the ticket's weights are enough."
    assert found["fine-tune"] == found["lr-rewind"] == "Weights need not go back to where they were."


def test_columns_from_a_domain_have_readable_names(study):
    made = pages({"some": study(dict.fromkeys(("dense", "fanout", "fanout-random", "ticket"), 0.0))})
    masks = {term.method.name: term.columns[0] for term in terms(made)}
    assert (masks["fanout"], masks["fanout-random"], masks["ticket"]) == ("fanout mask", "random mask", "iterative")
    assert "FANOUT_MASK" not in _table(site({"some": study({"dense": 0.0, "fanout": 0.0})}, []), "glossary")


def _table(text, key):
    table = text[text.index(f'data-key="{key}"') :]
    return table[: table.index("</table>")]


def test_the_overview_says_what_the_controls_of_a_ticket_rule_out(study):
    found = dict(ruled_out(pages({"some": study({**ARMS, "shuffled": 0.0})})))
    assert found == {
        "random-ticket": "Any mask of this size does.",
        "reinit": "The mask is enough, whatever it starts from.",
        "shuffled": "The number of weights in each layer is enough.",
    }
    text = site({"some": study(ARMS)}, [])
    overview = text[text.index('id="overview"') : text.index('id="tickets"')]
    assert (
        "<li>Better than <code>reinit</code>: ruled out is &ldquo;The mask is enough, whatever it starts from&rdquo;."
        in overview
    )
    assert "<code>shuffled</code>: ruled out" not in overview, "it was not run"


def test_a_lesson_follows_from_facts_and_not_from_a_name(monkeypatch):
    outside = replace(METHODS["shuffled"], name="mine")
    monkeypatch.setattr(registry, "methods", lambda: {"mine": outside})
    assert glossary._term(outside).lesson == "The number of weights in each layer is enough."


def test_methods_stand_in_the_order_of_their_definition_and_only_if_they_are_on_the_page(study):
    assert list(lessons(study, "random-ticket", "reinit", "ticket")) == ["dense", "ticket", "reinit", "random-ticket"]


def test_every_heading_of_the_numbers_is_explained():
    explained = {name.strip() for heading in COLUMNS for name in heading.split(",")} | set(COLUMNS)
    assert set(HEADER) - {"method"} <= explained


def test_papers_are_linked(study):
    records = study(ARMS)
    links = Reader(site({"some": records}, judge(load_claims(), records))).links
    assert {f"https://arxiv.org/abs/{paper}" for paper in papers()} <= set(links)
    assert all(re.fullmatch(r"\d{4}\.\d{5}", paper) for paper in PAPERS.values())


def test_sources_say_who_when_and_what_was_measured_again(study):
    one, two = study(ARMS, seeds=2), study(ARMS, seeds=3, name="rl/toy")
    one[0]["provenance"]["end"] = "2025-02-03T04:05:06+00:00"
    one[1]["provenance"]["cpu"] = "a processor"
    first, second = sources({"b": two, "a": [*one, *one]}, {one[0]["unit_id"]}, {"a": "Ada"})
    assert (first.suite, first.records, first.tasks, first.measured) == ("a", len(one), 1, 1)
    assert (first.first[:10], first.last[:10]) == ("2024-01-01", "2025-02-03")
    assert (first.submitter, second.submitter) == ("Ada", "")
    assert first.machines == ("a processor",)
    assert first.software == ("ticketbench 0.1.0, torch 2.6.0",)
    assert (second.suite, second.measured) == ("b", 0)


def test_many_machines_are_counted(study):
    records = study(ARMS, seeds=2)
    for number, record in enumerate(records):
        record["provenance"]["cpu"] = f"cpu {number}"
    (source,) = sources({"a": records}, (), {})
    assert source.machines == ("cpu 0", "cpu 1", "cpu 2", "5 more")


def test_the_page_tells_its_sources_and_how_to_submit(study):
    records = study(ARMS)
    again = Measured(believed={records[0]["unit_id"]: measurement(records[0])})
    found = Reader(
        site(
            {"mine": records},
            [],
            measured=again,
            submitters={"mine": "A. <b>Name</b>"},
            records_url="records",
            manual_url="../docs/submissions.md",
            notes_url="README.md",
        )
    )
    (line,) = [row for row in found.told if row and row[0] == "mine"]
    assert line[1:] == [
        "A. <b>Name</b>",
        str(len(records)),
        "1",
        "2024-01-01",
        "2024-01-01",
        "",
        "ticketbench 0.1.0, torch 2.6.0",
        "1",
    ]
    assert found.outside == {"records/mine.jsonl", "../docs/submissions.md", "README.md"}


def test_the_way_of_a_submitter_begins_with_its_own_three_steps_and_is_linked_from_the_first_screen(study):
    text = site({"mine": study(ARMS)}, [])
    submit = text[text.index("<h3 id=submit>") :]
    steps = [line.split("#")[0].strip() for line in submit[: submit.index("</pre>")].splitlines()[2:]]
    assert [step.split("<pre tabindex=0>")[-1] for step in steps] == [
        "pip install ticketbench",
        "ticketbench run SUITE",
        "ticketbench pack SUITE --output mine.zip --weights",
    ]
    assert 'href="#submit"' in text[text.index('id="overview"') : text.index('id="tickets"')]
