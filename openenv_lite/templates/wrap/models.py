"""What of MyDomain an agent may call, and a trainer may see."""

__all__ = ["PROPERTIES", "TOOLS"]

TOOLS = ("method",)
PROPERTIES = ("property",)
