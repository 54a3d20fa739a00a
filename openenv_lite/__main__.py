"""`python -m openenv_lite`: the command line."""

from openenv_lite.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
