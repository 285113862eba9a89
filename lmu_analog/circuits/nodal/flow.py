"""The signal-flow graph of a circuit, from its extracted state space."""

import networkx as nx
import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import extract

NEGLIGIBLE = 1e-9  # of the largest gain into a state: rounding of the extraction


def signal_flow(circuit: Circuit) -> "nx.DiGraph[str]":
    """Draw x' = A x + B u as a graph (Mason, Proc. IRE 41, 1953).

    Parameters
    ----------
    circuit : Circuit
        Linear, or with a small-signal equivalent.

    Returns
    -------
    networkx.DiGraph
        Node ``u`` is the input, ``z0``, ``z1``, ... are the states of ``extract``; an edge from j to i has
        ``gain``, 1/s: a_ij, or b_i from the input. Gains below 1e-9 of the largest into a state are none, and states
        that are in no probe and reach none that is, such as the charges of a sampled tap, are left out.

    Raises
    ------
    CircuitError
        If the circuit has no state space.
    """
    system = extract(circuit)
    gains = np.concatenate([system.A, system.B], axis=1)
    names = [*(f"z{k}" for k in range(system.order)), circuit.source]
    drawn: nx.DiGraph[str] = nx.DiGraph()
    drawn.add_node(circuit.source, kind="input")
    drawn.add_nodes_from(names[:-1], kind="state")
    floor = NEGLIGIBLE * np.abs(gains).max(axis=1, initial=0.0, keepdims=True)
    for i, j in np.argwhere(np.abs(gains) > floor):
        drawn.add_edge(names[j], names[i], gain=float(gains[i, j]))
    seen = np.abs(system.C).max(axis=0, initial=0.0)
    shown = {names[k] for k in np.flatnonzero(seen > NEGLIGIBLE * seen.max(initial=0.0))}
    reaching = shown.union(*(nx.ancestors(drawn, name) for name in shown), {circuit.source})
    drawn.remove_nodes_from(set(drawn) - reaching)
    return drawn
