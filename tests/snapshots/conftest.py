"""Vector clients, as in the tests of clients."""

from tests.client.players import player

__all__ = ["player"]
