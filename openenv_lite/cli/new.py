"""`openenv-lite new`: an environment package of one's own, from a template that runs."""

from pathlib import Path

import click

from openenv_lite.cli.naming import named
from openenv_lite.cli.templates import ARCHETYPES, template, write
from openenv_lite.cli.wrapping import wrapping

__all__ = ["new"]


@click.command()
@click.argument("name")
@click.option(
    "--archetype",
    type=click.Choice(ARCHETYPES),
    help="What to begin with: typed actions; tools and files; tools and screenshots; questions.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="here",
    help="The folder in which NAME is made.",
)
@click.option(
    "--wrap",
    metavar="MODULE:CLASS",
    help="A class whose typed methods become the tools; it stays where it is.",
)
def new(name: str, archetype: str | None, into: Path, wrap: str | None) -> None:
    """Write the environment package NAME, which can be served at once.

    Its folder has models, environment, app, rollout, contract test, Dockerfile and compose file.
    """
    words, folder = named(name), into / name
    if wrap is not None:
        files = wrapping(template("wrap"), wrap, name, archetype or "tools")
    elif archetype is not None:
        files = template(archetype)
    else:
        raise click.UsageError(
            f"Give --archetype ({', '.join(ARCHETYPES)}) or --wrap MODULE:CLASS."
        )
    write(files, words, folder)
    click.echo(f"Wrote {len(files)} files in {folder}. Next:")
    click.echo(f"  cd {folder} && pip install -e '.[dev]'")
    click.echo("  openenv-lite serve .")
    click.echo("  MAX_TURNS=3 python rollout.py  # in another terminal")
    click.echo("  openenv-lite validate .        # is all ready to be published?")
