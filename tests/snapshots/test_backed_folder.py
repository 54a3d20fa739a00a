"""`DirectoryBacked`: any tree comes back, and no snapshot leads out of the folder."""

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_lite import DirectoryBacked
from openenv_lite.backed import tree
from openenv_lite.backed.tree import DEEPEST, ENTRY_BYTES, File, Folder, Link
from openenv_lite.errors import ExecutionError


class Plain(DirectoryBacked):
    def __init__(self, directory: Path) -> None:
        self.directory = directory


NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"A", b"...", b"-rf", b"a\nb", b"\xff\xfe", "é".encode(), b" "]),
    st.binary(min_size=1, max_size=20).filter(
        lambda name: name not in (b".", b"..") and not set(name) & {0, ord("/")}
    ),
)
TARGETS = st.sampled_from([b"a", b"../..", b"/etc/passwd", b"nowhere", b".", b"\xff"])
TIMES = st.integers(0, 4_000_000_000_000_000_000)
FILE_MODES = st.integers(0o400, 0o777).map(lambda mode: mode | 0o400)
FOLDER_MODES = st.integers(0, 0o1777).map(lambda mode: mode | 0o500)
FILES = st.builds(File, NAMES, FILE_MODES, TIMES, st.binary(max_size=30))
LINKS = st.builds(Link, NAMES, TARGETS)


def folders(names: st.SearchStrategy[bytes], inner: st.SearchStrategy[Any]) -> Any:
    entries = st.lists(inner, max_size=4, unique_by=lambda each: each.name)
    in_order = entries.map(lambda found: sorted(found, key=lambda each: each.name))
    return st.builds(Folder, names, FOLDER_MODES, TIMES, in_order)


INSIDE = st.recursive(FILES | LINKS, lambda inner: folders(NAMES, inner) | inner, max_leaves=12)
TREES = folders(st.just(b""), INSIDE)


@given(TREES, TREES)
def test_any_tree_comes_back_whatever_is_in_its_place(saved: Folder, other: Folder) -> None:
    with tempfile.TemporaryDirectory() as outside:
        backed = Plain(Path(outside) / "inside")
        backed.directory.mkdir()
        (Path(outside) / "precious").write_text("as it was")
        for each in (saved, other, saved):
            backed.restore(each)
            assert backed.snapshot() == each
            assert backed.snapshot() == each  # taking one changes nothing
        assert sorted(os.listdir(outside)) == ["inside", "precious"]
        assert (Path(outside) / "precious").read_text() == "as it was"
        backed.restore(root_with())  # what the test may remove


@given(TREES)
def test_any_tree_survives_the_wire(saved: Folder) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=Folder) == saved


def test_files_are_what_they_were_for_those_who_read_them(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo")
    (tmp_path / "run.sh").chmod(0o750)
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("run.sh")
    backed = Plain(tmp_path)
    saved = backed.snapshot()
    written = (tmp_path / "run.sh").stat().st_mtime_ns
    (tmp_path / "run.sh").write_text("rm")
    (tmp_path / "link").unlink()
    (tmp_path / "link").write_text("now a file")
    (tmp_path / "empty" / "inner").rmdir()
    (tmp_path / "new").touch()
    backed.restore(saved)
    assert sorted(os.listdir(tmp_path)) == ["empty", "link", "run.sh"]
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_text() == "echo"
    assert (tmp_path / "empty" / "inner").is_dir()
    assert stat.S_IMODE((tmp_path / "run.sh").stat().st_mode) == 0o750
    assert (tmp_path / "run.sh").stat().st_mtime_ns == written


def test_links_in_the_way_are_replaced_and_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "file").write_text("inside")
    backed = Plain(inside)
    saved = backed.snapshot()
    outside.mkdir()
    (outside / "file").write_text("outside")
    (inside / "sub" / "file").unlink()
    (inside / "sub").rmdir()
    (inside / "sub").symlink_to(outside)
    (inside / "deep").mkdir()
    (inside / "deep" / "link").symlink_to(outside)
    assert Link(b"sub", os.fsencode(outside)) in backed.snapshot().entries
    backed.restore(saved)
    assert (inside / "sub" / "file").read_text() == "inside"
    assert (outside / "file").read_text() == "outside"


def root_with(*entries: Any) -> Folder:
    return Folder(b"", 0o700, 0, list(entries))


def file(name: bytes) -> File:
    return File(name, 0o600, 0, b"forged")


FORGED = {
    "absolute": root_with(file(b"/tmp/forged")),
    "above": root_with(file(b"../forged")),
    "above, as a folder": root_with(Folder(b"..", 0o700, 0, [file(b"forged")])),
    "below the root's parent": root_with(Folder(b"a", 0o700, 0, [file(b"../../forged")])),
    "itself": root_with(file(b".")),
    "nothing": root_with(file(b"")),
    "ending early": root_with(file(b"a\0b")),
    "a link's name": root_with(Link(b"../forged", b"a")),
    "a linked parent": root_with(Link(b"a", b".."), Folder(b"a", 0o700, 0, [file(b"forged")])),
    "a linked file": root_with(Link(b"a", b"../forged"), file(b"a")),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_snapshot_is_refused_and_changes_nothing(name: str, tmp_path: Path) -> None:
    backed = Plain(tmp_path / "inside")
    backed.directory.mkdir()
    (backed.directory / "kept").write_text("as it was")
    before = backed.snapshot()
    with pytest.raises(ExecutionError, match="snapshot"):
        backed.restore(FORGED[name])
    assert backed.snapshot() == before
    assert os.listdir(tmp_path) == ["inside"]


def test_a_forged_owners_bit_is_not_set(tmp_path: Path) -> None:
    backed = Plain(tmp_path)
    backed.restore(root_with(File(b"shell", 0o6755, 0, b""), Folder(b"group", 0o2755, 0, [])))
    assert stat.S_IMODE((tmp_path / "shell").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "group").stat().st_mode) & 0o6000 == 0


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    class Small(Plain):
        MAX_DIRECTORY_BYTES = 2 * ENTRY_BYTES + 100

    backed = Small(tmp_path)
    (tmp_path / "a").write_bytes(bytes(50))
    (tmp_path / "b").write_bytes(bytes(50))
    saved = backed.snapshot()
    (tmp_path / "b").write_bytes(bytes(51))
    with pytest.raises(ExecutionError, match="raise MAX_DIRECTORY_BYTES"):
        backed.snapshot()
    os.truncate(tmp_path / "b", 2**40)  # takes no room on the disk, and has none in memory
    with pytest.raises(ExecutionError, match="more than 612 bytes"):
        backed.snapshot()
    (tmp_path / "b").unlink()
    (tmp_path / "b").symlink_to("b" * 51)
    with pytest.raises(ExecutionError, match="more than 612 bytes"):
        backed.snapshot()
    backed.restore(saved)
    assert backed.snapshot() == saved


def nested(depth: int) -> Folder:
    folder = Folder(b"d", 0o700, 0, [])
    for _ in range(depth - 1):
        folder = Folder(b"d", 0o700, 0, [folder])
    return root_with(folder)


def test_the_deepest_tree_comes_back_and_a_deeper_one_is_refused(tmp_path: Path) -> None:
    backed = Plain(tmp_path)
    backed.restore(nested(DEEPEST))
    assert backed.snapshot() == nested(DEEPEST)
    with pytest.raises(ExecutionError, match="too many in another"):
        backed.restore(nested(DEEPEST + 1))
    os.makedirs(tmp_path.joinpath(*["d"] * (DEEPEST + 1)))
    with pytest.raises(ExecutionError, match="nested more than 100 deep"):
        backed.snapshot()


def test_a_tree_too_deep_for_any_path_is_cleared(tmp_path: Path) -> None:
    backed = Plain(tmp_path)
    saved = backed.snapshot()
    start = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(3000):
            os.mkdir("deep")
            os.chdir("deep")
    finally:
        os.fchdir(start)
        os.close(start)
    backed.restore(saved)
    assert os.listdir(tmp_path) == []


def test_a_locked_folder_is_replaced(tmp_path: Path) -> None:
    backed = Plain(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("text")
    (tmp_path / "a" / "b").chmod(0o500)
    (tmp_path / "a").chmod(0o500)
    saved = backed.snapshot()
    backed.restore(saved)
    backed.restore(root_with())
    assert os.listdir(tmp_path) == []
    backed.restore(saved)
    assert backed.snapshot() == saved


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    backed = Plain(tmp_path / "inside")
    backed.directory.mkdir()
    (backed.directory / "file").write_text("text")
    saved = backed.snapshot()
    shutil.rmtree(backed.directory)
    backed.restore(saved)
    assert backed.snapshot() == saved


def test_a_folder_that_was_swapped_for_a_link_is_not_touched(tmp_path: Path) -> None:
    backed = Plain(tmp_path / "inside")
    backed.directory.mkdir()
    saved = backed.snapshot()
    backed.directory.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "precious").touch()
    backed.directory.symlink_to(tmp_path / "elsewhere")
    for refused in (backed.snapshot, lambda: backed.restore(saved)):
        with pytest.raises(NotADirectoryError):
            refused()
    assert os.listdir(tmp_path / "elsewhere") == ["precious"]


def test_a_folder_that_becomes_a_link_meanwhile_opens_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process that the environment has started can make it."""
    looked = tree._is_folder

    def swapped(parent: int, name: str) -> bool:
        is_folder = looked(parent, name)
        (tmp_path / "inside" / name).rename(tmp_path / "gone")
        (tmp_path / "inside" / name).symlink_to(tmp_path / "outside")
        return is_folder

    (tmp_path / "inside" / "sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir(mode=0o555)
    monkeypatch.setattr(tree, "_is_folder", swapped)
    with pytest.raises(OSError, match="sub"):
        tree.write(Folder(b"", 0o755, 0, []), tmp_path / "inside")
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o555


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ExecutionError, match=r"pipe in .* is a socket, pipe or device"):
        Plain(tmp_path).snapshot()
