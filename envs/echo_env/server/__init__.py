"""What runs on the server."""

__all__: list[str] = []
