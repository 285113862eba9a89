"""Standard values with a fitted readout, and measured parts in their places.

    python -m benchmarks.readout_fit

Prints two tables and writes benchmarks/results/readout_fit.json. The first has what roundings to E24 and E96 add (rms
against the ideal memory over band and window) with common levels alone, and with values chosen for a readout that is
fitted afterwards; what the readout does to noise and beyond the band; and the window NRMSE of a chirp and of three
tones between those of the test signal, beside what the ideal memory has: what the fit did not see. The same with common
levels and a readout that is fitted to the window itself. The second has what parts of 1 % add to a ladder of order 12,
unmatched (median of 20 circuits), with the nearest part in each place and placed together. Seconds are CPU seconds of
the build and of the placement.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.building import build, with_its_readout, without_readout  # noqa: E402
from lmu_analog.circuits.circuit import Circuit  # noqa: E402
from lmu_analog.circuits.components import Capacitor, Resistor  # noqa: E402
from lmu_analog.circuits.devices.measured import MeasuredPart  # noqa: E402
from lmu_analog.circuits.nodal.extract import extract  # noqa: E402
from lmu_analog.circuits.readout import Refit, noise_gains  # noqa: E402
from lmu_analog.codesign.bins import place_parts  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.memory.legendre import legendre  # noqa: E402
from lmu_analog.memory.sampled import steady_response  # noqa: E402
from lmu_analog.memory.statespace import frequency_response  # noqa: E402
from lmu_analog.memory.window import gauss_legendre  # noqa: E402
from lmu_analog.simulation import simulate  # noqa: E402

REALIZATIONS, ORDERS, SERIES = ("ladder", "cap-feedforward", "legendre"), (6, 12), ("E24", "E96")
BEYOND = np.geomspace(1.2, 100.0, 200)  # times the band
PARTS, SEEDS, UNMATCHED = (2, 10), (0, 1), 20
RESULT = Path(__file__).parent / "results" / "readout_fit.json"


def added(circuit: Circuit, design: Design) -> float:
    """Give the rms error of a circuit's states, as its probes read them, against the ideal memory."""
    rule = gauss_legendre(max(24, 4 * design.order))
    refit = Refit.of(circuit, design.bandwidth * rule.r, rule.weight, target="fitted")
    return float(np.linalg.norm(refit.missed(steady_response(extract(circuit), refit.frequency))))


def beyond(circuit: Circuit, design: Design) -> float:
    """Give how much larger the window is than the ideal memory's, at most, for sines beyond the band."""
    weight = 1.0 / np.sqrt(2.0 * np.arange(design.order) + 1.0)
    systems = extract(circuit), legendre(design.order, design.theta)
    sizes = [
        np.linalg.norm(frequency_response(s, BEYOND * design.bandwidth) * weight, axis=1) for s in systems
    ]
    return float(np.max(sizes[0] / sizes[1]))


def chosen(design: Design) -> dict[str, Any]:
    """Give the figures of one design, with common levels and with values chosen for a fitted readout."""
    before = added(build(design), design)
    row: dict[str, Any] = {"common": before, "common_nrmse": float(simulate(design).window_nrmse)}
    for target in ("fitted", "window"):
        fit = "joint" if target == "fitted" else "common"
        other = design.replace(values_fit=fit, readout=target)
        start = time.process_time()
        circuit = build(other)
        seconds = time.process_time() - start
        largest, mean = noise_gains(np.array(with_its_readout(other).readout))
        tones = [[f * design.bandwidth, 0.1, 0.1] for f in (0.137, 0.61, 0.93)]
        unseen = {"chirp": other.replace(signal="chirp"), "tones": other.replace(tones=tones)}
        row[target] = {
            "added": added(circuit, other),
            "ratio": before / added(circuit, other),
            "nrmse": float(simulate(other).window_nrmse),
            "truncation": float(simulate(other).truncation_nrmse),
            "largest_gain": largest,
            "rms_gain": mean,
            "beyond_band": beyond(circuit, other),
            "unseen": {
                name: [float(found.window_nrmse), float(found.truncation_nrmse)]
                for name, found in ((name, simulate(each)) for name, each in unseen.items())
            },
            "seconds": seconds,
        }
    return row


def bag(circuit: Circuit, count: int, seed: int) -> list[MeasuredPart]:
    """Measure so many parts for every place: 1 %, three standard deviations, as gauss3."""
    random, found = np.random.default_rng(seed), []
    for c in circuit.only(Resistor, Capacitor):
        for k in range(count):
            value = c.value * (1.0 + 0.01 / 3.0 * float(np.clip(random.standard_normal(), -3.0, 3.0)))
            kind = "resistor" if isinstance(c, Resistor) else "capacitor"
            found.append(MeasuredPart(f"{c.name}-{k}", kind, value, c.value))
    return found


def placed(design: Design) -> dict[str, Any]:
    """Place parts of some bags; medians over the bags."""
    circuit = without_readout(design)
    one_each = [
        place_free(design, circuit, {p.name.removesuffix("-0"): p.value for p in bag(circuit, 1, 100 + k)})
        for k in range(UNMATCHED)
    ]
    row: dict[str, Any] = {"unmatched": float(np.median(one_each))}
    for count in PARTS:
        found, seconds = [], []
        for seed in SEEDS:
            start = time.process_time()
            found.append(place_parts(design, bag(circuit, count, seed)))
            seconds.append(time.process_time() - start)
        row[str(count)] = {
            "nearest": float(np.median([f.added_nearest for f in found])),
            "placed": float(np.median([f.added for f in found])),
            "seconds": float(np.median(seconds)),
        }
    return row


def place_free(design: Design, circuit: Circuit, values: dict[str, float]) -> float:
    """Give what a circuit with these parts adds, its readout fitted to it where the design has one."""
    return added(build(design.replace(element_values=values)), design)


def main() -> None:
    readouts = {}
    for order in ORDERS:
        for realization in REALIZATIONS:
            for series in SERIES:
                name = f"{realization} {order} {series}"
                design = Design(order=order, theta=1e-3, realization=realization, values=series)
                readouts[name] = row = chosen(design)
                fitted, window = row["fitted"], row["window"]
                print(
                    f"{name:<22} common {100 * row['common']:.3f} %  fitted {100 * fitted['added']:.4f} % "
                    f"({fitted['ratio']:.0f} times less), gain {fitted['largest_gain']:.2f}, beyond the band "
                    f"{fitted['beyond_band']:.2f}, {fitted['seconds']:.1f} s; NRMSE {100 * fitted['nrmse']:.3f} %, "
                    f"window {100 * window['nrmse']:.3f} % (gain {window['largest_gain']:.2f}), ideal "
                    f"{100 * fitted['truncation']:.3f} %",
                    flush=True,
                )
    parts = {}
    ladder = Design(order=12, theta=1e-3, realization="ladder")
    for name, design in {
        "exact values": ladder,
        "E96, joint, fitted readout": ladder.replace(values="E96", values_fit="joint", readout="fitted"),
    }.items():
        parts[name] = row = placed(design)
        said = "; ".join(
            f"{k} a place: nearest {100 * row[str(k)]['nearest']:.3f} %, placed {100 * row[str(k)]['placed']:.4f} %, "
            f"{row[str(k)]['seconds']:.1f} s"
            for k in PARTS
        )
        print(f"ladder 12, {name:<28} unmatched {100 * row['unmatched']:.2f} %; {said}", flush=True)
    RESULT.write_text(json.dumps({"readouts": readouts, "parts": parts}, indent=2) + "\n")


if __name__ == "__main__":
    main()
