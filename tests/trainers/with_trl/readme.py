"""Examples of the README that want a trainer's package."""

import re
from pathlib import Path

__all__ = ["examples"]

README = Path(__file__).parents[3] / "README.md"
URL = "http://localhost:8000"


def examples(language: str, url: str) -> list[str]:
    """Those of the section on training, with another server's URL."""
    section = README.read_text().partition("\n## Train\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return [each.replace(URL, url) for each in found]
