"""Noise of a memory of transistors: ngspice's against transfer functions times what each device makes alone."""

from collections.abc import Iterator

import numpy as np
import pytest

from lmu_analog.analysis.noise import bounds, noise_of_transistors
from lmu_analog.circuits.devices.pdk import find_pdk
from lmu_analog.design import Design
from lmu_analog.memory.window import gauss_legendre
from lmu_analog.silicon.altering import paths
from lmu_analog.silicon.deck import OPTIONS, instances
from lmu_analog.silicon.devices import Mim
from lmu_analog.silicon.ensemble import settle
from lmu_analog.silicon.noise import SiliconNoise, at_places, noise, of_window
from lmu_analog.silicon.samples import Bench, probe_rows
from lmu_analog.spice.session import Session
from lmu_analog.spice.worker import Worker
from tests.kits import needs_gf180
from tests.test_silicon_engines import FREQUENCY, memory

BAND = 3e3  # Hz
SPAN = (3.0, 3e6)  # Hz, with 24 points a decade, as the noise of BAND
SHOWN = slice(0, None, 24)
CHARGE = 1.602176634e-19  # C


def test_states_add_up_over_the_window_by_their_norms() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((5, 5, 2))
    power = np.einsum("iak,jak->ijk", root, root)
    rule = gauss_legendre(8)
    # The rule is exact for products of two polynomials of degree 4.
    np.testing.assert_allclose(rule.weight @ at_places(power, rule.r), of_window(power), rtol=1e-12)


def test_powers_are_integrals_of_known_spectra() -> None:
    frequency = BAND * np.geomspace(1e-3, 1e3, 145)
    pole = 0.7 * BAND
    low_pass = 1.0 / (1.0 + (frequency / pole) ** 2)
    density = np.stack([1e-15 * low_pass, 1e-12 / frequency * low_pass], axis=-1)[:, None, None, :]
    found = SiliconNoise(("a", "a"), ("thermal", "1/f"), frequency, density, BAND)
    # Integrals of 1/(1 + x^2) and of 1/x less x/(1 + x^2); Simpson's rule on 24 points a decade leaves 1e-6.
    one = 1e-15 * pole * np.array([0.5 * np.pi, np.arctan(BAND / pole)])

    def log(high: float) -> float:
        ends = np.array([frequency[0], high]) / pole
        return float(np.diff(np.log(ends) - 0.5 * np.log1p(ends**2))[0])

    other = 1e-12 * np.array([log(1e9 * pole), log(BAND)])
    np.testing.assert_allclose(found.total[0, 0], [one[0], other[0]], rtol=2e-5)
    np.testing.assert_allclose(found.band[0, 0], [one[1], other[1]], rtol=2e-5)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as kept:
        yield kept


@pytest.fixture(scope="module")
def bench(worker: Worker) -> Bench:
    return settle(Bench(memory(), find_pdk("gf180mcu"), FREQUENCY), worker)


def alone(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """Measure the noise currents of every transistor, each between sources of its own voltages, A^2/Hz, (n, f)."""
    volts = dict(bench.circuit.nodeset) | dict(bench.circuit.fixed()) | {"0": 0.0}
    at = bench.conditions
    lines = ["* noise alone", *bench.installed.cards(at.corner, at.mim), f".options {OPTIONS}"]
    lines.append(f".temp {at.temperature}")
    mos = bench.circuit.transistors
    for k, x in enumerate(mos):
        ends = [volts[net] for net in x.nets]
        name = instances(x)[0]
        lines.append(f"{name} d{k} g{k} s{k} b{k} {x.device} w={x.width!r} l={x.length!r}")
        lines += [f"V{end}{k} {end}{k} 0 {v!r} ac 1" for end, v in zip("dgsb", ends, strict=True)]
        lines.append(f"H{k} out{k} 0 Vd{k} 1")
    found, current = [], []
    with Session([*lines, ".end"]) as session:
        amperes = session.point([], sources=[f"vd{k}" for k in range(len(mos))]).amperes
        for k, x in enumerate(mos):
            _, spectra = session.noise(f"out{k}", f"vg{k}", SPAN, a_decade=24)
            path = paths(x, bench.installed.pdk)[0]
            found.append(x.count * spectra[f"onoise.{path}"])
            current.append(abs(amperes[k]) * x.count)
    return np.array(found), np.array(current)


@needs_gf180
def test_a_lossless_circuit_has_the_plates_of_the_chip(bench: Bench) -> None:
    order = len(bench.circuit.probes)
    quiet = SiliconNoise(
        ("a",), ("thermal",), np.geomspace(3.0, 3e6, 145), np.ones((145, order, order, 1)), BAND
    )
    design = Design(order=order, theta=1e-4, bandwidth=BAND, family="gm-c", realization="ladder")
    found = noise_of_transistors(design, quiet, bench).attrs
    plates = [x.area for x in bench.circuit.devices if isinstance(x, Mim)]
    assert len(plates) == order
    # 1.99 fF/um2, to which edges add some percent.
    wanted = 1.380649e-23 * 300.15 * np.mean([1.0 / (1.99e-3 * area) for area in plates])
    assert found["kt_c_v2"] == pytest.approx(wanted, rel=0.05)
    least = bounds(design, 60.0, on_chip=(found["kt_c_v2"], 0.4))
    assert least["lossless_v2"] == pytest.approx(order * found["kt_c_v2"] / 0.4**2, rel=1e-12)


def transfers(bench: Bench, frequency: np.ndarray) -> np.ndarray:
    """Measure the states' responses to one ampere from drain to source of every transistor, (n, f, d)."""
    nets, rows = probe_rows(bench.circuit)
    mos = bench.circuit.transistors
    *lines, end = bench.lines
    lines += [f"Inoise{k} {x.drain} {x.source} 0 ac 0" for k, x in enumerate(mos)]
    found = []
    with Session([*lines, end]) as session:
        session.alter(["alter vvu acmag = 0"])
        for k in range(len(mos)):
            session.alter([f"alter inoise{k} acmag = 1"])
            found.append(session.point(nets, frequency=frequency).response @ rows.T)
            session.alter([f"alter inoise{k} acmag = 0"])
    return np.array(found)


@needs_gf180
def test_noise_is_what_each_device_makes_times_how_it_reaches_the_states(
    bench: Bench, worker: Worker
) -> None:
    found = noise(bench, worker, bandwidth=BAND)
    made, current = worker.call(alone, (bench,), timeout=60.0)
    frequency = found.frequency[SHOWN]
    H = worker.call(transfers, (bench, frequency), timeout=60.0)
    names = [x.name for x in bench.circuit.transistors]
    mine = np.array([[name == other for other in found.names] for name in names], float)
    total = np.einsum("fijs,ks->kfij", found.density[SHOWN], mine)
    wanted = made[:, SHOWN, None, None] * np.real(H[..., :, None] * H[..., None, :].conj())
    scale = np.sqrt(np.einsum("kfii,kfjj->kfij", wanted, wanted))
    # Operating points agree to ngspice's tolerances, and tails, which reach both sides of a pair, cancel to rounding;
    # products of states are differences of sums.
    assert (np.abs(total - wanted) <= 2e-3 * scale + 1e-6 * scale.sum(axis=0)).all()
    thermal = np.array([kind == "thermal" for kind in found.kinds])
    flicker = of_window(found.band[..., ~thermal]).sum()
    assert 0.01 < flicker / of_window(found.band).sum() < 0.99
    # Pairs are in strong inversion here, where channels make less than shot noise of their current.
    shot = 2.0 * CHARGE * current[names.index("Ga_1_0.a")]
    assert 0.1 * shot < made[names.index("Ga_1_0.a"), -1] < shot
