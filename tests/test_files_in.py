"""Reading users' files: whole, regular and bounded, or refused in one line."""

import os
import re
from pathlib import Path

import pytest

from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes, size


def refusal(path, *, most=10):
    with pytest.raises(DesignError, match="; give a table") as caught:
        read_bytes(path, most=most, wanted="a table")
    return str(caught.value)


def test_a_file_of_at_most_the_size_is_read_whole(tmp_path):
    path = tmp_path / "ten"
    path.write_bytes(b"0123456\r\n\0")
    assert read_bytes(path, most=10, wanted="a table") == b"0123456\r\n\0"
    assert read_bytes(str(path), most=11, wanted="a table") == b"0123456\r\n\0"
    assert refusal(path, most=9) == f"{path}: larger than 9 bytes; give a table of at most that size"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: a folder, not a file; give a table"
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'}: no such file; give a table"
    assert re.fullmatch(r".*: cannot be read \(.*\); give a table", refusal(tmp_path / ("x" * 300)))
    assert refusal("a\0b") == r"'a\x00b': no name of a file; give a table"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
def test_a_pipe_nobody_writes_and_a_device_without_end_are_refused(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refusal(pipe) == f"{pipe}: a pipe, not a file; give a table"
    assert refusal(Path("/dev/zero")) == "/dev/zero: a device, not a file; give a table"


@pytest.mark.parametrize(("count", "text"), [(9, "9 bytes"), (1_000_000, "1 MB"), (2_500, "2.5 kB")])
def test_a_size_is_written_in_decimal_units(count, text):
    assert size(count) == text
