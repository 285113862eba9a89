"""From what a memory must do to its transistors: what was tried, what is refused."""

import pytest

from lmu_analog.circuits.devices.pdk import find_pdk
from lmu_analog.errors import DesignError
from lmu_analog.silicon.designing import TRIED, chosen_for, largest_amplitude, sizing_for
from tests.kits import needs_gf180


def chosen(realization: str = "ladder", order: int = 3, theta: float = 1e-4, **changes: float):
    asked = {"bandwidth": 0.3 / theta, "amplitude": 0.2, "supply": 3.3} | changes
    return sizing_for(realization, order, theta, **asked)


@pytest.mark.parametrize("row", [row for row in TRIED if row.sizing is not None])
def test_every_sizing_is_chosen_for_a_memory_of_its_own(row) -> None:
    order, theta = row.orders[1], max(row.theta)
    found = chosen(row.realization, order, theta, bandwidth=row.turns / theta, amplitude=row.amplitude)
    assert found == row.sizing


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"realization": "legendre"}, r"^\[circuit\] realization: transistors make ladder.*, not legendre"),
        ({"order": 40}, r"^\[memory\] order: 40; .* tried for 1 to \d+; give another"),
        ({"theta": 1e3}, r"^\[memory\] theta: 1 ks; transistors of ladder were tried for \d+"),
        # Rows of fast and of slow windows leave a gap, which no message offers.
        ({"theta": 3e-5}, r"^\[memory\] theta: 30 us; .* for 1 us to 20 us and 50 us to 10 ms; give another"),
        (
            {"theta": 1e-4, "order": 6},
            r"^\[memory\] theta: 100 us; .* for 1 us to 20 us and 200 us to 10 ms; give another",
        ),
        ({"bandwidth": 1e9}, r"^\[signal\] bandwidth: 1 GHz; .* at most [\d.]+ kHz"),
        ({"amplitude": 5.0}, r"^\[signal\] amplitude: 5 V; .* at most 200 mV"),
        ({"supply": 5.0}, r"^\[circuit\] supply: 5 V; .* 3.3 V; give that"),
    ],
)
def test_what_was_not_tried_is_refused_with_what_was(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        chosen(**changes)  # type: ignore[arg-type]


def test_what_was_tried_says_how_large_a_signal_may_be() -> None:
    def asked(theta: float, turns: float = 0.3) -> float:
        return largest_amplitude("ladder", 3, theta, bandwidth=turns / theta)

    assert asked(1e-6) == 0.2
    assert asked(1e-2) == 0.1
    assert asked(1e-4) == 0.2
    assert asked(1e-2, turns=5.0) == 0.0
    assert asked(1e3) == 0.0


@needs_gf180
def test_windows_without_a_stored_sizing_have_one_from_device_tables() -> None:
    asked = {"bandwidth": 30.0, "amplitude": 0.1, "supply": 3.3}
    found = chosen(theta=1e-2, **asked)
    why = chosen_for("ladder", 3, 1e-2, **asked, installed=find_pdk("gf180mcu"))
    assert found == why.sizing
    assert found.doublet > 1.0
    assert any("doublets of pairs" in line for line in why.why)
