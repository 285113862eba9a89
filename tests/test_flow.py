"""The signal-flow graph holds the whole state space, and the structure of the realization."""

import networkx as nx
import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.flow import signal_flow
from lmu_analog.design import Design


@pytest.mark.parametrize("realization", ["legendre", "cap-feedforward", "ladder"])
def test_the_graph_gives_the_state_space_back(realization):
    circuit = build(Design(order=6, theta="1 ms", realization=realization))
    drawn, system = signal_flow(circuit), extract(circuit)
    names = [f"z{k}" for k in range(system.order)]
    A = nx.to_numpy_array(drawn, nodelist=names, weight="gain").T
    # What is left out is below 1e-9 of the row's largest gain.
    np.testing.assert_allclose(A, system.A, atol=1e-9 * np.abs(system.A).max())
    B = [drawn.edges["u", name]["gain"] if drawn.has_edge("u", name) else 0.0 for name in names]
    np.testing.assert_allclose(B, system.B[:, 0], atol=1e-9 * np.abs(system.B).max())


def test_the_legendre_matrix_is_a_complete_graph_and_the_ladder_a_chain():
    order = 6
    complete = signal_flow(build(Design(order=order, theta="1 ms", realization="legendre")))
    assert complete.number_of_edges() == order**2 + order
    ladder = signal_flow(build(Design(order=order, theta="1 ms", realization="ladder")))
    # 2(d-1) off-diagonals, one damping, one input: docs/reference-figures.md.
    assert ladder.number_of_edges() == 2 * order
    assert nx.is_weakly_connected(ladder)


def test_the_input_is_a_source_and_every_state_hears_it():
    drawn = signal_flow(build(Design(order=4, theta="1 ms", family="rc-synapse")))
    assert drawn.in_degree("u") == 0
    assert nx.descendants(drawn, "u") == {f"z{k}" for k in range(4)}


def test_charges_of_sampled_taps_are_no_part_of_the_memorys_graph():
    asked = Design(order=2, theta="1 ms", family="switched-capacitor", realization="legendre")
    plain, tapped = (signal_flow(build(asked.replace(taps=taps))) for taps in ([], [0.5]))
    assert set(tapped) == set(plain)
    for edge, gain in nx.get_edge_attributes(plain, "gain").items():
        assert tapped.edges[edge]["gain"] == pytest.approx(gain, rel=1e-9)
