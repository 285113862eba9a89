"""Noise of a memory of transistors: what every device adds to the Legendre states, in ngspice with the kit's models.

ngspice refers the noise of each device to one voltage. The window takes combinations of states: the noise of every
state and of every sum of two is found, which says how the noise of one device is alike in both (polarization), and
so what it is at any place of the window. The input is noiseless.

It is noise as the kit's models have it: with ``tnoimod = 0`` no noise of the gate that the channel induces, and thermal
noise that in weak inversion is 26 % above the shot noise 2 q I of the channel.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import integrate

from lmu_analog.errors import SimulationError
from lmu_analog.memory.window import readout
from lmu_analog.silicon.altering import paths
from lmu_analog.silicon.deck import instances, resistor, source_card
from lmu_analog.silicon.devices import Mim, Mos, Resistor
from lmu_analog.silicon.samples import TIMEOUT, Bench
from lmu_analog.spice.cards import number
from lmu_analog.spice.session import Session
from lmu_analog.spice.worker import Worker

LOWEST = 1e-3  # of the bandwidth: 1/f noise below it is drift, and counts as an offset
HIGHEST = 1e3  # of the bandwidth: what a memory lets through above it is a thousandth
A_DECADE = 24  # frequencies: more move no power by 1e-4
ADDS_UP = 1e-4  # relative: ngspice's spectrum is that of its devices
KINDS = ("thermal", "1/f", "other")
LEFT_OUT = (
    "noise of gates that channels induce (the kit's models have none)",
    "thermal noise is the kit's: in weak inversion 26 % above shot noise (tnoimod = 0)",
    "supply and common-mode voltage are noiseless",
)
IDEAL_BIAS = "the reference current is noiseless"
STRIP = "1/f noise of the generator's resistor"


@dataclass(frozen=True, eq=False)
class SiliconNoise:
    """Spectra of the noise of every device at the Legendre states.

    Attributes
    ----------
    names, kinds : tuple of str
        Of k sources: device, and what of it makes noise, one of ``KINDS``.
    frequency : (f,) array, Hz
        Evenly spaced in its logarithm.
    density : (f, d, d, k) array, V^2/Hz
        One-sided, of pairs of states, for the volts of the memory's input as it is specified; the real part.
    bandwidth : float, Hz
        One of the frequencies.
    temperature : float, C
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    frequency: Float[np.ndarray, " f"]
    density: Float[np.ndarray, "f d d k"]
    bandwidth: float
    temperature: float = 27.0

    @property
    def total(self) -> Float[np.ndarray, "d d k"]:
        """Powers and products of states over all frequencies, V^2; 1/f noise from the lowest on."""
        # Above the highest, noise falls with the square of the frequency.
        return self._power(len(self.frequency)) + self.frequency[-1] * self.density[-1]

    @property
    def band(self) -> Float[np.ndarray, "d d k"]:
        """The same within the band."""
        return self._power(int(np.argmin(np.abs(self.frequency - self.bandwidth))) + 1)

    def _power(self, end: int) -> Float[np.ndarray, "d d k"]:
        f, S = self.frequency[:end], self.density[:end]
        white = np.array([kind != "1/f" for kind in self.kinds])
        below = f[0] * S[0] * white
        return below + integrate.simpson(f[:, None, None, None] * S, x=np.log(f), axis=0)


def at_places(power: Float[np.ndarray, "d d k"], r: Float[np.ndarray, " q"]) -> Float[np.ndarray, "q k"]:
    """Give the noise of every source at places of the window, V^2, from the products of states."""
    rows = readout(len(power), r)
    return np.einsum("qi,ijk,qj->qk", rows, power, rows)


def of_window(power: Float[np.ndarray, "d d k"]) -> Float[np.ndarray, " k"]:
    """Give the mean over the window, V^2: Legendre polynomials are orthogonal, so states add up by 1/(2i + 1)."""
    return np.einsum("iik,i->k", power, 1.0 / (2.0 * np.arange(len(power)) + 1.0))


def noise(bench: Bench, worker: Worker, *, bandwidth: float) -> SiliconNoise:
    """Find the noise of a settled bench, at its conditions.

    Parameters
    ----------
    bench : Bench
    worker : Worker
    bandwidth : float, Hz

    Raises
    ------
    SimulationError
        If ngspice finds none, or none that adds up.
    """
    return worker.call(_noise, (bench, bandwidth), timeout=TIMEOUT)


def _noise(bench: Bench, bandwidth: float) -> SiliconNoise:
    circuit = bench.circuit
    order, drive = circuit.order, source_card(circuit.drive, circuit)
    *lines, end = bench.lines
    low, high = LOWEST * bandwidth, HIGHEST * bandwidth
    found: dict[tuple[int, int], np.ndarray] = {}
    labels: list[tuple[str, str]] = []
    frequency = np.zeros(0)
    with Session([*lines, *_outputs(bench), end]) as session:
        for i, j in itertools.combinations_with_replacement(range(order), 2):
            frequency, spectra = session.noise(_output(i, j), drive, (low, high), a_decade=A_DECADE)
            by_source = _by_source(bench, spectra)
            labels = labels or list(by_source)
            found[i, j] = np.array([by_source[label] for label in labels])
    density = np.empty((len(frequency), order, order, len(labels)))
    for (i, j), both in found.items():
        shared = both if i == j else 0.5 * (both - found[i, i] - found[j, j])
        density[:, i, j] = density[:, j, i] = shared.T / circuit.gain**2
    heard = np.flatnonzero(density.any(axis=(0, 1, 2)))
    return SiliconNoise(
        tuple(labels[k][0] for k in heard),
        tuple(labels[k][1] for k in heard),
        frequency,
        density[..., heard],
        bandwidth,
        bench.conditions.temperature,
    )


def _output(i: int, j: int) -> str:
    return f"noise_{i}" if i == j else f"noise_{i}_{j}"


def _outputs(bench: Bench) -> Iterator[str]:
    """Give cards of noiseless sources whose voltages are the states, and the sums of two."""
    for i, probe in enumerate(bench.circuit.probes):
        terms = " + ".join(f"({number(term.factor)})*v({term.of})" for term in probe)
        yield f"B{_output(i, i)} {_output(i, i)} 0 V = {terms}"
    for i, j in itertools.combinations(range(bench.circuit.order), 2):
        yield f"B{_output(i, j)} {_output(i, j)} 0 V = v({_output(i, i)}) + v({_output(j, j)})"


def _by_source(bench: Bench, spectra: Mapping[str, np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    """Sort ngspice's spectra by device and kind, V^2/Hz; devices side by side together.

    Raises
    ------
    SimulationError
        If a device is missing, or they are not all that there is.
    """
    found: dict[tuple[str, str], np.ndarray] = {}
    whole = spectra["onoise_spectrum"]
    for x in bench.circuit.devices:
        if isinstance(x, Mos):
            names = [f"onoise.{path}" for path in paths(x, bench.installed.pdk)]
            if missing := [name for name in names if name not in spectra]:
                raise SimulationError(f"ngspice gave no noise of {missing[0]}")
            parts = [
                np.sum([spectra[f"{name}{end}"] for name in names], axis=0) for end in ("", ".id", ".1overf")
            ]
        elif isinstance(x, Resistor):
            parts = [spectra[f"onoise_{resistor(x.name)}{end}"] for end in ("", "_thermal", "_1overf")]
        else:
            # A kit may have resistors within a capacitor.
            parts = [
                np.sum([s for name, s in spectra.items() if _is_within(name, x, end)], axis=0)
                + np.zeros_like(whole)
                for end in ("", "_thermal", "_1overf")
            ]
        every, thermal, flicker = parts
        other = np.maximum(every - thermal - flicker, 0.0)
        # What is left of a difference of equal sums is rounding.
        other = np.where(other > ADDS_UP * every, other, 0.0)
        for kind, power in zip(KINDS, (thermal, flicker, other), strict=True):
            found[x.name, kind] = power
    summed = np.sum(list(found.values()), axis=0)
    if (off := float(np.max(np.abs(summed / whole - 1.0)))) > ADDS_UP:
        raise SimulationError(f"ngspice's noise of devices is off its whole by {off:.2g}: one is not known")
    return found


def _is_within(vector: str, device: Mim, end: str) -> bool:
    """Tell whether a vector is of what is inside a capacitor: all of it, or one kind."""
    inside = any(f".{name}." in vector for name in instances(device))
    parts = ("_thermal", "_1overf")
    return inside and (vector.endswith(end) if end else not vector.endswith(parts))
