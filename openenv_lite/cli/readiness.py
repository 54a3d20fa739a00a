"""What `openenv-lite validate` does and prints."""

import collections
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TextColumn
from rich.table import Table

from openenv_lite.printable import printable
from openenv_lite.validation.gate import Failed, Gate, Passed, Skipped, Verdict
from openenv_lite.validation.site import Limits
from openenv_lite.validation.trial import Trial, site_named

__all__ = ["tell"]

_TERMINATED = 143
_MOST_SHOWN = 1000
"""Characters of a cell: a hostile line of millions would take a table minutes to fold."""
_MOST_DETAILS = 20_000

Verdicts = list[tuple[Gate, Verdict]]


def tell(target: str, as_json: bool, limits: tuple[float, float]) -> int:
    """Print what comes of each gate; the exit code.

    Args:
        target: A folder or URL.
        as_json: As JSON, not as a table.
        limits: The fields of `Limits`.

    Raises:
        ConfigurationError: The target is neither.
    """
    with _ending_by_signals(), contextlib.closing(site_named(target, Limits(*limits))) as site:
        verdicts = list(_shown(Trial(site)))
    if as_json:
        click.echo(json.dumps(_as_json(target, verdicts), indent=2))
    else:
        _print(target, verdicts)
    return int(any(isinstance(verdict, Failed) for _, verdict in verdicts))


@contextlib.contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Let what is told to end stop what it has started first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _shown(trial: Trial) -> Iterator[tuple[Gate, Verdict]]:
    """Try every gate, with a line on stderr that tells which."""
    columns = TextColumn("{task.completed}/{task.total} gates"), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(trial.gates))
        for gate in trial.gates:
            progress.update(task, description=gate.name)
            yield gate, trial.verdict(gate)
            progress.advance(task)


def _as_json(target: str, verdicts: Verdicts) -> dict[str, Any]:
    counts = _counts(verdicts)
    gates = [
        {"gate": gate.name, "says": gate.says, "verdict": _word(verdict), **verdict._asdict()}
        for gate, verdict in verdicts
    ]
    return {"target": target, "ready": not counts["failed"], "counts": counts, "gates": gates}


def _counts(verdicts: Verdicts) -> dict[str, int]:
    found = collections.Counter(_word(verdict) for _, verdict in verdicts)
    return {word: found[word] for word in ("passed", "failed", "skipped")}


def _word(verdict: Verdict) -> str:
    return type(verdict).__name__.lower()


def _print(target: str, verdicts: Verdicts) -> None:
    table = Table(title=escape(printable(target)))
    table.add_column("gate", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("", overflow="fold")
    for gate, verdict in verdicts:
        table.add_row(gate.name, _word(verdict), escape(printable(_cut(_briefly(verdict)))))
    Console().print(table)
    for gate, verdict in verdicts:
        if isinstance(verdict, Failed):
            click.echo(f"\n{printable(_account(gate, verdict))}")
    told = ", ".join(f"{count} {word}" for word, count in _counts(verdicts).items())
    click.echo(f"\n{told}")


def _briefly(verdict: Verdict) -> str:
    match verdict:
        case Passed(told):
            return told
        case Failed(fault):
            return fault
        case Skipped(reason):
            return reason


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}… (--json tells all)"


def _account(gate: Gate, verdict: Failed) -> str:
    """What a failed gate stands for, and what to do; the fault itself is in the table."""
    details = [f"    {line}" for line in verdict.details[-_MOST_DETAILS:].splitlines()]
    return "\n".join(
        [f"{gate.name}: {gate.says}", f"  what to do: {_cut(verdict.remedy)}", *details]
    )
