"""The memory as a behavioural model in Verilog-A: the state space of the circuit, linear."""

from collections.abc import Iterator

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import StateSpace

_HEADER = """\
// {title}
// The circuit's own state space, linear: small signal of a nonlinear circuit, no rails, no slew limits.
// theta x' = theta (A x + B u), and m = C x + D u: the coefficients are those of the circuit's elements.
// Ports: u the input, m0, m1, ... the Legendre states of the window, all voltages against ground.
// design = {design}
`include "disciplines.vams"
"""


def verilog_a(design: Design, circuit: Circuit) -> str:
    """Write a Verilog-A module whose states are those of the circuit.

    Raises
    ------
    DesignError
        If the circuit is sampled, which this language has no plain form for.
    """
    system = extract(circuit)
    if system.dt is not None:
        raise DesignError(f"verilog-a: {circuit.family} is a sampled circuit; export a continuous one")
    theta = design.theta
    name = f"lmu_{circuit.family}_{circuit.realization}_{circuit.order}".replace("-", "_")
    states = [f"x{k}" for k in range(system.A.shape[-1])]
    ports = [f"m{i}" for i in range(circuit.order)]
    title = f"Legendre memory, {circuit.family} {circuit.realization}, order {circuit.order}"
    body = [
        f"module {name}(u, {', '.join(ports)});",
        f"    inout u, {', '.join(ports)};",
        f"    electrical u, {', '.join(ports)};",
        f"    electrical {', '.join(states)};",
        "    analog begin",
        *(
            f"        I({x}) <+ {theta!r}*ddt(V({x})) - ({_sum(theta * a, states, theta * float(b))});"
            for x, a, b in zip(states, system.A, system.B[:, 0], strict=True)
        ),
        *_outputs(ports, states, system),
        "    end",
        "endmodule",
    ]
    return _HEADER.format(title=title, design=design.digest) + "\n".join(body) + "\n"


def _outputs(ports: list[str], states: list[str], system: StateSpace) -> Iterator[str]:
    for i, port in enumerate(ports):
        total = _sum(system.C[i], states, float(system.D[i, 0]))
        if system.offset is not None and system.offset[i]:
            total += f" + {float(system.offset[i])!r}"
        yield f"        V({port}) <+ {total.replace('+ -', '- ')};"


def _sum(row: np.ndarray, names: list[str], direct: float) -> str:
    """Write a weighted sum of nets and the input; zeros are left out."""
    terms = [f"{float(w)!r}*V({name})" for w, name in zip(row, names, strict=True) if w]
    terms += [f"{direct!r}*V(u)"] if direct else []
    return (" + ".join(terms) or "0.0").replace("+ -", "- ")
