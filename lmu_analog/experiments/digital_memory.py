"""The memory in integers: what words of 1 to 16 bits for states, weights and decay cost.

Order 6, theta = 1 s in 100 steps, ten tones up to 1 Hz, synapses of 0.1 s; errors against the sampled memory without
rounding, and against the true window. One word is shortened at a time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import Progress, Table
from lmu_analog.experiments.synapse_mismatch import EVEN, RMS, TONES, phasors
from lmu_analog.memory.legendre import check_order
from lmu_analog.memory.realizations import REALIZATIONS
from lmu_analog.memory.reference import filtered
from lmu_analog.memory.window import readout, time_profile, window_nrmse
from lmu_analog.networks.spiking.digital import Format, integer_memory, integers, legendre_states
from lmu_analog.networks.spiking.digital import run as run_integers
from lmu_analog.networks.spiking.memory import WITHOUT
from lmu_analog.option import option
from lmu_analog.stimulus import Tones

THETA, TAU, DT = 1.0, 0.1, 0.01  # s
PERIOD, SKIPPED = 1000, 500  # steps
HEADROOM = 1.25  # of full scale over the largest state
LONG = 16  # bits of the words that are not shortened; the decay has 12
BITS = {"state": (*range(2, 17), 20, 24), "weight": tuple(range(1, 17)), "decay": tuple(range(1, 13))}


@dataclass(frozen=True)
class Options:
    """Which memory."""

    order: int = option(6, "Of the memory.")
    realization: str = option("legendre", "Coordinates of the states.")

    def __post_init__(self) -> None:
        check_order(self.order)
        if self.realization not in REALIZATIONS or self.realization in WITHOUT:
            known = ", ".join(name for name in REALIZATIONS if name not in WITHOUT)
            raise DesignError(f"realization={self.realization!r}: known ones are {known}")


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Shorten one word at a time, with both kinds of rounding."""
    total = 2 * sum(len(bits) for bits in BITS.values())
    found: dict[str, Any] = {}
    with progress("integers", total) as advance:
        for rounding in ("nearest", "truncate"):
            found[rounding] = {}
            for word, lengths in BITS.items():
                found[rounding][word] = []
                for bits in lengths:
                    words = {"state": 24, "weight": LONG, "decay": 12, word: bits}
                    errors = errors_of(options, Format(**words, rounding=rounding))
                    found[rounding][word].append({"bits": bits, **errors})
                    advance(1)
    return {
        "order": options.order,
        "theta": THETA,
        "dt": DT,
        "tau": TAU,
        "realization": options.realization,
        **found,
    }


def errors_of(options: Options, words: Format) -> dict[str, float]:
    """Run one memory in integers: its error against the memory without rounding, and against the window."""
    given = phasors()
    tones = Tones(TONES, np.real(given), -np.imag(given))
    time = DT * np.arange(PERIOD + SKIPPED)
    u = tones(time - 0.5 * DT)
    full = np.abs(u).max() * HEADROOM
    ones = np.ones(options.order)
    exact = integer_memory(
        options.order, THETA, words, dt=DT, tau=TAU, radii=ones, realization=options.realization
    ).system
    radii = HEADROOM * np.abs(filtered(exact, u / full)).max(axis=0)
    memory = integer_memory(
        options.order, THETA, words, dt=DT, tau=TAU, radii=radii, realization=options.realization
    )
    states = full * legendre_states(memory, run_integers(memory, integers(memory, u / full)))[SKIPPED:]
    ideal = (filtered(exact, u) @ exact.C.T)[SKIPPED:]
    rows_ = readout(options.order, EVEN.r).T
    window = tones(time[SKIPPED:, None] - THETA * EVEN.r)
    profiles = (time_profile(states, wanted, RMS, quadrature=EVEN) for wanted in (ideal @ rows_, window))
    against = [float(window_nrmse(profile, EVEN)) for profile in profiles]
    return {"ideal": against[0], "window": against[1]}


def rows(result: dict[str, Any]) -> Table:
    """Lay out the errors against bits."""
    header = ("bits", *(f"{word}, {kind}" for word in BITS for kind in ("nearest", "cut off")))
    lines: list[tuple[str, ...]] = []
    for bits in sorted({b for lengths in BITS.values() for b in lengths}):
        cells = []
        for word in BITS:
            for rounding in ("nearest", "truncate"):
                known = {one["bits"]: one["ideal"] for one in result[rounding][word]}
                cells.append(f"{known[bits]:.2g}" if bits in known else "")
        lines.append((str(bits), *cells))
    return header, lines
