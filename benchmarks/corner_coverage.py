"""Is the corner found to destabilise one in ngspice, too? Three designs, two percent below it and above.

    python benchmarks/corner_coverage.py

R and C have exactly the errors of the corner's signs; a short pulse sets the circuit ringing, and ngspice, with the
op-amps' limits, says whether it dies out or grows until outputs are at their swing. The rate of either is fitted to
the peaks and compared with the poles. Beside it, as many random corners of the box below the guaranteed bound as
``RANDOM``, by their poles. Prints a table and writes benchmarks/results/corner_coverage.json.
"""

import json
import os
import platform
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog import Design, build, extract  # noqa: E402
from lmu_analog.circuits.circuit import Circuit, with_values  # noqa: E402
from lmu_analog.circuits.components import OpAmp  # noqa: E402
from lmu_analog.memory.statespace import growth  # noqa: E402
from lmu_analog.spice import ngspice  # noqa: E402
from lmu_analog.spice.deck import Transient, deck, vector  # noqa: E402
from lmu_analog.stimulus import Recording  # noqa: E402
from lmu_analog.theory.deviations import common_box  # noqa: E402
from lmu_analog.theory.stability_bound import stability_bound  # noqa: E402
from lmu_analog.theory.worst_corner import worst_corner  # noqa: E402
from lmu_analog.version import __version__  # noqa: E402

DESIGNS = (("cap-feedforward", 6), ("legendre", 6), ("bus-ladder", 5))
ASIDE = 0.02  # of the corner
PULSE = 0.002  # V, half a sine of one theta
LONG = 8.0  # nepers of growth, or of decay, that a run is long: 3000 times
STEPS = 300  # in one theta: the fitted rate is then within .3 % of the poles
LINEAR, FAINT = 0.5, 1e-2  # of the swing, and of the pulse: between them the rate is fitted
RANDOM = 1000


def rung(circuit: Circuit, rate: float) -> dict[str, float]:
    """Let a pulse ring in ngspice; give the fitted rate, 1/s, and the largest state at the end over the swing."""
    theta = circuit.theta
    pulse = Recording(theta / 20, PULSE * np.sin(np.pi * np.linspace(0.0, 1.0, 21)))
    analysis = Transient(LONG / abs(rate) + 5.0 * theta, theta / STEPS)
    found = ngspice.run(deck(circuit, analysis, pulse), analysis)
    nets = sorted(
        {vector(t) for probe in circuit.probes for t in probe if t.kind == "v" and t.of != circuit.source}
    )
    times = np.arange(2.0 * theta, analysis.stop, theta / 50)
    volts = np.array([np.interp(times, found["time"], found[net]) for net in nets])
    swing = min(c.model.swing for c in circuit.components if isinstance(c, OpAmp))
    # What rings, without what op-amps' offsets leave; its largest value in every theta.
    ringing = (
        np.abs(np.diff(volts, axis=1)).max(axis=0)[: len(times) // 50 * 50 - 50].reshape(-1, 50).max(axis=1)
    )
    size = np.abs(volts).max(axis=0)[: 50 * len(ringing)].reshape(-1, 50).max(axis=1)
    usable = (size < LINEAR * swing) & (ringing > FAINT * ringing[: max(1, len(ringing) // 4)].max())
    at = np.flatnonzero(usable)
    at = at[len(at) // 3 :]  # faster modes have died out
    fitted = float(np.polyfit(at * theta, np.log(ringing[at]), 1)[0])
    return {"rate": fitted, "end": float(size[-1] / swing)}


def covered(realization: str, order: int) -> dict[str, object]:
    """Compare poles and ngspice below and above the corner found, and random corners below the bound."""
    circuit = build(Design(order=order, theta="1 ms", realization=realization, opamp="OPA2192"))
    box = common_box(circuit)
    corner, bound = worst_corner(circuit, box), stability_bound(circuit, box)
    row: dict[str, object] = {"realization": realization, "order": order, "worst_corner": corner.size}
    row["worst_corner_bound"] = bound.size
    for side, size in (("below", (1.0 - ASIDE) * corner.size), ("above", (1.0 + ASIDE) * corner.size)):
        values = box.values(circuit.values, np.array([size]), corner.signs[None])[0]
        rate = float(growth(extract(circuit, values)))
        row[side] = {"error": size, "growth": rate, **rung(with_values(circuit, values), rate)}
    z = np.random.default_rng(0).choice([-1.0, 1.0], (RANDOM, box.count))
    values = box.values(circuit.values, np.full(RANDOM, bound.size), z)
    row["random_unstable"] = int((growth(extract(circuit, values)) >= 0.0).sum())
    return row


def main() -> None:
    rows = [covered(*design) for design in DESIGNS]
    print(
        f"{'circuit':<20}{'corner':>9}{'bound':>9}{'':>8}{'error':>9}{'poles':>11}{'ngspice':>11}{'end':>11}"
    )
    for row in rows:
        for side in ("below", "above"):
            one = row[side]
            print(
                f"{row['realization'] + ' ' + str(row['order']):<20}{100 * row['worst_corner']:>8.3f}%"
                f"{100 * row['worst_corner_bound']:>8.3f}%{side:>8}{100 * one['error']:>8.3f}%"
                f"{one['growth']:>8.1f}/s{one['rate']:>8.1f}/s{100 * one['end']:>8.2g} %"
            )
        print(f"{'':20}of {RANDOM} random corners at the bound, {row['random_unstable']} are unstable")
    machine = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    content = {"lmu_analog": __version__, **machine, "aside": ASIDE, "random": RANDOM, "designs": rows}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "corner_coverage.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
