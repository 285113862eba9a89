"""From what a memory must do to its transistors: what was tried, what is refused."""

import pytest

from lmu_analog.errors import DesignError
from lmu_analog.silicon.designing import TRIED, sizing_for


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
        ({"bandwidth": 1e9}, r"^\[signal\] bandwidth: 1 GHz; .* at most [\d.]+ kHz"),
        ({"amplitude": 5.0}, r"^\[signal\] amplitude: 5 V; .* at most 200 mV"),
        ({"supply": 5.0}, r"^\[circuit\] supply: 5 V; .* 3.3 V; give that"),
    ],
)
def test_what_was_not_tried_is_refused_with_what_was(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        chosen(**changes)  # type: ignore[arg-type]
