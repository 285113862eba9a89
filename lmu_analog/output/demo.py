"""The demonstration behind ``make demo``: a memory for the electrocardiogram that ships with PyWavelets.

The recording (MIT-BIH record 208, 360 Hz, 1024 samples) is one millivolt at the chest; it stands here as
half a volt after an amplifier. The window is 60 ms, the width of a QRS complex, and the order follows from
the band that the recording occupies.
"""

import sys
import time
from pathlib import Path

import numpy as np

from lmu_analog.design import Design
from lmu_analog.errors import LmuAnalogError
from lmu_analog.files_out import write_text
from lmu_analog.output import mainjob, tables
from lmu_analog.output.design_text import commented
from lmu_analog.output.starting import new_design

_SAMPLE_RATE = 360.0  # Hz
_PEAK = 0.5  # V
_LIMIT = "2 %"  # of the window error
_FIELDS: dict[str, object] = {
    "theta": "60 ms",
    "error": "2 %",
    "realization": "cap-feedforward",
    "opamp": "OPA2192",
    "mismatch": {"resistor": "1 %", "capacitor": "1 %"},
}


def electrocardiogram() -> np.ndarray:
    """Give times, s, and volts of the recording, from rest, peak 0.5 V; (1024, 2) array."""
    import pywt

    volts = pywt.data.ecg().astype(float)
    volts -= volts[0]
    return np.column_stack([np.arange(len(volts)) / _SAMPLE_RATE, _PEAK * volts / np.abs(volts).max()])


def main(folder: Path | str) -> None:
    """Write the recording and a design for it into the folder, and do the main job."""
    folder = Path(folder)
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{t!r},{v!r}\n" for t, v in electrocardiogram().tolist())
    recording = write_text(folder / "ecg.csv", "seconds,volts\n" + rows)
    path = folder / "ecg.toml"
    if not path.exists():
        # The order follows from the band alone; a limit at once would ask for one more, to leave room for the parts.
        design = new_design(_FIELDS, path, recording=recording)
        design = design.replace(order=design.order, nrmse=_LIMIT)
        write_text(path, commented(design))
    design = Design.load(path)
    print(f"order {design.order} for {design.bandwidth:.0f} Hz over {1e3 * design.theta:.0f} ms", flush=True)
    content = mainjob.run(design, folder / "results")
    print(tables.main_job(content))
    print(f"\ndone in {time.perf_counter() - start:.0f} s; open {folder / 'results' / 'report.html'}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"))
    except LmuAnalogError as error:
        sys.exit(f"demo: {error}")
