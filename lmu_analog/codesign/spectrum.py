"""A periodic signal with the spectrum of a recording: what the law takes in place of it.

A recording has thousands of samples, and its error follows from all of them; a search looks at circuits by the
thousand. So the law takes a few tones, each with the power of one band of the recording and at the middle of that
power, and the exact engine verifies with the recording itself.
"""

import numpy as np
import scipy

from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.stimulus import Recording

BANDS = 16  # equal parts of the bandwidth, a tone each
GRID = 4  # places of a tone in its band, so that all have a short common period
_SILENT = 1e-6  # of the power: a band with less has no tone
_DIGITS = 9  # of frequencies and amplitudes: a processor's last ones do not show


def tones_like(recorded: Design) -> tuple[tuple[float, float, float], ...]:
    """Give tones (frequency, cosine, sine) with the spectrum and the peak of a design's recording, Hz and V.

    Raises
    ------
    DesignError
        If the recording is silent within the bandwidth.
    """
    signal = recorded.stimulus
    if not isinstance(signal, Recording):
        raise DesignError("the signal is no recording")
    frequency, power = scipy.signal.periodogram(signal.values, 1.0 / signal.dt, window="hann", detrend=False)
    step = recorded.bandwidth / BANDS
    phases = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, BANDS)
    found = []
    total = float(power[frequency <= recorded.bandwidth].sum())
    for k in range(BANDS):
        inside = (frequency >= k * step) & (frequency < (k + 1) * step)
        share = float(power[inside].sum())
        if not share > _SILENT * total:
            continue
        middle = float(power[inside] @ frequency[inside]) / share
        place = min(max(round(middle / step * GRID), k * GRID + 1), (k + 1) * GRID - 1) / GRID
        amplitude = np.sqrt(share / total)
        found.append(
            (place * step, float(amplitude * np.cos(phases[k])), float(amplitude * np.sin(phases[k])))
        )
    if not found:
        raise DesignError("[signal] file: silent within the bandwidth")
    peak = Design(order=1, theta=recorded.theta, tones=tuple(found)).full_scale
    scale = recorded.full_scale / peak

    def short(x: float) -> float:
        return float(f"{x:.{_DIGITS}g}")

    return tuple((short(f), short(scale * cosine), short(scale * sine)) for f, cosine, sine in found)
