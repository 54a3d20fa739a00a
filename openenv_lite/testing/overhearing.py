"""The runtime's log while laws are put to the test: kept from people, and listened to."""

import contextlib
import logging
from collections.abc import Iterator

__all__ = ["hushed", "overheard"]

_FAILURES = "openenv_lite.failures"
"""Where whatever an author's code raises is logged, with its traceback."""


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Log nothing meanwhile: laws provoke what they tell of, hundreds of times."""
    logger = logging.getLogger("openenv_lite")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def overheard() -> Iterator[list[BaseException]]:
    """What authors' code raises meanwhile, on whatever thread; it is not logged."""
    raised: list[BaseException] = []
    logger = logging.getLogger(_FAILURES)
    ear = _Ear(raised)
    level, goes_on, disabled = logger.level, logger.propagate, logger.manager.disable
    logger.addHandler(ear)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logging.disable(logging.NOTSET)
    try:
        yield raised
    finally:
        logger.removeHandler(ear)
        logger.setLevel(level)
        logger.propagate = goes_on
        logging.disable(disabled)


class _Ear(logging.Handler):
    def __init__(self, raised: list[BaseException]) -> None:
        super().__init__(logging.DEBUG)
        self._raised = raised

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, BaseException):
            self._raised.append(error)
