"""The verb that writes the leaderboard."""

from __future__ import annotations

import os
from pathlib import Path

from bench.verbs.arguments.request import again, command_line, say, writing

MEASURED = "measured"
"""The folder beside the records that holds what was measured again."""
MANUAL = Path("docs", "submissions.md")
"""In a checkout, beside the folder of what is published: how to submit."""
NOTES = "README.md"
"""Beside the records: what their publisher says of the runs."""
SPEED = "speed.jsonl"
"""The file beside the records that tells what sparsity is worth in seconds."""


def site(records: Path, output: Path) -> None:
    """Write the page of what is published."""
    from bench.report.claims.definitions import load_claims  # noqa: PLC0415  only tables need scipy
    from bench.report.claims.verdicts import judge  # noqa: PLC0415
    from bench.report.published import is_packed, read  # noqa: PLC0415
    from bench.report.site.sections.measured import measurements  # noqa: PLC0415
    from bench.report.site.sections.speed import published  # noqa: PLC0415
    from bench.report.site.write import site as page  # noqa: PLC0415
    from bench.report.site.write import write  # noqa: PLC0415
    from bench.report.submitters import submitters  # noqa: PLC0415

    suites = read(records)
    verdicts = judge(load_claims(), [record for suite in suites.values() for record in suite])
    measured = measurements(records.parent / MEASURED, suites)
    speeds = published(records.parent / SPEED, suites)
    manual = records.absolute().parent.parent / MANUAL
    near = {"manual_url": manual, "notes_url": records.absolute().parent / NOTES}
    urls = {name: _way(output, path) if path.is_file() else None for name, path in near.items()}
    urls["records_url"] = _from(output, records)
    named, packed = submitters(records.parent), {suite for suite in suites if is_packed(records, suite)}
    with writing(output):
        write(output, page(suites, verdicts, measured=measured, speeds=speeds, submitters=named, packed=packed, **urls))
    say(str(output))
    again(command_line("site", "--records", records, "--output", output))


def _from(output: Path, records: Path) -> str | None:
    """The way from the page to the records, if it does not leave the folder that both are in."""
    way = _way(output, records)
    return None if way.startswith(("..", "/")) else way


def _way(output: Path, to: Path) -> str:
    return Path(os.path.relpath(to, output.parent)).as_posix()
