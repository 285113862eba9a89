"""Memories in an open process: the largest contributors, and the error of 95 of 100 chips against gate area.

    python -m benchmarks.silicon_areas ladder-3 [--chips 200] [--swing 0.3] [--judge 1.0 1.5 3.0] [--seed 0]

Figures go to ``benchmarks/results/silicon_area_NAME.json``, the plot to ``docs/silicon-area-NAME.svg``. The memory is
predistorted at a swing. Errors follow from the linear law of its exact engine and from the nominal chip's transients;
points that are judged are drawn with their areas, predistorted again, and measured in ngspice chip by chip. At each
area the swing is the one of those tried with the least p95.
"""

import argparse
import json
import os
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.silicon import drawn
from benchmarks.silicon_swing import AMPLITUDES, SHARE, listed
from lmu_analog.circuits.devices.pdk import Pdk
from lmu_analog.errors import CircuitError
from lmu_analog.output import style
from lmu_analog.silicon.areas import Areas, best_areas, rescaled, scaled
from lmu_analog.silicon.contributors import (
    SHARED,
    Linearised,
    around,
    contributions,
    labels,
    linearised,
    predicted,
)
from lmu_analog.silicon.draws import Deviations, deviations, spread
from lmu_analog.silicon.ensemble import errors, exact_engine, fitted_theta, nominal_chip, with_ngspice
from lmu_analog.silicon.samples import Bench
from lmu_analog.silicon.swing import Parts, at_swing, best_swing, comb, parts
from lmu_analog.silicon.transients import with_transients
from lmu_analog.spice.worker import Worker

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs"
MULTIPLES = (0.8, 0.85, 0.9, 1.0, 1.15, 1.3, 1.5, 2.0, 3.0, 4.0, 6.0)  # of the area as it is
LARGER = 4.0  # times the area of the largest contributor, to see whether it is
LISTED = 8  # devices of a table
FIXED = ("bias",)  # the mirror's other side has the lengths of the tails, whatever they become


def law_of(bench: Bench) -> Linearised:
    """Linearise by the exact engine."""
    with Worker() as worker:
        engine = exact_engine(bench, worker)

    def measure(sample: Deviations, trim: np.ndarray):
        return engine.samples(sample, bench.frequency, trim=trim)

    return linearised(measure, bench, spread(bench.circuit, bench.installed.pdk))


def at_amplitudes(bench: Bench) -> Parts:
    """Run the nominal chip at all amplitudes."""
    tones, one = comb(bench.frequency, 1.0), np.ones(len(AMPLITUDES))
    chip = nominal_chip(bench).of(np.zeros(len(AMPLITUDES), int))
    found = with_transients(bench, tones)(chip, one, AMPLITUDES)
    return parts(found, tones, AMPLITUDES, theta=bench.circuit.theta)


def by_law(law: Linearised, bench: Bench, nominal: Parts) -> dict[str, object]:
    """Predict the p95 at the best swing, with the states' offsets and without."""
    rms = comb(bench.frequency, 1.0).rms
    rows: dict[str, object] = {}
    for name, of in (("with_offsets", "both"), ("without_offsets", "error")):
        p95 = np.array(
            [
                predicted(
                    around(law, bench, nominal.states[k]),
                    SHARE,
                    of=of,  # type: ignore[arg-type]
                    rms=rms * amplitude,
                    nominal_square=float(nominal.distortion[k] ** 2),
                )
                for k, amplitude in enumerate(AMPLITUDES.tolist())
            ]
        )
        best = best_swing(AMPLITUDES, p95[:, None])
        rows[name] = {"p95": best.error, "swing": best.amplitude}
    return rows


def judged(pdk: Pdk, areas: Areas, asked: argparse.Namespace) -> dict[str, object]:
    """Draw a memory with other areas, and measure its chips in ngspice."""
    start = time.perf_counter()
    with Worker() as worker:
        redraw = partial(scaled, factors=areas.factors, pdk=pdk)
        bench = drawn(asked.name, worker, swing=asked.swing, redraw=redraw)
    circuit, theta = bench.circuit, bench.circuit.theta
    nominal = at_amplitudes(bench)
    chips = deviations(
        circuit, spread(circuit, bench.installed.pdk), seed=asked.seed, samples=range(asked.chips)
    )
    wanted = float(fitted_theta(nominal.states[:1], bench.frequency, theta)[0])
    undeviated = nominal_chip(bench)
    found = errors(with_ngspice(bench), chips, bench, nominal_sample=undeviated, wanted=wanted)
    supply = circuit.source(circuit.supply).value  # type: ignore[union-attr]
    rows: dict[str, object] = {
        "chips": len(chips),
        "area_um2": 1e12 * sum(x.area for x in circuit.devices),
        "transistors": len(circuit.transistors),
        "power_uw": 1e6 * float(np.nanmedian(found.after.current)) * supply,
        "nominal_total": listed(nominal.total),
        "offset_sigma_mv": listed(1e3 * np.nanstd(found.after.offset, axis=0)),
        "lost": int((found.after.rung < 0).sum()),
    }
    offset = found.after.offset
    for label, left in (("with_offsets", offset), ("without_offsets", np.zeros_like(offset))):
        total = at_swing(
            found.after.states,
            left,
            nominal,
            tones=comb(bench.frequency, 1.0),
            amplitude=AMPLITUDES,
            theta=theta,
        )
        best = best_swing(AMPLITUDES, total, share=SHARE)
        rows[label] = {"p95": best.error, "swing": best.amplitude}
    return rows | {"seconds": time.perf_counter() - start}


def checked(pdk: Pdk, law: Linearised, asked: argparse.Namespace) -> list[dict[str, object]]:
    """Make the largest contributors four times larger: what the law says of that, and what the new circuit's law is.

    By device for the error, whose tails have no partner. Roles for both: loads come in pairs, of which one larger than
    the other has an offset of its own.
    """
    rows: list[dict[str, object]] = []
    for of, by in (("error", "device"), ("error", "role"), ("offset", "role")):
        ranked = contributions(law, by=by, of=of)  # type: ignore[arg-type]
        largest = next(x.name for x in ranked if x.name != SHARED)
        with Worker() as worker:
            redraw = partial(scaled, factors={largest: LARGER}, pdk=pdk)
            again = drawn(asked.name, worker, swing=asked.swing, redraw=redraw)
        after = law_of(again)
        # A chain follows the process otherwise than single devices do: what is local, and what is not, apart.
        rows.append(
            {"of": of, "by": by, "name": largest}
            | {"before": rms_of(law, largest, by, of), "after": rms_of(after, largest, by, of)}
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def rms_of(law: Linearised, name: str, by: str, of: str) -> dict[str, float]:
    """Give what a contributor, all local deviations and the process add, root of the mean square."""
    variance = law.variance(of)  # type: ignore[arg-type]
    own = np.array([label == name for label in labels(law, by)])  # type: ignore[arg-type]
    shared = np.array([role == SHARED for role in law.roles])
    return {
        key: float(np.sqrt(variance[mask].sum()))
        for key, mask in (("own", own), ("local", ~shared), ("process", shared))
    }


def plotted(content: dict[str, Any], target: Path) -> None:
    """Draw p95 against area: curves of the law, points of ngspice."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FormatStrFormatter

    mpl.rcParams |= {"svg.hashsalt": "silicon", "svg.fonttype": "none"}  # the same bytes, and text as text
    figure, ax = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
    area = np.array([row["area_um2"] for row in content["curve"]]) / 1e3
    start = content["as_it_is"]
    for label, colour, said in (
        ("with_offsets", style.VERMILLION, "with offsets"),
        ("without_offsets", style.BLUE, "offsets removed"),
    ):
        ax.plot(
            area, [100 * row[label]["p95"] for row in content["curve"]], color=colour, label=f"{said}, law"
        )
        points = content["judged"]
        ax.plot(
            [row["area_um2"] / 1e3 for row in points],
            [100 * row[label]["p95"] for row in points],
            "o",
            color=colour,
            label=f"{said}, ngspice",
        )
    for label, colour in (("with_offsets", style.VERMILLION), ("without_offsets", style.BLUE)):
        said = "areas as first drawn, law" if label == "without_offsets" else None
        ax.plot(start["area_um2"] / 1e3, 100 * start[label]["p95"], "s", mfc="none", color=colour, label=said)
    ax.set(xlabel="gates and plates, 1000 um²", ylabel="window NRMSE of 95 of 100 chips, %", xscale="log")
    ax.set_ylim(0.0)
    ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    ax.xaxis.set_minor_formatter(FormatStrFormatter("%g"))
    style.finish(ax, {"fontsize": 8})
    figure.savefig(target, metadata={"Date": None})


def main() -> None:
    """Run and store."""
    reader = argparse.ArgumentParser()
    reader.add_argument("name")
    reader.add_argument("--chips", type=int, default=200)
    reader.add_argument("--swing", type=float, default=0.3)
    reader.add_argument("--judge", type=float, nargs="*", default=[1.0, 1.5, 3.0])
    reader.add_argument("--no-check", action="store_true")
    reader.add_argument("--seed", type=int, default=0)
    asked = reader.parse_args()
    target = RESULTS / f"silicon_area_{asked.name}.json"
    with Worker() as worker:
        bench = drawn(asked.name, worker, swing=asked.swing)
    pdk = bench.installed.pdk
    circuit, rms = bench.circuit, asked.swing * comb(bench.frequency, 1.0).rms
    area = sum(x.area for x in circuit.devices)
    nominal, law = at_amplitudes(bench), law_of(bench)
    content: dict[str, Any] = {
        "name": asked.name,
        "seed": asked.seed,
        "predistorted_at_v": asked.swing,
        "share": SHARE,
    }
    content["contributions"] = {
        of: {
            by: [asdict(x) for x in contributions(law, by=by, of=of, rms=rms)[:LISTED]]  # type: ignore[arg-type]
            for by in ("role", "kind", "device")
        }
        for of in ("error", "offset")
    }
    content["as_it_is"] = {"area_um2": 1e12 * area} | by_law(law, bench, nominal)
    content["curve"] = []
    chosen: dict[float, Areas] = {}
    for multiple in MULTIPLES:
        try:
            found = best_areas(law, circuit, multiple * area, rms=rms, fixed=FIXED)
        except CircuitError:
            continue  # smaller than the smallest
        chosen[multiple] = found
        row = by_law(rescaled(law, found.factors), bench, nominal)
        content["curve"].append({"area_um2": 1e12 * found.area, "factors": found.factors} | row)
    print(json.dumps(content), flush=True)
    content["judged"] = []
    for multiple in asked.judge:
        content["judged"].append({"multiple": multiple} | judged(pdk, chosen[multiple], asked))
        print(json.dumps(content["judged"][-1]), flush=True)
        target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    plotted(content, DOCS / f"silicon-area-{asked.name}.svg")
    if not asked.no_check:
        content["four_times_larger"] = checked(pdk, law, asked)
        print(json.dumps(content["four_times_larger"]), flush=True)
    target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
