"""What `openenv-lite check` does and prints."""

import collections
import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TextColumn
from rich.table import Table

from openenv_lite.errors import ConfigurationError
from openenv_lite.printable import printable
from openenv_lite.testing.checking import laws_named, left_out
from openenv_lite.testing.law import Law
from openenv_lite.testing.report import accounts_of, counterexample
from openenv_lite.testing.running import Broken, Check, Held, Skipped, Terms, Verdict
from openenv_lite.testing.subject import Subject
from openenv_lite.testing.targets import actions_named, subject_named

__all__ = ["tell"]

Verdicts = list[tuple[Law, Verdict]]


def tell(target: str | None, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Print the laws, or what comes of them on the target; the exit code.

    Args:
        target: As `subject_named` takes it; None for the list of laws.
        arguments: For the environment's constructor or factory.
        options: Of the command.
    """
    laws = laws_named(options["laws"] or None)
    if target is None or options["lists"]:
        _print_laws(laws)
        return 0
    actions, skip = actions_named(options["actions"]), left_out(options["skip"])
    terms = Terms(options["seed"], options["budget"], actions, skip)
    with contextlib.closing(subject_named(target, arguments)) as subject:
        verdicts = list(_shown(Check(subject, terms).verdicts(laws), len(laws)))
        _print(subject, verdicts, options["as_json"])
    kinds = {type(verdict) for _, verdict in verdicts}
    if kinds == {Skipped}:
        raise ConfigurationError("No law could be put to the test: the reasons stand above")
    return int(Broken in kinds)


def _shown(verdicts: Iterable[tuple[Law, Verdict]], count: int) -> Iterator[tuple[Law, Verdict]]:
    """Pass verdicts on, with a line on stderr that tells how far it has come."""
    columns = TextColumn("{task.completed}/{task.total} laws"), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=count)
        for law, verdict in verdicts:
            progress.update(task, advance=1, description=law.name)
            yield law, verdict


def _print(subject: Subject, verdicts: Verdicts, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_as_json(subject, *each) for each in verdicts], indent=2))
        return
    _print_verdicts(subject, verdicts)
    if any(isinstance(verdict, Broken) for _, verdict in verdicts):
        click.echo(f"\n{accounts_of(subject, verdicts)}\n")
    counts = collections.Counter(type(verdict) for _, verdict in verdicts)
    told = [f"{counts[kind]} {kind.__name__.lower()}" for kind in (Held, Broken, Skipped)]
    click.echo(", ".join(told))


def _as_json(subject: Subject, law: Law, verdict: Verdict) -> dict[str, Any]:
    told = {"law": law.name, "group": law.group, "says": law.says, "check_id": law.check_id}
    details: dict[str, Any] = {**verdict._asdict()}
    if isinstance(verdict, Broken):
        code = counterexample(subject, verdict)
        details |= {"again": code, "cause": law.cause, "remedy": law.remedy}
        del details["lines"]
    return {**told, "verdict": type(verdict).__name__.lower(), **details}


def _print_verdicts(subject: Subject, verdicts: Verdicts) -> None:
    table = _table("law", "verdict", "")
    table.title = escape(printable(subject.name))
    for group, chapter in itertools.groupby(verdicts, lambda each: each[0].group):
        table.add_section()
        table.add_row(f"[bold]{group}")
        for law, verdict in chapter:
            word = type(verdict).__name__.lower()
            table.add_row(law.name, word, escape(printable(_briefly(verdict))))
    Console().print(table)


def _table(*headings: str) -> Table:
    """The first column holds names, which are to be copied."""
    table = Table()
    table.add_column(headings[0], no_wrap=True)
    for heading in headings[1:]:
        table.add_column(heading, overflow="fold")
    return table


def _briefly(verdict: Verdict) -> str:
    if isinstance(verdict, Held):
        return f"{verdict.examples} examples"
    return verdict.violation if isinstance(verdict, Broken) else verdict.reason


def _print_laws(laws: list[Law]) -> None:
    table = _table("law", "what it says", "OpenEnv check")
    for group, chapter in itertools.groupby(laws, lambda law: law.group):
        table.add_section()
        table.add_row(f"[bold]{group}")
        for law in chapter:
            table.add_row(law.name, escape(law.says), law.check_id or "")
    Console().print(table)
