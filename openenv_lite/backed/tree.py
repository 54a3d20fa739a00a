"""A folder's files as one value, and back.

Every file is opened by its name in an open folder, and no link is followed, so that neither a
forged snapshot nor a process that swaps a folder for a link meanwhile leads out of the folder.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Union

import msgspec

from openenv_lite.errors import ExecutionError

__all__ = ["DEEPEST", "ENTRY_BYTES", "File", "Folder", "Link", "read", "write"]

DEEPEST = 100
"""Folders within folders, each of which is an open file while those in it are read or written."""

ENTRY_BYTES = 256
"""What an entry counts beside its contents."""

_KEPT_MODE = 0o1777  # not setuid and setgid: the restored file may have another owner
_OPEN_TO_OWNER = 0o700


class File(msgspec.Struct, tag=True, frozen=True):
    """A file; `name` as the system has it, which need not be text."""

    name: bytes
    mode: int
    modified_ns: int
    data: bytes


class Link(msgspec.Struct, tag=True, frozen=True):
    """A symbolic link, whatever is at its target."""

    name: bytes
    target: bytes


class Folder(msgspec.Struct, tag=True, frozen=True):
    """A folder with its entries by name; the outermost is called nothing."""

    name: bytes
    mode: int
    modified_ns: int
    entries: list[Union[File, Link, "Folder"]]


def read(directory: Path, limit: int) -> Folder:
    """All that is in a folder.

    Raises:
        ExecutionError: More than `limit` bytes, too deep, or neither file, folder nor link.
        OSError: The system does not let it be read.
    """
    with _opened(directory) as folder:
        return _Reader(directory, limit).folder(folder, b"", 0)


def write(saved: Folder, directory: Path) -> None:
    """Make a folder hold what was saved, and nothing else; it is made where it is missing.

    Raises:
        ExecutionError: What was saved is no tree of files; the folder is as it was.
        OSError: The system does not let it be changed; it holds a part.
    """
    _check(saved, 0)
    os.makedirs(directory, exist_ok=True)
    _unlock(directory)
    with _opened(directory) as folder:
        _clear(folder)
        _fill(folder, saved)


@contextlib.contextmanager
def _opened(name: Path | bytes | str, parent: int | None = None) -> Iterator[int]:
    """An open folder; OSError where it is a link to one."""
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield folder
    finally:
        os.close(folder)


class _Reader:
    """Reads a tree until it has read too much.

    Args:
        directory: Where the tree is, for error texts.
        limit: Bytes it may hold.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        self.directory = directory
        self.limit = limit
        self.left = limit

    def folder(self, folder: int, name: bytes, depth: int) -> Folder:
        if depth > DEEPEST:
            raise ExecutionError(
                f"Folders in {self.directory} are nested more than {DEEPEST} deep, too deep for a "
                "snapshot"
            )
        about = os.fstat(folder)
        names = sorted(os.fsencode(each) for each in os.listdir(folder))
        entries = [self.entry(folder, each, depth) for each in names]
        return Folder(name, _mode(about), about.st_mtime_ns, entries)

    def entry(self, parent: int, name: bytes, depth: int) -> File | Link | Folder:
        about = os.stat(name, dir_fd=parent, follow_symlinks=False)
        self.count(ENTRY_BYTES)
        if stat.S_ISDIR(about.st_mode):
            with _opened(name, parent) as folder:
                return self.folder(folder, name, depth + 1)
        if stat.S_ISLNK(about.st_mode):
            self.count(about.st_size)
            return Link(name, os.readlink(name, dir_fd=parent))
        if stat.S_ISREG(about.st_mode):
            return self.file(parent, name)
        raise ExecutionError(
            f"{os.fsdecode(name)} in {self.directory} is a socket, pipe or device, which no "
            "snapshot can hold: remove it, or keep it elsewhere"
        )

    def file(self, parent: int, name: bytes) -> File:
        unblocked = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # it may have become a pipe
        with open(os.open(name, unblocked, dir_fd=parent), "rb") as file:
            about = os.fstat(file.fileno())
            self.count(about.st_size)
            return File(name, _mode(about), about.st_mtime_ns, file.read(about.st_size))

    def count(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ExecutionError(
                f"{self.directory} holds more than {self.limit} bytes, too many for a snapshot: "
                "keep big files elsewhere, or raise MAX_DIRECTORY_BYTES"
            )


def _mode(about: os.stat_result) -> int:
    return about.st_mode & _KEPT_MODE


def _check(folder: Folder, depth: int) -> None:
    """Refuse names that lead elsewhere, before anything is changed."""
    names = [each.name for each in folder.entries]
    for name in names:
        if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
            raise ExecutionError(f"{os.fsdecode(name)!r} in the snapshot is no name of a file")
    if len(set(names)) < len(names) or depth > DEEPEST:
        raise ExecutionError("The snapshot has a name twice in a folder, or too many in another")
    for each in folder.entries:
        if isinstance(each, Folder):
            _check(each, depth + 1)


def _clear(folder: int) -> None:
    """Remove all entries, however deep: what is in a folder is moved up before it is removed."""
    while names := os.listdir(folder):
        for name in names:
            if not _is_folder(folder, name):
                os.unlink(name, dir_fd=folder)
                continue
            with _opened(_unlocked(folder, name), folder) as inner:
                _move_up(inner, folder)
            os.rmdir(name, dir_fd=folder)


def _move_up(inner: int, outermost: int) -> None:
    for name in os.listdir(inner):
        if _is_folder(inner, name):
            place = secrets.token_hex(16)
            os.rename(_unlocked(inner, name), place, src_dir_fd=inner, dst_dir_fd=outermost)
        else:
            os.unlink(name, dir_fd=inner)


def _is_folder(parent: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _unlocked(parent: int, name: str) -> str:
    """A folder that its owner may change from now on."""
    _unlock(name, parent)
    return name


def _unlock(name: Path | str, parent: int | None = None) -> None:
    """Let its owner change a folder; OSError where it is a link, if only since a moment ago."""
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(name, _OPEN_TO_OWNER, dir_fd=parent, follow_symlinks=False)
        return
    # Linux changes no mode without following links, but opens what it may not even read.
    folder = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{folder}", _OPEN_TO_OWNER)
    finally:
        os.close(folder)


def _fill(folder: int, saved: Folder) -> None:
    for each in saved.entries:
        if isinstance(each, Link):
            os.symlink(each.target, each.name, dir_fd=folder)
        elif isinstance(each, File):
            _write_file(folder, each)
        else:
            os.mkdir(each.name, _OPEN_TO_OWNER, dir_fd=folder)
            with _opened(each.name, folder) as inner:
                _fill(inner, each)
    _finish(folder, saved)


def _write_file(parent: int, saved: File) -> None:
    created = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(saved.name, created, 0o600, dir_fd=parent), "wb") as file:
        file.write(saved.data)
        file.flush()
        _finish(file.fileno(), saved)


def _finish(file: int, saved: File | Folder) -> None:
    """Permissions and time last: those of a folder would forbid, or be changed by, its filling."""
    os.chmod(file, saved.mode & _KEPT_MODE)
    os.utime(file, ns=(saved.modified_ns, saved.modified_ns))
