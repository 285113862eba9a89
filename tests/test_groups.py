"""Correlated groups: the marginals stay, pairs correlate as asked, theory and sampling agree."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, columns, draw, sample
from lmu_analog.theory.sensitivity import elements

MISMATCH = {"resistor": Tolerance(0.01, "gauss"), "capacitor": Tolerance(0.02, "gauss")}
DESIGN = Design(order=3, theta="1 ms", opamp="TL072", realization="legendre", mismatch=MISMATCH)


def grouped(correlation: float, components: str = "Ra_*", **changes) -> Design:
    return DESIGN.replace(groups=[{"components": components, "correlation": correlation}], **changes)


def deviations(design: Design, count: int = 4000) -> dict[str, np.ndarray]:
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=1, samples=range(count)))
    return {p.name: values[:, k] - p.nominal for k, p in enumerate(circuit.parameters)}


@pytest.mark.parametrize("rho", [0.25, 0.8, 1.0])
def test_members_correlate_as_asked_and_deviate_as_much_as_alone(rho):
    found = deviations(grouped(rho))
    members = np.stack([v for k, v in found.items() if k.startswith("Ra_")])
    nominal = np.array([p.nominal for p in build(DESIGN).parameters if p.name.startswith("Ra_")])
    # Sigma of a correlation of 4000 draws is (1 - rho^2)/63, of a standard deviation 1.1 %; five sigma each.
    off_diagonal = np.corrcoef(members)[~np.eye(len(members), dtype=bool)]
    np.testing.assert_allclose(off_diagonal, rho, atol=5 * (1 - rho**2) / 63 + 1e-12)
    np.testing.assert_allclose(members.std(axis=1) / nominal, 0.01, rtol=0.056)


def test_what_is_in_no_group_meets_the_draws_that_it_met_before():
    plain, found = deviations(DESIGN, 5), deviations(grouped(0.5), 5)
    for name, values in plain.items():
        assert (np.array_equal(values, found[name])) != name.startswith("Ra_"), name


def test_a_correlation_of_zero_is_no_group():
    for name, values in deviations(DESIGN, 5).items():
        np.testing.assert_array_equal(deviations(grouped(0.0), 5)[name], values)


def test_every_class_and_quantity_of_a_group_shares_a_draw_of_its_own():
    design = grouped(1.0, "Ra_*,Cint_*,Uint_*", mismatch={**MISMATCH, "opamp": "3 %"})
    found = deviations(design, 200)
    relative = {k: v / np.abs(v).max() for k, v in found.items()}
    np.testing.assert_allclose(relative["Cint_0"], relative["Cint_2"], atol=1e-12)
    np.testing.assert_allclose(relative["Uint_0.offset"], relative["Uint_1.offset"], atol=1e-12)
    for a, b in (("Cint_0", "Ra_0_0"), ("Uint_0.gbw", "Uint_0.offset"), ("Uint_0.gbw", "Cint_0")):
        # Sigma of a correlation of 200 draws is .07; four sigma.
        assert abs(np.corrcoef(relative[a], relative[b])[0, 1]) < 0.28


def test_the_draw_of_a_group_is_named_by_it_and_not_by_its_place():
    circuit = build(DESIGN)
    two = [{"components": c, "correlation": 0.5} for c in ("Ra_*", "Cint_*")]
    laws = [Mismatch.of(DESIGN.replace(groups=order)) for order in (two, two[::-1])]
    z = [
        dict(zip(columns(circuit, law), draw(circuit, law, seed=0, samples=range(3)).T, strict=True))
        for law in laws
    ]
    assert "group Ra_*|resistor" in z[0]
    for name, drawn in z[0].items():
        np.testing.assert_array_equal(drawn, z[1][name])


def test_theory_counts_the_shared_part():
    def rms(design):
        return elements(design).attrs["predicted_rms"]

    # Uncorrelated and fully correlated parts of the variance add in proportion to 1 - rho and rho.
    alone, together = rms(grouped(0.0)), rms(grouped(1.0))
    assert rms(grouped(0.3)) ** 2 == pytest.approx(0.7 * alone**2 + 0.3 * together**2, rel=1e-6)
    assert abs(together / alone - 1.0) > 0.04


def test_a_group_and_a_selection_go_together():
    found = deviations(grouped(0.9, only="Ra_0_*"), 5)
    whole = deviations(grouped(0.9), 5)
    for name, values in found.items():
        np.testing.assert_array_equal(values, whole[name] if name.startswith("Ra_0_") else 0.0)


@pytest.mark.parametrize(
    ("components", "message"),
    [
        (["Rx_*"], r"^\[mismatch\] group 'Rx_\*' picks nothing that deviates; there are Cint_0, "),
        (["Uint_*"], r"^\[mismatch\] group 'Uint_\*' picks nothing that deviates"),
        (["Ra_*", "Ra_0_0"], r"^\[mismatch\] group 'Ra_0_0': Ra_0_0 is in another group too$"),
    ],
)
def test_a_group_that_cannot_be_is_refused(components, message):
    design = DESIGN.replace(groups=[{"components": c, "correlation": 0.5} for c in components])
    with pytest.raises(DesignError, match=message):
        columns(build(design), Mismatch.of(design))
