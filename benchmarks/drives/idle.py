"""Keeps a core from going to sleep, at a priority at which it never keeps anything waiting.

A core that sleeps between two messages takes so long to wake, and so unevenly on virtual machines,
that at one connection nothing else could be measured. Linux only, as is the pinning.
"""

import os

__all__: list[str] = []

if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass
