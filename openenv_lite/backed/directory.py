"""Environments whose whole state is the files in a folder."""

from pathlib import Path
from typing import ClassVar

from openenv_lite.backed import tree
from openenv_lite.errors import ExecutionError

__all__ = ["DirectoryBacked"]


class DirectoryBacked:
    """Snapshots of an environment that keeps all it knows in `self.directory`, and `self.rng`.

    Set `self.directory` in `__init__` to a folder of this environment alone, which is no link to
    one: restoring replaces everything in it. Saved are files with their bytes, folders, symbolic
    links as links, and permissions and times of change of files and folders. Owners, extended
    attributes and hard links as such are not; a setuid or setgid bit is dropped, since the owner
    would be another. A link with an absolute target points where it did, in a fork too; make links
    relative. Needs a POSIX system.
    """

    MAX_DIRECTORY_BYTES: ClassVar[int] = 64 * 1024 * 1024
    """What a snapshot may hold: the bytes of files and links, and 256 more for each of them."""

    directory: Path

    def snapshot(self) -> tree.Folder:
        """The folder with all that is in it.

        Raises:
            ExecutionError: It is more than `MAX_DIRECTORY_BYTES`, nested more than 100 folders
                deep, or holds a socket, pipe or device.
            OSError: A file cannot be read.
        """
        return tree.read(self._set(), self.MAX_DIRECTORY_BYTES)

    def restore(self, saved: tree.Folder) -> None:
        """Make the folder what it was. Where that fails on the way, it holds a part.

        Raises:
            ExecutionError: A name in the snapshot is no name of a file; nothing was changed.
            OSError: A file cannot be removed or written.
        """
        tree.write(saved, self._set())

    def _set(self) -> Path:
        directory: Path | None = getattr(self, "directory", None)
        if directory is None:
            raise ExecutionError(
                f"{type(self).__name__} has no directory: set self.directory in __init__"
            )
        return Path(directory)  # it may be text, as tempfile.mkdtemp returns it
