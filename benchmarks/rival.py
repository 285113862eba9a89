"""ngspice's side of the benchmarks: what runs inside a worker process, and is timed there."""

import time
from typing import Any

import numpy as np

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor
from lmu_analog.spice import ngspice


def ac_deck(circuits: list[Circuit], frequency: np.ndarray) -> str:
    """Write many linear copies into one deck, flat: ngspice's quickest way for linear circuits."""
    lines, saved = ["many copies", "Vin u 0 DC 0 AC 1"], []
    for k, circuit in enumerate(circuits):
        for c in circuit.components:
            lines += _lines(c, f"_{k}")
        saved += [f"v({term.of}_{k})" for probe in circuit.probes for term in probe]
    step = f".ac lin {len(frequency)} {float(frequency[0])!r} {float(frequency[-1])!r}"
    return "\n".join([*lines, step, ".save " + " ".join(saved), ".end", ""])


def _lines(c: Resistor | Capacitor | OpAmp, tag: str) -> list[str]:
    def net(name: str) -> str:
        return name if name in ("0", "u") else name + tag

    if isinstance(c, OpAmp):
        inner, gain = f"{c.name}x{tag}", c.model.gain
        pole = gain / (2.0 * np.pi * c.model.gbw)
        return [
            f"G{c.name}{tag} 0 {inner} {net(c.plus)} {net(c.minus)} 1",
            f"R{c.name}{tag} {inner} 0 {gain!r}",
            f"C{c.name}{tag} {inner} 0 {pole / gain!r}",
            f"E{c.name}{tag} {net(c.out)} 0 {inner} 0 1",
        ]
    return [f"{c.name}{tag} {net(c.a)} {net(c.b)} {c.value!r}"]


def run_raw(deck: str) -> tuple[float, dict[str, np.ndarray]]:
    """Load, run and read a deck in this process; CPU seconds and vectors. Call it in a worker."""
    simulator = ngspice._simulator()
    simulator.forget()
    start = time.process_time()
    simulator.attempt(lambda: simulator.load_circuit(deck))
    simulator.attempt(lambda: simulator.exec_command("run"))
    plot = simulator.plot(None, simulator.last_plot)
    vectors = {name: np.array(vector._data) for name, vector in plot.items()}
    seconds = time.process_time() - start
    simulator.attempt(lambda: simulator.exec_command("destroy all"))
    return seconds, ngspice.named(vectors)


def timed_transient(deck: str, analysis: Any, recording: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    """Run a transient in this process, with its CPU seconds; call it in a worker."""
    start = time.process_time()
    vectors = ngspice.run_here(deck, analysis, recording)
    return time.process_time() - start, vectors


def spin(seconds: float) -> float:
    """Count turns of a busy loop for a while: what a core gives."""
    end, turns = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        turns += sum(range(1000)) > 0
    return turns / seconds
