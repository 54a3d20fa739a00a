"""Folders written for OpenEnv, each served by OpenEnv's server as its own app has it."""

import importlib
import sys
from pathlib import Path
from typing import Any

from tests.interop.serving import serve


def app(folder: Path) -> Any:
    is_package = (folder / "__init__.py").exists()
    sys.path.insert(0, str(folder.parent if is_package else folder))
    return importlib.import_module(f"{folder.name}.server.app" if is_package else "server.app").app


if __name__ == "__main__":
    serve({Path(each).name: app(Path(each)) for each in sys.argv[1:]})
