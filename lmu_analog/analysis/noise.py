"""Noise of a design at the window: the contribution of every component at every delay, in the band and in total.

Its variance in a linear system is found exactly by Lyapunov for white noise, and over frequency for the rest.
"""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import linalg

from lmu_analog.building import build, capacitances, full_swing
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.noise import NoiseSystem, noise_system, unknown_noise
from lmu_analog.circuits.nodal.settling import BOLTZMANN, sampled_noise, sampled_noise_density
from lmu_analog.circuits.temperature import NOMINAL
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError
from lmu_analog.memory.window import Quadrature, gauss_legendre, quadrature_for, readout
from lmu_analog.silicon.devices import Mim
from lmu_analog.silicon.noise import IDEAL_BIAS, LEFT_OUT, STRIP, SiliconNoise, at_places
from lmu_analog.silicon.samples import Bench
from lmu_analog.units import ICE

_SLOWEST = 1e-3  # of the bandwidth: 1/f noise below it is drift, and counts as an offset
_BAND_POINTS = 32  # frequencies of a sampled circuit's band; its response turns once or twice in it
_POINTS = 10  # a panel of frequencies, whose ends are poles: more move no result by 1e-6
_WIDEST = math.e  # ratio of the ends of a panel of 1/f noise
_FAR = 30.0  # times the fastest pole: beyond it lies 1e-3 of what 1/f noise there is at that pole


@dataclass(frozen=True, eq=False)
class Powers:
    """Noise at places of the window, V^2, source by source.

    Attributes
    ----------
    names, kinds : tuple of str
        Component, and what of it makes noise.
    total : (q, k) array
        Over all frequencies; infinite where white noise reaches the output at once.
    band : (q, k) array
        Over the signal band.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    total: Float[np.ndarray, "q k"]
    band: Float[np.ndarray, "q k"]


def noise(design: Design, *, circuit: Circuit | None = None) -> xr.Dataset:
    """Find the noise of a design's circuit at its window, at the temperature of the design or 300.15 K.

    White noise by a Lyapunov equation, exactly; 1/f noise and the band by integration over frequency, 1/f
    noise from a thousandth of the bandwidth upwards. A sampled circuit has the kT/C noise of its switches,
    at the instants when it is read; transistors have the noise of their operating point, by their small-signal
    circuit there. The input is noiseless.

    Parameters
    ----------
    design : Design
    circuit : Circuit, optional
        In place of the nominal one.

    Returns
    -------
    xarray.Dataset
        ``total`` and ``band`` over (source, delay), V^2, largest source first; ``share`` (source) of the mean
        over the window, of all frequencies or, where that diverges, of the band; ``component`` and ``kind``.
        Attributes ``temperature_k``, ``window_mean_v2`` (infinite where it diverges), ``band_v2``,
        ``snr_db`` and ``band_snr_db`` (a full-scale sine over the noise), ``lowest_hz``, ``left_out``: lines
        about noise that is not counted because it is not known.

    Raises
    ------
    SimulationError
        If the circuit is unstable.
    CircuitError
        If it is made of transistors, and no operating point is found.
    """
    circuit = build(design) if circuit is None else circuit
    rule = quadrature_for(circuit.order)
    found = _dataset(design, noise_powers(design, circuit, rule.r), rule)
    return found.assign_attrs(left_out=list(unknown_noise(circuit)))


def noise_of_transistors(design: Design, found: SiliconNoise, bench: Bench) -> xr.Dataset:
    """Give what ``noise`` gives for a memory in the transistors of a process, from its spectra in ngspice.

    Parameters
    ----------
    design : Design
        Its full scale is what the ratios are of.
    found : SiliconNoise
        From ``silicon.noise.noise`` for the bandwidth of the design; its own temperature counts.
    bench : Bench
        What was measured: its plates and the volts on the chip for one of the input are kept as the attributes
        ``kt_c_v2`` (of the plates of a state, their mean, V^2 on the chip) and ``gain``.
    """
    rule = quadrature_for(design.order)
    powers = Powers(found.names, found.kinds, at_places(found.total, rule.r), at_places(found.band, rule.r))
    kelvin = found.temperature + ICE
    devices = bench.installed.pdk.devices
    plates = [
        x.count * devices[x.device].capacitance(x.width, x.length)
        for x in bench.circuit.devices
        if isinstance(x, Mim)
    ]
    return _dataset(design, powers, rule).assign_attrs(
        temperature_k=kelvin,
        left_out=[*LEFT_OUT, IDEAL_BIAS if design.bias == "ideal" else STRIP],
        kt_c_v2=float(np.mean([BOLTZMANN * kelvin / capacitance for capacitance in plates])),
        gain=bench.circuit.gain,
    )


def noise_powers(design: Design, circuit: Circuit, r: Float[np.ndarray, " q"]) -> Powers:
    """Find the noise of a circuit at places ``r`` of the window, source by source; raises as ``noise`` does."""
    temperature, band = _temperature_of(design), design.bandwidth
    rows = readout(circuit.order, r)
    if circuit.clock is not None:
        return _sampled(circuit, rows, band, temperature)
    system = noise_system(circuit, temperature=temperature)
    low = _SLOWEST * band
    return Powers(
        tuple(s.name for s in system.sources),
        tuple(s.kind for s in system.sources),
        white_power(system, rows) + flicker_power(system, rows, (low, math.inf)),
        band_power(system, rows, band) + flicker_power(system, rows, (low, band)),
    )


def band_noise(design: Design, circuit: Circuit) -> float:
    """Give the noise of a circuit in continuous time within the band, in the mean over the window, V^2.

    ``band_v2`` of ``noise``, without what it takes to find the noise of all frequencies.

    Raises
    ------
    CircuitError
        If the circuit has switches, no operating point, or singular equations.
    """
    _, white, flicker = band_noise_by_source(design, circuit)
    return float(white.sum() + flicker.sum())


def band_noise_by_source(
    design: Design, circuit: Circuit
) -> tuple[tuple[str, ...], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Give the kind of every source, and its white and its 1/f noise within the band, as ``band_noise`` does, V^2.

    Raises
    ------
    CircuitError
        As ``band_noise``.
    """
    rule, band = quadrature_for(circuit.order), design.bandwidth
    rows = readout(circuit.order, rule.r)
    system = noise_system(circuit, temperature=_temperature_of(design))
    white = rule.weight @ band_power(system, rows, band)
    flicker = rule.weight @ flicker_power(system, rows, (_SLOWEST * band, band))
    return tuple(source.kind for source in system.sources), white, flicker


def _temperature_of(design: Design) -> float:
    """Temperature of a design's parts, K."""
    return NOMINAL if design.temperature is None else design.temperature


def _sampled(circuit: Circuit, rows: np.ndarray, band: float, temperature: float) -> Powers:
    """Take all switches together: their charges mix."""
    total = sampled_noise(circuit, temperature=temperature)
    rule = gauss_legendre(_BAND_POINTS)
    highest = min(band, 0.5 * (circuit.clock or math.inf))
    density = np.real(sampled_noise_density(circuit, highest * rule.r, temperature=temperature))
    inside = highest * np.einsum("f,fij->ij", rule.weight, density)
    at_rows = (np.einsum("qi,ij,qj->q", rows, N, rows)[:, None] for N in (total, inside))
    return Powers(("switches",), ("kT/C",), *at_rows)


def _dataset(design: Design, powers: Powers, rule: Quadrature) -> xr.Dataset:
    weight = rule.weight
    total, band = (float(weight @ part.sum(axis=1)) for part in (powers.total, powers.band))
    mean = weight @ (powers.total if math.isfinite(total) else powers.band)
    order = np.argsort(-mean, kind="stable")
    share = mean[order] / mean.sum() if mean.any() else mean
    names = [f"{name} {kind}" for name, kind in zip(powers.names, powers.kinds, strict=True)]
    volts2 = {"units": "V^2"}
    return xr.Dataset(
        {
            "total": (("source", "delay"), powers.total[rule.shown].T[order], volts2),
            "band": (("source", "delay"), powers.band[rule.shown].T[order], volts2),
            "share": ("source", share, {"units": "1"}),
            "component": ("source", np.array([powers.names[k] for k in order], dtype=object)),
            "kind": ("source", np.array([powers.kinds[k] for k in order], dtype=object)),
        },
        coords={
            "source": np.array([names[k] for k in order], dtype=object),
            "delay": ("delay", rule.r[rule.shown], {"units": "theta"}),
        },
        attrs={
            "temperature_k": _temperature_of(design),
            "window_mean_v2": total,
            "band_v2": band,
            "snr_db": decibels(design, total),
            "band_snr_db": decibels(design, band),
            "lowest_hz": _SLOWEST * design.bandwidth,
            **design.provenance,
        },
    )


def decibels(design: Design, power: float) -> float:
    """Give the power of a full-scale sine over a noise power; none of noise is an infinite ratio."""
    signal = 0.5 * design.full_scale**2
    return 10.0 * math.log10(signal / power) if 0.0 < power < math.inf else math.copysign(math.inf, -power)


def bounds(
    design: Design, snr_db: float, *, on_chip: tuple[float, float] | None = None
) -> dict[str, float | None]:
    """Give what physics asks for, to stand beside what the circuit does.

    Parameters
    ----------
    design : Design
    snr_db : float, dB
        That the power bound is for.
    on_chip : (float, float), optional
        Of transistors of a process, which have capacitors and a swing of their own: kT/C of their plates, V^2, and the
        volts on the chip for one of the input.

    Returns
    -------
    dict
        ``kt_c_v2``: kT/C of the integrating capacitors, their mean, V^2; ``lossless_v2``: what a lossless circuit of
        such capacitors has at its window, order times kT/C, where its states use the swing that the design allows;
        ``power_w``: 8 k T f SNR a pole (Vittoz, ISCAS 1990), W.
    """
    thermal = BOLTZMANN * _temperature_of(design)
    if on_chip is None:
        enlarged = full_swing(design) / design.full_scale
        kt_c = float(np.mean([thermal / capacitance for capacitance in capacitances(design)]))
    else:
        kt_c, enlarged = on_chip
    ratio = 10.0 ** (snr_db / 10.0) if math.isfinite(snr_db) else None
    return {
        "kt_c_v2": kt_c,
        "lossless_v2": design.order * kt_c / enlarged**2,
        "power_w": None if ratio is None else 8.0 * thermal * design.bandwidth * ratio * design.order,
    }


def _observability(A: Float[np.ndarray, "n n"], rows: Float[np.ndarray, "q n"]) -> Float[np.ndarray, "q n n"]:
    """Solve A^T X + X A + c^T c = 0 for every row c; unit white noise that enters by b has the power b^T X b.

    One Schur form serves all rows (Bartels and Stewart, Communications of the ACM 15, 1972).

    Parameters
    ----------
    A : (n, n) array, 1/s
        Stable.
    rows : (q, n) array
    """
    T, U = linalg.schur(A)[:2]
    (solve,) = linalg.get_lapack_funcs(("trsyl",), (T,))
    seen = rows @ U
    found = [solve(T, T, -np.outer(c, c), trana="T") for c in seen]
    return np.array([U @ (X / scale) @ U.T for X, scale, _ in found])


def white_power(system: NoiseSystem, rows: Float[np.ndarray, "q p"]) -> Float[np.ndarray, "q k"]:
    """Give the power of every white source at every combination of outputs, over all frequencies, V^2.

    Parameters
    ----------
    system : NoiseSystem
    rows : (q, p) array
        Weights of the outputs.

    Returns
    -------
    (q, k) array
        Infinite where a source reaches the output at once.

    Raises
    ------
    SimulationError
        If the circuit is unstable.
    """
    if len(system.A) and (rate := np.linalg.eigvals(system.A).real.max()) >= 0.0:
        raise SimulationError(
            f"the circuit is unstable: a pole has the real part {rate:.3g} 1/s, and its noise no finite power"
        )
    X = _observability(system.A, rows @ system.C)
    # Half of a one-sided density is the intensity of the process.
    power = 0.5 * system.density * np.einsum("nk,qnm,mk->qk", system.B, X, system.B, optimize=True)
    return np.where(rows @ system.D == 0.0, power, np.where(system.density == 0.0, 0.0, math.inf))


def flicker_power(
    system: NoiseSystem, rows: Float[np.ndarray, "q p"], band: tuple[float, float]
) -> Float[np.ndarray, "q k"]:
    """Give the power of the 1/f noise of every source within a band, V^2.

    Parameters
    ----------
    system : NoiseSystem
    rows : (q, p) array
    band : (lowest, highest), Hz
        The highest may be infinite: all that the circuit lets through is then taken.

    Returns
    -------
    (q, k) array
    """
    total = np.zeros((len(rows), len(system.sources)))
    chosen = np.flatnonzero((system.corner > 0.0) & (system.density > 0.0))
    low, high = band
    if not len(chosen):
        return total
    poles = np.abs(np.linalg.eigvals(system.A)) / (2.0 * np.pi)
    high = high if math.isfinite(high) else _FAR * max(low, float(poles.max(initial=low)))
    frequency, weight = _panels(
        np.log(poles[poles > 0.0]), (math.log(low), math.log(high)), math.log(_WIDEST)
    )
    gain = _gains(system, rows, np.exp(frequency), chosen)
    total[:, chosen] = np.einsum("f,fqk->qk", weight, gain) * (system.density * system.corner)[chosen]
    return total


def band_power(
    system: NoiseSystem, rows: Float[np.ndarray, "q p"], highest: float
) -> Float[np.ndarray, "q k"]:
    """Give the power of the white noise of every source from 0 to ``highest``, Hz, by integration, V^2."""
    poles = np.abs(np.linalg.eigvals(system.A)) / (2.0 * np.pi)
    frequency, weight = _panels(poles, (0.0, highest), highest / 4.0)
    gain = _gains(system, rows, frequency, np.arange(len(system.sources)))
    return np.einsum("f,fqk->qk", weight, gain) * system.density


def _panels(poles: np.ndarray, ends: tuple[float, float], widest: float) -> tuple[np.ndarray, np.ndarray]:
    """Give points and weights of Gauss-Legendre panels that end at the poles and are no wider than allowed."""
    low, high = ends
    count = max(1, math.ceil((high - low) / widest))
    inside = poles[(poles > low) & (poles < high)]
    edges = np.unique(np.concatenate([np.linspace(low, high, count + 1), inside]))
    rule, width = gauss_legendre(_POINTS), np.diff(edges)[:, None]
    return (edges[:-1, None] + width * rule.r).ravel(), (width * rule.weight).ravel()


def _gains(system: NoiseSystem, rows: np.ndarray, frequency: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Give |H|^2 from the chosen sources to the rows, (f, q, k): one adjoint solve a frequency."""
    B, D = system.B[:, chosen], system.D[:, chosen]
    identity = np.eye(len(system.A))
    gains = []
    for s in 2j * np.pi * frequency:
        adjoint = np.linalg.solve((s * identity - system.A).T, system.C.T.astype(complex))
        gains.append(np.abs(rows @ (adjoint.T @ B + D)) ** 2)
    return np.array(gains)
