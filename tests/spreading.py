"""How tests are spread over processes that run side by side."""

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

__all__ = ["ByFolder", "stands_alone"]

_LONG_LISTS = ("tests/testing/test_gallery.py", "tests/testing/test_sound.py")


def stands_alone(test: str) -> bool:
    """Whether a test, by its id, takes seconds and shares nothing with those beside it."""
    return test.startswith(_LONG_LISTS)


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """A folder stays in one process, for its tests share servers; some stand alone."""

    def _split_scope(self, nodeid: str) -> str:
        if stands_alone(nodeid):
            return nodeid
        file, _, _ = nodeid.partition("::")
        return file.rpartition("/")[0]
