"""One client's lease on one environment: its trainer's side, and its agent's."""

from openenv_lite.session.session import Catalogue, Session

__all__ = ["Catalogue", "Session"]
