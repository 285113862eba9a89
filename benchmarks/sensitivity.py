"""The published tables of mismatch, stability and op-amp needs, beside ours, by the same definitions.

    python benchmarks/sensitivity.py [--orders 3 6 12 24] [--samples 600] [--stability 1000]

Prints five tables and writes benchmarks/results/sensitivity.json: added window error (rms) per 1 % error of every
coefficient, the fraction of unstable circuits, the op-amps needed for 1 % extra error, the lower
bound of mismatch error, and what rounding to E24 and E96 costs.
Norm: mean over frequencies in [0, w_m] and over the window, unit input; w_m where the ideal memory is 1 % wrong.
"""

import argparse
import json
import math
import os
import platform
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from scipy.optimize import brentq  # noqa: E402

from lmu_analog.ensembles.yields import clopper_pearson  # noqa: E402
from lmu_analog.memory.legendre import legendre  # noqa: E402
from lmu_analog.memory.realizations import realize  # noqa: E402
from lmu_analog.theory.coefficients import added_error, count_unstable  # noqa: E402
from lmu_analog.theory.opamp_needs import Need, error_added_by_opamps, offset_gain  # noqa: E402
from lmu_analog.theory.rounding import rounding_errors  # noqa: E402

SEED = 0
SCANS = 100  # beginnings of the scan of common resistors
BEGIN = 23  # the one that the published scan shares: all its five best values are met together only there
BAND = {3: 1.76, 6: 6.46, 12: 17.3, 24: 40.2}  # w_m theta
PUBLISHED = {
    "legendre": (1.3, 2.4, 5.8, 13.7),
    "orthonormal": (1.3, 2.4, 5.8, 13.7),
    "balanced": (1.4, 2.2, 3.4, 5.0),
    "cap-feedforward": (1.7, 2.3, 3.9, 6.5),
    "ladder": (1.9, 2.5, 3.8, 5.7),
    "bus-ladder": (1.5, 2.1, 3.4, 5.3),
    "rlc-ladder": (0.8, 1.9, 3.2, 5.5),
    "unit-weight": (1.3, 2.6, 5.9, 13.5),
    "principle3": (None, 4.4, 6.4, 13.6),
}
# Realization, order, sigma, published fraction of unstable circuits.
UNSTABLE = [
    ("legendre", 12, 0.05, 0.0),
    ("legendre", 12, 0.10, 0.145),
    ("legendre", 12, 0.20, 0.60),
    ("legendre", 24, 0.05, 0.34),
    ("legendre", 24, 0.10, 0.90),
    ("legendre", 24, 0.20, 1.00),
    ("cap-feedforward", 24, 0.05, 0.0),
    ("cap-feedforward", 24, 0.10, 0.012),
    ("cap-feedforward", 24, 0.20, 0.45),
    ("bus-ladder", 24, 0.05, 0.0),
    ("bus-ladder", 24, 0.10, 0.002),
    ("bus-ladder", 24, 0.20, 0.18),
    ("ladder", 24, 0.20, 0.0),
    ("rlc-ladder", 24, 0.20, 0.0),
]
# Realization, order: A0 dB, w_t theta, offset gain.
NEEDS = {
    ("legendre", 6): (60, 5.3e3, 6.6),
    ("legendre", 12): (74, 6.5e4, 18.8),
    ("legendre", 24): (87, 6.8e5, 52.0),
    ("ladder", 6): (57, 2.6e3, 5.0),
    ("ladder", 12): (64, 1.7e4, 7.4),
    ("ladder", 24): (70, 8.4e4, 11.2),
    ("cap-feedforward", 6): (53, 2.3e3, 2.7),
    ("cap-feedforward", 12): (61, 1.5e4, 3.05),
    ("cap-feedforward", 24): (68, 7.9e4, 3.5),
}
# Order: first-order added error in % per 1 %.
SHORT_TAU = {6: 44, 12: 35, 24: 29}
# Series, order: best and median added error in % over a decade of common resistors.
ROUNDING = {
    ("E24", 6): ("about 1.1", 3.6),
    ("E24", 12): ("2.3-3.6", 7.2),
    ("E24", 24): (5.7, 13.0),
    ("E96", 6): (0.12, 0.84),
    ("E96", 12): (0.72, 2.3),
}


def sensitivities(orders: list[int], samples: int) -> list[dict[str, object]]:
    """Added error in % per 1 %, for every realization and order."""
    rows = []
    for name, published in PUBLISHED.items():
        for order, given in zip(BAND, published, strict=True):
            if order not in orders:
                continue
            errors = added_error(
                realize(legendre(order), name),
                bandwidth=BAND[order] / (2 * math.pi),
                sigma=0.01,
                samples=samples,
                seed=SEED,
            )
            ours = float(100 * np.sqrt(np.mean(errors**2)))
            bound = BAND[order] / (3 * math.sqrt(order))
            rows.append(
                {"realization": name, "order": order, "ours": ours, "published": given, "floor": bound}
            )
            print(
                f"{name:16s} {order:3d}  ours {ours:6.2f}  published {given!s:>5s}  lower bound {bound:5.2f}",
                flush=True,
            )
    return rows


def short_synapses(orders: list[int]) -> list[dict[str, object]]:
    """First-order added error of principle3 with tau = theta/100, in % per 1 %: the leak nearly cancels."""
    rows = []
    for order, given in SHORT_TAU.items():
        if order not in orders:
            continue
        made, tiny = realize(legendre(order), "principle3", tau=0.01), 1e-6
        errors = added_error(made, bandwidth=BAND[order] / (2 * math.pi), sigma=tiny, samples=600, seed=SEED)
        ours = float(np.sqrt(np.mean(errors**2)) / tiny)
        rows.append(
            {"realization": "principle3, tau = .01 theta", "order": order, "ours": ours, "published": given}
        )
        print(
            f"principle3 .01   {order:3d}  ours {ours:6.2f}  published {given!s:>5s}  (first order)",
            flush=True,
        )
    return rows


def stabilities(samples: int) -> list[dict[str, object]]:
    """Fractions of unstable circuits with their 99 % intervals."""
    rows = []
    for name, order, sigma, given in UNSTABLE:
        count = count_unstable(realize(legendre(order), name), sigma=sigma, samples=samples, seed=SEED)
        low, high = clopper_pearson(count, samples, confidence=0.99)
        rows.append(
            {
                "realization": name,
                "order": order,
                "sigma": sigma,
                "ours": count / samples,
                "low": low,
                "high": high,
                "published": given,
            }
        )
        print(
            f"{name:16s} {order:3d}  sigma {100 * sigma:3.0f} %  unstable {100 * count / samples:5.1f} % "
            f"[{100 * low:.1f}, {100 * high:.1f}]  published {100 * given:5.1f} %",
            flush=True,
        )
    return rows


def needs(orders: list[int]) -> list[dict[str, object]]:
    """Op-amp gain and crossover for 1 % extra window error, and the offset gain."""
    rows = []
    for (name, order), (decibel, crossover, offset) in NEEDS.items():
        if order not in orders:
            continue
        realization, w_m = realize(legendre(order), name), BAND[order]

        def beyond(log_figure: float, kind: str, made: object = realization, band: float = w_m) -> float:
            need = Need(gain=10**log_figure) if kind == "gain" else Need(crossover=10**log_figure)
            return error_added_by_opamps(made, need, bandwidth=band / (2 * math.pi)) - 0.01

        gain = 10 ** brentq(beyond, 1.0, 6.0, args=("gain",), xtol=1e-4)
        speed = 10 ** brentq(beyond, 2.0, 8.0, args=("crossover",), xtol=1e-4)
        gained, with_summer = (
            offset_gain(realization, bandwidth=w_m / (2 * math.pi), of=of) for of in ("integrators", "all")
        )
        rows.append(
            {
                "realization": name,
                "order": order,
                "gain_db": 20 * math.log10(gain),
                "crossover_theta": speed,
                "offset_gain": gained,
                "offset_gain_with_summer": with_summer,
                "published": (decibel, crossover, offset),
            }
        )
        print(
            f"{name:16s} {order:3d}  A0 {20 * math.log10(gain):5.1f} dB ({decibel})  "
            f"w_t theta {speed:8.2g} ({crossover:.2g})  offset {gained:5.2f} ({offset}), "
            f"summer's own {with_summer:5.2f}",
            flush=True,
        )
    return rows


def standard_values(orders: list[int]) -> list[dict[str, object]]:
    """Added error from rounding resistors to a series over a decade of R_0, in %.

    The median hardly depends on where a scan of a hundred begins; the best does, so its range is given too.
    """
    rows = []
    for (series, order), (best, typical) in ROUNDING.items():
        if order not in orders:
            continue
        band = BAND[order] / (2 * math.pi)
        scans = 100 * np.array(
            [rounding_errors(order, series, bandwidth=band, start=k / SCANS) for k in range(SCANS)]
        )
        lowest = scans.min(axis=1)
        row = {
            "series": series,
            "order": order,
            "best": float(lowest[BEGIN]),
            "best_range": [float(lowest.min()), float(lowest.max())],
            "median": float(np.median(scans[BEGIN])),
        }
        rows.append({**row, "published_best": best, "published_median": typical})
        print(
            f"legendre {series} {order:3d}  best {row['best']:5.2f}, over beginnings {lowest.min():.2f} to "
            f"{lowest.max():.2f} ({best})  median {row['median']:5.2f} ({typical})",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[3, 6, 12, 24])
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--stability", type=int, default=1000)
    parser.add_argument("--values-only", action="store_true", help="only the table of standard values")
    given = parser.parse_args()
    if given.values_only:
        path = Path(__file__).parent / "results" / "sensitivity.json"
        stored = json.loads(path.read_text()) | {"standard_values": standard_values(given.orders)}
        path.write_text(json.dumps(stored, indent=2) + "\n")
        return
    content = {
        "seed": SEED,
        "samples": given.samples,
        "stability_samples": given.stability,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sensitivity": sensitivities(given.orders, given.samples),
        "short_synapses": short_synapses(given.orders),
        "unstable": stabilities(given.stability),
        "needs": needs(given.orders),
        "standard_values": standard_values(given.orders),
    }
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "sensitivity.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
