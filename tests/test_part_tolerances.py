"""Tolerances of single parts: drawn, in theory, at the worst corner, in lists, and the same in every player."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.design import Design
from lmu_analog.engine import native
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, draw, factor, law_steps, sample
from lmu_analog.output.design_text import commented
from lmu_analog.output.export.lists import bom_lines
from lmu_analog.theory.deviations import tolerance_box
from lmu_analog.theory.first_order import first_order

MISMATCH = {"resistor": "1 %", "capacitor": "2 %"}
DESIGN = Design(order=4, theta="1 ms", realization="legendre", opamp="TL072", mismatch=MISMATCH)
TIGHT = DESIGN.replace(
    part_tolerances=[
        {"components": "C*", "tolerance": "0.4 %"},
        {"components": ["Cint_1", "role:a[0,*]"], "tolerance": "0.1 %"},
    ]
)


def spread_of(design: Design) -> dict[str, float]:
    """Standard deviation of every part over its value, by 4000 draws."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=1, samples=range(4000)))
    return {p.name: values[:, k].std() / p.nominal for k, p in enumerate(circuit.parameters) if p.nominal}


def own(design: Design) -> dict[str, float]:
    """What the tables of TIGHT say, by hand."""
    found = {}
    for c in build(design).components:
        if c.name.startswith("C"):
            found[c.name] = 0.001 if c.name == "Cint_1" else 0.004
        elif c.name.startswith("R"):
            found[c.name] = 0.001 if c.role.startswith("a[0,") else 0.01
    return found


def test_parts_deviate_by_their_own_tolerance():
    found, wanted = spread_of(TIGHT), own(TIGHT)
    assert {0.001, 0.004, 0.01} == set(wanted.values())
    for name, tolerance in wanted.items():
        # A truncated normal has .986 of its sigma; 1.1 % is sigma of a deviation of 4000 draws: five of them.
        assert found[name] == pytest.approx(0.9866 * tolerance / 3.0, rel=0.056), name


def test_other_parts_meet_the_draws_that_they_met_before():
    circuit = build(DESIGN)
    values = []
    for design in (DESIGN, TIGHT):
        law = Mismatch.of(design)
        values.append(sample(circuit, law, draw(circuit, law, seed=3, samples=range(5))))
    same = (values[0] == values[1]).all(axis=0)
    kept = {p.name for p, is_same in zip(circuit.parameters, same, strict=True) if is_same}
    assert {name for name, t in own(TIGHT).items() if t == 0.01} == {n for n in kept if n[0] in "RC"}


@pytest.mark.skipif(not native.is_there(), reason="needs the native player")
@pytest.mark.parametrize("is_uniform", [False, True])
def test_both_players_draw_the_same_values(is_uniform):
    circuit = build(TIGHT)
    law = Mismatch(**{**vars(Mismatch.of(TIGHT)), "is_uniform": is_uniform})
    drawn = native.draw(law_steps(circuit, law), seed=7, samples=range(64)).T
    np.testing.assert_array_equal(drawn, sample(circuit, law, draw(circuit, law, seed=7, samples=range(64))))


def test_theory_agrees_with_sampling():
    found = exact_chunk(TIGHT, 0, range(4000)).window_nrmse
    theory = first_order(TIGHT)
    added = np.sqrt(np.mean(found**2) - theory.nominal**2)
    # The mean square of 4000 draws of some ten directions is known to 2 %, its root to 1 %: four of them.
    assert theory.predicted_rms == pytest.approx(added, rel=0.04)
    plain, wanted = first_order(DESIGN), own(TIGHT)
    share = [
        wanted[n.partition("|")[0]] / {"R": 0.01, "C": 0.02}[n[0]] if n[0] in "RC" else 1.0
        for n in theory.names
    ]
    np.testing.assert_allclose(theory.added_rms, plain.added_rms * share, rtol=1e-6, atol=1e-15)


def test_theory_takes_the_width_of_a_lognormal_law_from_the_part():
    """At a wide tolerance the law's deviation is not its slope: by draws of one factor."""
    wide = DESIGN.replace(
        mismatch={"resistor": Tolerance(0.01, "lognormal")},
        part_tolerances=[{"components": "Ra_0_0", "tolerance": "40 %"}],
    )
    theory = first_order(wide)
    column = theory.names.index("Ra_0_0|resistor")
    one = wide.replace(only="Ra_0_0")
    alone = first_order(one).jacobian[:, column]
    z = np.random.default_rng(0).standard_normal(200_000)
    slope = (factor(np.array([1e-4]), 0.4, "lognormal") - factor(np.array([-1e-4]), 0.4, "lognormal"))[
        0
    ] / 2e-4
    deviation = factor(z, 0.4, "lognormal").std() / slope
    plain = first_order(wide.replace(part_tolerances=[{"components": "Ra_0_0", "tolerance": "0.1 %"}]))
    per_slope = plain.jacobian[:, column] / 0.001  # at .1 % both are the same
    np.testing.assert_allclose(alone, per_slope * slope * deviation, rtol=0.02, atol=1e-9)


def test_the_worst_corner_takes_each_part_to_its_own_end():
    box = tolerance_box(build(TIGHT), Mismatch.of(TIGHT))
    names = [p.name for p in build(TIGHT).parameters]
    reach = {names[k]: size for k, size in zip(box.parameter, box.amount, strict=True)}
    assert reach == own(TIGHT)


def test_lists_of_parts_say_it():
    lines = bom_lines(TIGHT, build(TIGHT))
    found = {name: line.tolerance_percent for line in lines for name in line.deck_names.split()}
    assert (found["Cint_0"], found["Cint_1"], found["Ra_1_0"]) == ("0.4", "0.1", "1")


def test_a_design_file_keeps_them(tmp_path):
    (tmp_path / "d.toml").write_text(commented(TIGHT))
    assert Design.load(tmp_path / "d.toml").digest == TIGHT.digest != DESIGN.digest


def test_a_pattern_that_picks_nothing_is_refused():
    design = DESIGN.replace(part_tolerances=[{"components": "Rx_*", "tolerance": "1 %"}])
    with pytest.raises(
        DesignError, match=r"\[mismatch\] part 'Rx_\*' picks nothing that deviates; there are Cint_0"
    ):
        exact_chunk(design, 0, range(1))
