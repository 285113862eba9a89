"""The published table of calibration methods, beside ours, by the same definitions.

    python benchmarks/calibration.py [--samples 200] [--replicates 8]

Prints the median total window error of mismatched order-12 realizations after every method, and writes
benchmarks/results/calibration.json. Coefficient level: every coefficient p (1 + sigma z), z standard normal; norm:
mean over frequencies in [0, w_m] and over the window, unit input; w_m where the ideal memory is 1 % wrong.

The whole table is made anew with every replicate: other circuits, and other circuits for the ensemble's readout. Its
scatter is that of any such table, the published one too, so a figure holds where it lies in the 95 % prediction
interval of one more replicate, widened by half a digit of the table.
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
from scipy import stats  # noqa: E402

from lmu_analog.analysis.coefficients import calibrated_errors  # noqa: E402
from lmu_analog.memory.legendre import legendre  # noqa: E402
from lmu_analog.memory.realizations import realize  # noqa: E402

ORDER, BAND = 12, 17.3  # w_m theta
REALIZATIONS = ("legendre", "cap-feedforward", "ladder")
# Median total error in % at sigma = 1 % and 5 %, as printed: the digits tell how far they are rounded.
PUBLISHED = {
    "nominal": (("5.3", "3.6", "3.6"), ("25.7", "17.3", "17.5")),
    "ensemble": (("5.0", "3.3", "3.5"), ("24", "16.5", "17")),
    "theta": (("4.7", "3.1", "3.3"), ("22.7", "15", "15.8")),
    "exact-k": (("4.5", "1.9", "2.4"), ("22", "8.4", "11")),
    "trim": (("2.4", "1.4", "1.3"), ("11.3", "5.0", "4.4")),
    "readout": ((".75", ".9", "1.2"), ("3.8", "4.6", "6.0")),
    "dac": (("1.3", "1.14", "1.12"), ("4.1", "2.8", "2.7")),
}


def half_digit(printed: str) -> float:
    """Give how far a printed figure may lie from what was measured."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


def rows(samples: int, replicates: int) -> list[dict[str, object]]:
    """Calibrate every realization at both spreads, and compare method by method."""
    found = []
    reach = float(stats.t.ppf(0.975, replicates - 1)) * math.sqrt(1.0 + 1.0 / replicates)
    for k, sigma in enumerate((0.01, 0.05)):
        for column, name in enumerate(REALIZATIONS):
            made = realize(legendre(ORDER), name)
            tables = [
                calibrated_errors(
                    made, bandwidth=BAND / (2 * math.pi), sigma=sigma, samples=samples, seed=seed
                )
                for seed in range(replicates)
            ]
            for method, published in PUBLISHED.items():
                printed = published[k][column]
                medians = [100 * float(np.median(errors[method])) for errors in tables]
                ours, scatter = float(np.mean(medians)), float(np.std(medians, ddof=1))
                row = {"method": method, "realization": name, "sigma": sigma, "ours": ours}
                row |= {"scatter": scatter, "medians": medians, "published": float(printed)}
                row["holds"] = abs(ours - float(printed)) <= reach * scatter + half_digit(printed)
                found.append(row)
                print(
                    f"{method:9s} {name:16s} sigma {100 * sigma:g} %  ours {ours:6.2f}, one table scatters by "
                    f"{scatter:4.2f}  published {printed:>5s}  {'holds' if row['holds'] else 'DIFFERS'}",
                    flush=True,
                )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=8)
    given = parser.parse_args()
    found = rows(given.samples, given.replicates)
    content = {
        "seeds": list(range(given.replicates)),
        "samples": given.samples,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "order": ORDER,
        "calibration": found,
    }
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "calibration.json").write_text(json.dumps(content, indent=2) + "\n")
    print(f"{sum(bool(row['holds']) for row in found)} of {len(found)} figures hold")


if __name__ == "__main__":
    main()
