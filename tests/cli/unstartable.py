"""An environment that can be imported by the first process of a server, and by no worker."""

import multiprocessing

from openenv_lite import MCPEnvironment

__all__ = ["Unstartable"]

if multiprocessing.parent_process() is not None:
    raise RuntimeError("No worker can import this")


class Unstartable(MCPEnvironment):
    """Never served."""

    SUPPORTS_CONCURRENT_SESSIONS = True
