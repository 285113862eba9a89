"""Files and folders appear whole, through links, with the modes that are due; nothing of others' is removed."""

import ast
import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lmu_analog import files_out
from lmu_analog.errors import DesignError
from lmu_analog.files_out import check_file, whole_file, whole_folder, write_text


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Files of this test are for the group, too."""
    before = os.umask(0o007)
    yield 0o007
    os.umask(before)


def test_a_new_file_has_the_mode_that_the_umask_asks_for(tmp_path, umask):
    write_text(tmp_path / "new.txt", "x")
    with whole_folder(tmp_path / "folder") as half:
        (half / "inside.txt").write_text("y")
    assert mode(tmp_path / "new.txt") == 0o666 & ~umask
    assert mode(tmp_path / "folder") == 0o777 & ~umask
    assert mode(tmp_path / "folder" / "inside.txt") == 0o666 & ~umask


def test_a_replaced_file_keeps_its_mode(tmp_path):
    (tmp_path / "f.txt").write_text("before")
    (tmp_path / "f.txt").chmod(0o640)
    write_text(tmp_path / "f.txt", "after")
    assert (mode(tmp_path / "f.txt"), (tmp_path / "f.txt").read_text()) == (0o640, "after")


def test_a_write_protected_file_stays(tmp_path):
    (tmp_path / "f.txt").write_text("before")
    (tmp_path / "f.txt").chmod(0o444)
    with pytest.raises(
        DesignError, match=r"f\.txt is write-protected; give another name, or make it writable"
    ):
        write_text(tmp_path / "f.txt", "after")
    assert (tmp_path / "f.txt").read_text() == "before"


@pytest.mark.parametrize("there", [True, False])
def test_links_stay_and_what_they_point_to_is_written(tmp_path, there):
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "f.txt", tmp_path / "link.txt"
    if there:
        target.write_text("before")
    link.symlink_to(Path("disk", "f.txt"))
    write_text(link, "after")
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert [p.name for p in target.parent.iterdir()] == ["f.txt"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: os.mkfifo(p), "is a pipe, not a file"),
        (lambda p: p.symlink_to("/dev/null"), "is a device or socket, not a file"),
        (lambda p: p.mkdir(), "is a folder; give the name of a file in it"),
        (lambda p: p.symlink_to(p.name), "cannot be written: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_refused_before_the_work_and_left_alone(tmp_path, make, said):
    path = tmp_path / "out"
    make(path)
    before = path.lstat()
    for attempt in (check_file, lambda p: write_text(p, "x")):
        with pytest.raises(DesignError, match=said):
            attempt(path)
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["x" * 300, "x" * 250, "no/f.txt"])
def test_names_as_long_as_they_may_be_are_written_and_longer_ones_said(tmp_path, name):
    if name == "x" * 250:
        write_text(tmp_path / name, "x")
        assert [p.name for p in tmp_path.iterdir()] == [name]
        return
    with pytest.raises(
        DesignError, match="cannot be written: (File name too long|No such file or directory)"
    ):
        write_text(tmp_path / name, "x")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_file_of_before_and_nothing_else(tmp_path):
    (tmp_path / "f.txt").write_text("before")

    def fill(path):
        with whole_file(path) as half:
            half.write_text("half of ")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DesignError, match=r"f\.txt cannot be written: No space left on device"):
        fill(tmp_path / "f.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["f.txt"]
    assert (tmp_path / "f.txt").read_text() == "before"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_work_that_is_stopped_leaves_nothing(tmp_path, whole, error):
    with pytest.raises(error), whole(tmp_path / "out"):
        raise error
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from lmu_analog.files_out import whole_folder
with whole_folder(Path(sys.argv[1])) as half:
    (half / "inside.txt").write_text("half of ")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_and_nobody_elses(tmp_path):
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")], env=paths, check=False)
    (left,) = tmp_path.iterdir()
    mine = [tmp_path / ".out.mine.unfinished", tmp_path / "out.new"]
    for folder in mine:
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine")
    with whole_folder(tmp_path / "other"):
        assert left.exists()  # of another folder
    with whole_folder(tmp_path / "out"):
        assert not left.exists()
        (living,) = tmp_path.glob(".out.*.unfinished/" + files_out.MARK)
        with whole_folder(tmp_path / "out2"), whole_folder(tmp_path / "nested"):
            pass
        assert living.exists()  # its writer is at work
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [*(p.name for p in mine), "out", "other", "out2", "nested"]
    )


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")

    def fill():
        with whole_folder(tmp_path / "out"):
            pass

    with pytest.raises(DesignError, match="cannot be made: Directory not empty"):
        fill()
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_text_from_names_that_are_no_utf_8_can_be_written(tmp_path):
    write_text(tmp_path / "f.txt", "run \udcff.zarr")
    assert (tmp_path / "f.txt").read_text() == r"run \udcff.zarr"


WRITING = {"write_text", "write_bytes", "mkstemp", "mkdtemp", "rmtree", "unlink", "touch"}
MAY_WRITE = {
    "spice/commands.py",  # a deck in a temporary folder, as spice/ngspice.py
    "silicon/tables.py",  # through files_out.whole_file
    "silicon/fetching.py",  # through files_out.whole_folder
    "files_out.py",
    "storage/chunks.py",  # what zarr left of its own when it was killed
    "storage/lock.py",  # the lock of a run
    "spice/ngspice.py",  # in a temporary folder
    "networks/weights.py",  # into what whole_file hands out
    "output/decks.py",  # into what whole_folder hands out
}


def writes(node):
    """Tell whether a call writes or removes a file by itself, as a method: ``write_text(path, ...)`` is ours."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    opens = node.func.attr == "open" and any(set(mode) & set("wax+") and len(mode) < 4 for mode in modes)
    return opens or node.func.attr in WRITING


def test_only_the_places_that_are_for_it_write_files():
    package = Path(files_out.__file__).parent
    # No attribute has such a name where the text has none: most files need not be parsed.
    named = re.compile(rf"\.\s*(?:open|{'|'.join(WRITING)})\b")
    texts = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
    found = {
        str(path.relative_to(package))
        for path, text in texts.items()
        if named.search(text) and any(writes(node) for node in ast.walk(ast.parse(text)))
    }
    assert found  # the sieve lets through what it must
    assert found <= MAY_WRITE
