"""The raw file reader refuses what is not one complete plot."""

import numpy as np
import pytest

from lmu_analog.errors import SimulationError
from lmu_analog.spice.rawfile import read_raw

HEADER = (
    "Title: t\nDate: d\nPlotname: Transient Analysis\nFlags: real\nNo. Variables: 2\nNo. Points: 3\n"
    "Variables:\n\t0\ttime\ttime\n\t1\tv(x)\tvoltage\nBinary:\n"
)


def test_values_come_back_by_name(tmp_path):
    table = np.arange(6.0).reshape(3, 2)
    (tmp_path / "out.raw").write_bytes(HEADER.encode() + table.tobytes())
    vectors = read_raw(tmp_path / "out.raw")
    np.testing.assert_array_equal(vectors["time"], table[:, 0])
    np.testing.assert_array_equal(vectors["v(x)"], table[:, 1])


@pytest.mark.parametrize("cut", [1, 8, 40])
def test_a_file_that_was_cut_short_is_refused(tmp_path, cut):
    (tmp_path / "out.raw").write_bytes((HEADER.encode() + np.arange(6.0).tobytes())[:-cut])
    with pytest.raises(SimulationError, match="cut short"):
        read_raw(tmp_path / "out.raw")


def test_a_second_plot_is_refused(tmp_path):
    one = HEADER.encode() + np.arange(6.0).tobytes()
    (tmp_path / "out.raw").write_bytes(one + one)
    with pytest.raises(SimulationError, match="more than one plot"):
        read_raw(tmp_path / "out.raw")


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(SimulationError, match="wrote no results"):
        read_raw(tmp_path / "none.raw")
    (tmp_path / "text.raw").write_text("hello")
    with pytest.raises(SimulationError, match="no header"):
        read_raw(tmp_path / "text.raw")
