"""What tools take. Descriptions and bounds are told to the model, and checked before a call."""

from typing import Annotated

from msgspec import Meta

__all__ = ["LONGEST_TEXT", "Name", "Text"]

LONGEST_TEXT = 100_000

Name = Annotated[str, Meta(min_length=1, max_length=200, description="Path in your folder.")]
Text = Annotated[str, Meta(max_length=LONGEST_TEXT, description="What the file is to hold.")]
