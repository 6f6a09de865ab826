"""How a study stands, in a terminal of 80 columns."""

from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trimtab.report import numbers
from trimtab.report.progress import left_words
from trimtab.study.status import CandidateStatus, StudyStatus, TrialStatus

_WORDS = {
    "starting": "its store is being made; look again in a moment",
    "planning": "finding out what runs take, to plan for the budget",
    "running": "running",
    "empty": "nothing is planned yet and nothing recorded, and no process is at work",
    "stopped": "stopped: no process is at work; the same command goes on",
    "finished": "finished",
}
_STYLES = {"running": "bold cyan", "planning": "bold cyan", "stopped": "bold yellow", "finished": "bold"}

_LEFT = {"better": "better", "worse": "worse", "chance": "hardly any chance of a verdict", "unfinished": "unfinished"}
"""Why a candidate left a race."""

_DATED = 6
"""An end that is so many days away has a date: its day of the week could be taken for that of this week."""

SHOWN_TRIALS = 16
"""Running trials that have a line each."""


def print_status(console: Console, status: StudyStatus, now: datetime | None = None) -> None:
    """Prints how a study stands."""
    state = Text(_WORDS[status.state], style=_STYLES.get(status.state, ""))
    console.print(Text(f"{status.name}: ", style="bold").append_text(state), soft_wrap=True)
    if status.state in ("starting", "empty"):
        return
    if status.reference not in ("", status.name):
        console.print(Text(status.reference, style="dim"), soft_wrap=True)
    console.print(Text(_progress(status, now or datetime.now().astimezone())))
    if status.best is not None:
        diverged = sum(candidate.diverged for candidate in status.candidates)
        trouble = numbers.troubles(diverged, sum(candidate.trouble for candidate in status.candidates) - diverged)
        words = f"best run so far {status.best[0]}, {numbers.significant(status.best[1])}"
        console.print(Text(words + (f"; {trouble}" if trouble else "")), soft_wrap=True)
    if status.beside is not None:
        console.print(Text(f"kept, and not counted here or shown in the report: {status.beside.words}"))
    if status.candidates:
        console.print()
        console.print(_candidates(status.candidates))
    if status.running:
        console.print()
        console.print(_trials(status.running))
    for process in status.processes:
        if not process.alive and status.state != "finished":
            console.print(Text(_silent(status, process.host, process.process, process.silent_seconds), style="yellow"))
    if status.report is not None:
        old = "  (trials have ended since; `trimtab report` draws it anew)" if status.report_is_old else ""
        console.print(Text(f"\nreport  {status.report}{old}"), soft_wrap=True)


def standing_words(status: StudyStatus, now: datetime) -> str:
    """Returns how far a study is, in one sentence without its full stop."""
    return f"{status.state}: {_progress(status, now, of=' of ')}"


def _progress(status: StudyStatus, now: datetime, of: str = "/") -> str:
    if not status.total:
        return "no trial is planned yet" + (f", for {status.budget}" if status.budget else "")
    more = "" if status.total_known or status.racing else ", and final runs"
    total = f"{of}{status.total}" if status.total_known or status.most is None else f" of at most {status.most}"
    parts = [f"{status.done}{total} trials{more}"]
    left = status.remaining
    if left is not None and left.least is not None:
        parts.append(left_words(left))
    elif left is not None and status.state == "stopped":
        parts.append(f"{left_words(left)} if it goes on with {status.at_once} at once")
    elif left is not None:
        end = now + timedelta(seconds=left.seconds)
        parts.append(f"{left_words(left)} (till {_day(end, now)}{end.strftime('%H:%M')})")
    if status.trials_per_minute is not None and status.state == "running":
        parts.append(_pace(status.trials_per_minute))
    if status.budget is not None:
        parts.append(
            f"to be planned for {status.budget}" if status.state == "planning" else f"planned for {status.budget}"
        )
    return ", ".join(parts)


def _day(end: datetime, now: datetime) -> str:
    """Returns the day of an end: none if it is today, else that of the week as long as there is no other such day."""
    days = (end.date() - now.date()).days
    if days < _DATED:
        return end.strftime("%a ") if days else ""
    return f"{end.day} {end.strftime('%b')} " + (f"{end.year} " if end.year != now.year else "")


def _pace(per_minute: float) -> str:
    if per_minute >= 2:
        return f"{per_minute:.0f} trials a minute"
    return f"{60 * per_minute:.2g} trials an hour"


def _candidates(candidates: tuple[CandidateStatus, ...]) -> Table:
    several = len({candidate.problem for candidate in candidates}) > 1
    troubles = {
        "diverged": [c.diverged for c in candidates],
        "failed": [c.trouble - c.diverged for c in candidates],
    }
    troubles = {name: counts for name, counts in troubles.items() if any(counts)}
    table = Table(box=None, pad_edge=False, header_style="bold")
    if several:
        table.add_column("problem", overflow="fold")
    table.add_column("candidate", overflow="fold", min_width=10)
    tuned = any(c.tuning for c in candidates)
    left = any(c.left for c in candidates)
    for name in (*(["tuned"] if tuned else []), "final", *(["left"] if left else []), "best run", *troubles):
        table.add_column(name, justify="right", no_wrap=True)
    for place, c in enumerate(candidates):
        row: list[str | Text] = [
            Text(c.label),
            *([f"{c.tuned}/{c.tuning}"] if tuned else []),
            f"{c.final}/{numbers.MISSING if c.finals is None else c.finals}",
            *([_LEFT.get(c.left or "", "")] if left else []),
            numbers.significant(c.best),
            *(str(counts[place] or "") for counts in troubles.values()),
        ]
        table.add_row(*([Text(c.problem)] if several else []), *row)
    return table


def _trials(trials: tuple[TrialStatus, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("running", overflow="fold", min_width=10)
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("where", overflow="fold")
    ordered = sorted(trials, key=lambda trial: -(trial.seconds or 0.0))
    for trial in ordered[:SHOWN_TRIALS]:
        where = "unknown" if trial.host is None else f"{trial.host}, process {trial.process}"
        table.add_row(
            Text(f"{trial.candidate}, {trial.phase} {trial.index}"),
            numbers.MISSING if trial.seconds is None else numbers.duration(trial.seconds),
            Text(where if trial.alive else f"{where}: cut off, will run again", style="" if trial.alive else "yellow"),
        )
    if len(trials) > SHOWN_TRIALS:
        table.add_row(f"and {len(trials) - SHOWN_TRIALS} more", "", "")
    return table


def _silent(status: StudyStatus, host: str, process: int, silent: float | None) -> str:
    if silent is None:
        return f"process {process} on {host} has ended without leaving in order"
    words = f"process {process} on {host} has given no sign of life for {numbers.duration(silent)}"
    return words + ("; others take over its trials" if status.state == "running" else "")
