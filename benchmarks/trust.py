"""What the per-frequency engine is certain of, against the poles and the full equations of every sample.

    python -m benchmarks.trust [--samples 1200000] [--seed 0]

Random designs of all linear families: orders 1 to 24, deviations of 1 to 40 %, with lots, op-amps from ideal to slow,
with and without output resistance and input capacitance. Stability of every sample that is certain is compared with the
largest real part of its poles, and its profile with node equations solved by LAPACK (one sample in eight). Poles within
1e-6 of the axis, of their size, are counted apart. Prints a line for a hundred designs, and one for each design with
something wrong, and writes benchmarks/results/trust.json.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from benchmarks.players import PAIRS  # noqa: E402
from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits.circuit import Circuit, small_signal_values  # noqa: E402
from lmu_analog.circuits.nodal.extract import extract, probe_rows  # noqa: E402
from lmu_analog.circuits.nodal.stamps import stamp  # noqa: E402
from lmu_analog.circuits.nodal.unknowns import Index  # noqa: E402
from lmu_analog.design import Design  # noqa: E402
from lmu_analog.engine.frequency import PLAYERS, PerFrequency  # noqa: E402
from lmu_analog.engine.plan import plan_frequencies  # noqa: E402
from lmu_analog.ensembles.exact import kernel_of  # noqa: E402
from lmu_analog.errors import LmuAnalogError  # noqa: E402
from lmu_analog.memory.window import tone_profile  # noqa: E402
from lmu_analog.mismatch.law import Mismatch, draw, is_sound, sample  # noqa: E402
from lmu_analog.stimulus import Tones  # noqa: E402

FOLDER = Path(__file__).parent / "results"
EVERY = 8  # samples of which one is solved in full
ALLOWED = 1e-6  # of a profile's value: what is certain fits to 1e-7 of the largest response
NEAR = 1e-6  # of a pole's size
CLASSES = ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")


def random_design(rng: np.random.Generator) -> Design:
    family, realization = PAIRS[rng.integers(len(PAIRS))]
    size = 10.0 ** rng.uniform(-2.0, np.log10(0.4))
    law = {"tolerance": size, "distribution": str(rng.choice(["gauss", "lognormal", "uniform", "gauss3"]))}
    if rng.random() < 0.5:
        law["lot"] = size * rng.uniform(0.1, 1.0)
    opamp: Any = "ideal"
    if rng.random() < 0.8:
        theta_rate = 10.0 ** rng.uniform(2.0, 6.0)
        opamp = {"gain": f"{rng.uniform(60.0, 130.0):.4g} dB", "gbw": theta_rate * 100.0}
        if rng.random() < 0.4:
            opamp |= {"output_resistance": 10.0 ** rng.uniform(0.0, 3.0), "input_capacitance": 5e-12}
    return Design(
        order=int(np.clip(round(rng.exponential(7.0)), 1, 24)),
        theta=10.0 ** rng.uniform(-4.0, -0.5),
        family=family,
        realization=realization,
        opamp=opamp,
        mismatch=dict.fromkeys(CLASSES, law),
    )


def solved_in_full(circuit: Circuit, values: np.ndarray, tones: Tones) -> np.ndarray:
    """Profiles by all node equations, tone by tone, in LAPACK; offsets included."""
    index = Index(circuit)
    equations, (output, direct) = stamp(circuit, index, values), probe_rows(circuit, index)
    size = (
        np.abs(equations.F).max(axis=2, keepdims=True)
        + np.abs(equations.E).max(axis=2, keepdims=True) / circuit.theta
    )
    E, F, drive = (x / size for x in (equations.E, equations.F, equations.drive))
    states = []
    for s in 2j * np.pi * tones.frequency:
        v = np.linalg.solve(s * E - F, (drive[..., 0] - s * drive[..., 1])[..., None])[..., 0]
        states.append(v @ output.T + direct[:, 0])
    offset = np.linalg.solve(-F, drive[..., 2:])[..., 0] @ output.T
    phasor = np.stack(states, axis=1) * tones.phasor[:, None]
    return tone_profile(phasor, (tones.frequency, tones.phasor), circuit.theta, offset=offset)


def checked(design: Design, samples: int) -> dict[str, int] | None:
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=0, samples=range(samples)))
    values = values[is_sound(circuit, values)]
    inner = circuit.small_signal or circuit
    if len(values) < 2:
        return None
    values = values if circuit.small_signal is None else small_signal_values(circuit, values)
    plan = plan_frequencies(inner, design.stimulus.frequency)
    moving = np.ones(len(inner.values), bool)
    found = PerFrequency.of(plan, moving, design.stimulus, play=PLAYERS[kernel_of(None)]).run(values)
    poles = extract(inner, values).poles
    worst = np.take_along_axis(poles, poles.real.argmax(axis=1)[:, None], axis=1)[:, 0]
    near = np.abs(worst.real) < NEAR * np.abs(worst)
    apart = found.certain & (found.stable != (worst.real < 0.0))
    chosen = np.flatnonzero(found.certain)[::EVERY]
    wrong = 0
    if len(chosen):
        wanted = solved_in_full(inner, values[chosen], design.stimulus)
        floor = 1e-3 * wanted.max(axis=1, keepdims=True)
        error = np.abs(found.profile[chosen] - wanted) / np.maximum(wanted, floor)
        wrong = int((error.max(axis=1) > ALLOWED).sum())
    return {
        "samples": len(values),
        "certain": int(found.certain.sum()),
        "unstable": int((worst.real >= 0.0).sum()),
        "stability_wrong": int((apart & ~near).sum()),
        "stability_wrong_near_the_axis": int((apart & near).sum()),
        "solved": len(chosen),
        "response_wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=1_200_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, total, designs, without = np.random.default_rng(given.seed), {}, 0, 0
    wrong: list[str] = []
    while total.get("samples", 0) < given.samples:
        try:
            design = random_design(rng)
            row = checked(design, 4096 if design.order < 10 else 1024)
        except (LmuAnalogError, np.linalg.LinAlgError):
            without += 1
            continue
        if row is None:
            continue
        designs += 1
        total = {key: total.get(key, 0) + count for key, count in row.items()}
        if row["stability_wrong"] or row["response_wrong"]:
            wrong.append(f"{design.family} {design.realization} {design.order}: {row}")
            print(wrong[-1], flush=True)
        if designs % 100 == 0:
            print(designs, total, flush=True)
    content = {"designs": designs, "without_a_plan_or_circuit": without, **total, "wrong": wrong}
    print(content)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "trust.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
