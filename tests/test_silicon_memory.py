"""Cells and the memory of transistors: geometry against the ideal circuit, and predistortion against a known one."""

from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices.pdk import pdk
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.sampled import steady_response
from lmu_analog.silicon.cells import Sizing, shape
from lmu_analog.silicon.devices import Mos
from lmu_analog.silicon.memory import chain_lengths, plan, predistorted, response, transistors

SIZING = Sizing(6e-12, 0.0539, 4.285, 45e-6, 45e-6, 45e-6, 45e-6, cascode_ratio=0.6)
GF180 = pdk("gf180mcu")
FREQUENCY = 300.0 * np.arange(1, 11)


def ideal(realization: str = "ladder"):
    circuit = build(Design(order=3, theta=1e-4, family="gm-c", realization=realization, bandwidth=3e3))
    return circuit, plan(circuit, SIZING.capacitance, FREQUENCY)


@pytest.mark.parametrize("realization", ["ladder", "rlc-ladder"])
def test_a_plan_reads_the_states_of_the_ideal_circuit(realization: str) -> None:
    circuit, found = ideal(realization)
    states = response(found, FREQUENCY) @ found.readout.T
    # Both are solves of small, well-conditioned systems of twelve-digit values.
    np.testing.assert_allclose(states, steady_response(extract(circuit), FREQUENCY), rtol=1e-8)
    assert np.abs(response(found, FREQUENCY)).max() == pytest.approx(1.0, abs=1e-5)


def test_geometry_goes_with_conductance_and_loads_carry_their_tails() -> None:
    _, found = ideal()
    drawn = transistors(found, SIZING, GF180)
    ratios: dict[str, float] = {}
    for m in drawn.transistors:  # a chain of k devices has k times the width, each
        ratios[m.name.rstrip("0123456789")] = ratios.get(m.name.rstrip("0123456789"), 0.0) + m.length / (
            m.count * m.width
        )
    widths = {name: SIZING.pair / ratio for name, ratio in ratios.items()}
    for x, g in zip(found.amplifiers, found.conductance, strict=True):
        # Sizes move by 1 % where they would lie on the edge of a bin.
        assert widths[f"{x.name}.a"] == pytest.approx(g * SIZING.width_per_siemens, rel=0.011)
        assert widths[f"{x.name}.t"] == pytest.approx(2.0 * widths[f"{x.name}.a"], rel=0.022)
    for net in found.nets:
        total = sum(widths[f"{x.name}.a"] for x in found.amplifiers if x.out == net)
        assert widths[f"L{net}p.l"] == pytest.approx(SIZING.load_ratio * total, rel=0.022)
    mim = drawn.capacitors[0]
    made = GF180.device(mim.device).capacitance(mim.width, mim.length)
    assert mim.count * made == pytest.approx(SIZING.capacitance / 2.0, rel=1e-4)


def test_narrow_devices_are_chains_and_limits_are_named() -> None:
    device = GF180.device("nmos_3p3")
    drawn = shape(device, 0.1e-6, 45e-6, least=0.25e-6)
    assert (drawn.series, drawn.width) == (3, pytest.approx(0.3e-6))
    assert shape(device, 1.2e-6, 45e-6, least=0.25e-6).width == pytest.approx(1.212e-6)
    with pytest.raises(
        DesignError, match="nmos_3p3: length = 60 um; its model holds from 280 nm to 50.001 um"
    ):
        shape(device, 1e-6, 60e-6, least=0.25e-6)


def test_predistortion_finds_what_undoes_known_errors() -> None:
    _, found = ideal()
    rng = np.random.default_rng(1)
    wrong_g = np.exp(0.1 * rng.standard_normal(len(found.conductance)))
    wrong_c = np.exp(0.1 * rng.standard_normal(len(found.capacitance)))

    def built(wanted):
        return replace(
            wanted, conductance=wanted.conductance * wrong_g, capacitance=wanted.capacitance * wrong_c
        )

    mended = predistorted(found, lambda p: response(built(p), FREQUENCY), FREQUENCY, steps=5)
    before = np.abs(response(built(found), FREQUENCY) - response(found, FREQUENCY)).max()
    after = np.abs(response(built(mended), FREQUENCY) - response(found, FREQUENCY)).max()
    assert before > 0.05
    assert (
        after < 1e-6 * before
    )  # Gauss-Newton on a problem with an exact answer; the ridge costs 1e-8 a step


def test_all_transistors_have_sizes_off_the_edges_of_bins() -> None:
    _, found = ideal("rlc-ladder")
    for m in transistors(found, SIZING, GF180).devices:
        if isinstance(m, Mos):
            edges = np.array(GF180.device(m.device).bins_w[1:-1])
            assert np.abs(m.width / edges - 1.0).min() > 0.0099


def test_chains_stay_as_they_were_while_widths_are_corrected() -> None:
    _, found = ideal()
    chains = chain_lengths(transistors(found, SIZING, GF180))
    moved = replace(found, conductance=1.5 * found.conductance)
    assert max(chains.values()) > 1
    assert chain_lengths(transistors(moved, SIZING, GF180)) != chains
    assert chain_lengths(transistors(moved, SIZING, GF180, chains=chains)) == chains
