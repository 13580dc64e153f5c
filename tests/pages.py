"""For tests of the leaderboard: a reader of its page, and measurements of records."""

from html.parser import HTMLParser

from bench.report.claims import definitions
from bench.report.site import write
from bench.report.site.sections.glossary import ARXIV, PAPERS


def site(suites, verdicts, **more):
    """The page as text."""
    return "".join(write.site(suites, verdicts, **more))


def write_site(path, suites, verdicts, **more):
    """The page as a file."""
    write.write(path, write.site(suites, verdicts, **more))
    return path


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
    def outside(self):
        """What links lead to beyond the page, but for the papers that the page itself names."""
        papers = {f"{ARXIV}{paper}" for paper in (*definitions.papers(), *PAPERS.values())}
        return {each for each in self.links if not each.startswith("#")} - papers

    @property
    def told(self):
        return [[cell.strip() for cell in row] for row in self.rows]


def measurement(record, **changes):
    """What somebody says to have found who trained the unit of a record again: the same, but for `changes`."""
    return {
        "unit_id": record["unit_id"],
        "result": record["digests"]["result"],
        "how": "retrain",
        "metric": "accuracy",
        "split": "test",
        "claimed": claim(record),
        "measured": claim(record),
        "equal": True,
        "believed": [],
        "provenance": {
            "machine": "Linux x86_64",
            "cpu": "some model",
            "versions": {"torch": "2.6.0"},
            "end": "2024-05-06T07:08:09+00:00",
        },
        **changes,
    }


def claim(record):
    """The headline score of a record that `records` built."""
    return record["metrics"][0]["value"]
