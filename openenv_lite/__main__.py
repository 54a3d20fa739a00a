"""`python -m openenv_lite`: the command line."""

from openenv_lite.cli import main

main()
