"""Memories in an open process at full amplitude: distortion, offsets, and the swing at which both count least.

    python -m benchmarks.silicon_swing ladder-3 [--chips 200] [--transients 50] [--predistorted 0.3] [--one]

Figures go to ``benchmarks/results/silicon_swing_NAME.json``. The input is ten tones in the band with seeded phases; a
swing is its largest voltage on the chip, .389 of it its rms. Chips are trimmed once by their small signals at 27 C.
Three readouts: with the offsets of states; with what each state shows without input at 27 C subtracted once; with
nothing of DC at all. Estimates for many chips take their small signals from ngspice, and compression, distortion and
shift of DC from the nominal chip's transients; the first ``--transients`` chips are judged by transients of their own.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.silicon import drawn
from lmu_analog.silicon.draws import Deviations, deviations, spread
from lmu_analog.silicon.ensemble import Errors, errors, fitted_theta, nominal_chip, settle, with_ngspice
from lmu_analog.silicon.noise import noise, of_window
from lmu_analog.silicon.samples import Bench, Conditions
from lmu_analog.silicon.swing import Parts, at_swing, best_swing, comb, parts, quantile, thd
from lmu_analog.silicon.transients import with_transients
from lmu_analog.spice.worker import Worker
from lmu_analog.stimulus import sine

RESULTS = Path(__file__).parent / "results"
AMPLITUDES = np.array([0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5])  # V
JUDGED = np.array([0.2, 0.3, 0.4])  # V
SHARE = 0.95
ELSEWHERE = {
    "-40 C": Conditions(temperature=-40.0),
    "125 C": Conditions(temperature=125.0),
    "supply -10 %": Conditions(supply=0.9),
    "supply +10 %": Conditions(supply=1.1),
}


def listed(x: np.ndarray) -> list[float]:
    """Give six digits, which do not depend on the processor."""
    return [float(f"{v:.6g}") for v in np.ravel(x)]


def nominal_rows(bench: Bench) -> tuple[Parts, dict[str, object]]:
    """Run the nominal chip at all amplitudes: ten tones, and single ones."""
    tones, theta = comb(bench.frequency, 1.0), bench.circuit.theta
    chip = nominal_chip(bench).of(np.zeros(len(AMPLITUDES), int))
    one = np.ones(len(AMPLITUDES))
    found = with_transients(bench, tones)(chip, one, AMPLITUDES)
    seen = parts(found, tones, AMPLITUDES, theta=theta)
    places = (0, len(bench.frequency) // 2 - 1, len(bench.frequency) - 1)
    harmonic: dict[str, object] = {}
    for k in places:
        tone = sine(float(bench.frequency[k]), 1.0)
        run = with_transients(bench, tone)(chip, one, AMPLITUDES)
        harmonic[f"{bench.frequency[k]:g} Hz"] = listed(thd(run, tone))
    return seen, {
        "swing": listed(AMPLITUDES),
        "total": listed(seen.total),
        "tones": listed(seen.tones),
        "offset": listed(seen.offset),
        "distortion": listed(seen.distortion),
        "theta": listed(fitted_theta(seen.states, bench.frequency, theta) / theta),
        "thd": harmonic,
        "options": found.rung.tolist(),
    }


def judged(bench: Bench, chips: Deviations, found: Errors) -> dict[str, object]:
    """Run transients of some chips at some amplitudes."""
    tones, theta, count = comb(bench.frequency, 1.0), bench.circuit.theta, len(chips)
    run = with_transients(bench, tones)
    rows: dict[str, object] = {"swing": listed(JUDGED), "chips": count}
    kept: dict[str, list[np.ndarray]] = {"with_offsets": [], "offsets_removed_once": [], "no_offset": []}
    lost, eased = [], []
    for amplitude in JUDGED.tolist():
        factor = np.full(count, amplitude)
        states = run(chips, found.trim[:count], factor)
        for name, removed in (("with_offsets", None), ("offsets_removed_once", found.after.offset[:count])):
            seen = parts(states, tones, factor, theta=theta, removed=removed)
            kept[name].append(seen.total)
        kept["no_offset"].append(np.hypot(seen.tones, seen.distortion))
        lost.append(int((states.rung < 0).sum()))
        eased.append(int((states.rung > 0).sum()))
    rows |= {name: listed(quantile(np.array(x), SHARE)) for name, x in kept.items()}
    medians = {f"{name}_median": listed(np.nanmedian(np.array(x), axis=-1)) for name, x in kept.items()}
    return rows | medians | {"aborted": lost, "with_other_options": eased}


def elsewhere(bench: Bench, chips: Deviations, found: Errors) -> dict[str, object]:
    """Measure what of the offsets comes back at other temperatures and supplies once they are removed at 27 C."""
    weight = 1.0 / (2.0 * np.arange(bench.circuit.order) + 1.0)
    rows: dict[str, object] = {}
    for name, at in ELSEWHERE.items():
        with Worker() as worker:
            here = settle(replace(bench, conditions=at), worker)
        seen = with_ngspice(here)(chips, found.trim[: len(chips)])
        left = seen.offset - found.after.offset[: len(chips)]
        rows[name] = {
            "offset_mv_p95": 1e3 * float(quantile(np.sqrt(seen.offset**2 @ weight), SHARE)),
            "left_mv_p95": 1e3 * float(quantile(np.sqrt(left**2 @ weight), SHARE)),
            "theta_median": float(
                np.nanmedian(fitted_theta(seen.states, bench.frequency, bench.circuit.theta))
                / bench.circuit.theta
            ),
        }
    return rows


def measured(bench: Bench, asked: argparse.Namespace) -> dict[str, object]:
    """Measure one design at all amplitudes."""
    circuit, theta, tones = bench.circuit, bench.circuit.theta, comb(bench.frequency, 1.0)
    nominal, content = nominal_rows(bench)
    print(json.dumps(content), flush=True)
    with Worker() as worker:
        power = float(of_window(noise(bench, worker, bandwidth=float(bench.frequency[-1])).band).sum())
    chips = deviations(
        circuit, spread(circuit, bench.installed.pdk), seed=asked.seed, samples=range(asked.chips)
    )
    # Compression lengthens the window: small signals are trimmed to what they are of the nominal chip.
    wanted = float(fitted_theta(nominal.states[:1], bench.frequency, theta)[0])
    found = errors(with_ngspice(bench), chips, bench, nominal_sample=nominal_chip(bench), wanted=wanted)
    small, offset = found.after.states, found.after.offset
    estimated = {
        name: at_swing(
            small, left, nominal, tones=tones, amplitude=AMPLITUDES, theta=theta, noise=np.sqrt(power)
        )
        for name, left in (("with_offsets", offset), ("offsets_removed_once", np.zeros_like(offset)))
    }
    rows: dict[str, object] = {"nominal": content, "noise_rms_uv": 1e6 * float(np.sqrt(power))}
    rows["offset_sigma_mv"] = listed(1e3 * np.nanstd(offset, axis=0))
    weight = 1.0 / (2.0 * np.arange(circuit.order) + 1.0)
    rows["offset_window_mv_p95"] = 1e3 * float(quantile(np.sqrt(offset**2 @ weight), SHARE))
    for name, total in estimated.items():
        best = best_swing(AMPLITUDES, total, share=SHARE)
        rows[f"estimated_{name}"] = {
            "p95": listed(quantile(total, SHARE)),
            "best_swing": best.amplitude,
            "best_p95": best.error,
            "chips": len(chips),
        }
    first = chips.of(slice(asked.transients))
    rows["judged"] = judged(bench, first, found)
    at = [int(np.argmin(np.abs(AMPLITUDES - x))) for x in JUDGED]
    rows["judged"] |= {  # type: ignore[operator]
        f"estimated_{name}": listed(quantile(total[at][:, : asked.transients], SHARE))
        for name, total in estimated.items()
    }
    print(json.dumps({k: v for k, v in rows.items() if k != "nominal"}), flush=True)
    rows["elsewhere"] = elsewhere(bench, first, found)
    return rows


def main() -> None:
    """Run and store."""
    reader = argparse.ArgumentParser()
    reader.add_argument("name")
    reader.add_argument("--chips", type=int, default=200)
    reader.add_argument("--transients", type=int, default=50)
    reader.add_argument("--predistorted", type=float, default=0.3)
    reader.add_argument(
        "--one", action="store_true", help="leave out the memory that is right for small signals"
    )
    reader.add_argument("--seed", type=int, default=0)
    asked = reader.parse_args()
    target = RESULTS / f"silicon_swing_{asked.name}.json"
    content: dict[str, object] = {"name": asked.name, "seed": asked.seed, "share": SHARE}
    variants = {"predistorted_at_swing": asked.predistorted, "predistorted_small": None}
    for name, swing in list(variants.items())[: 1 if asked.one else 2]:
        start = time.perf_counter()
        with Worker() as worker:
            bench = drawn(asked.name, worker, swing=swing)
        rows = measured(bench, asked)
        content[name] = {"predistorted_at_v": swing} | rows | {"seconds": time.perf_counter() - start}
        target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        print(json.dumps(content[name]["elsewhere"]), flush=True)  # type: ignore[index]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
