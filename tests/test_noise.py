"""Noise: equipartition, closed forms, brute force over frequency, and ngspice."""

import json
import math
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, linalg

from lmu_analog import Design, build, legendre, realize
from lmu_analog.analysis.noise import band_power, bounds, flicker_power, noise, white_power
from lmu_analog.building import realization
from lmu_analog.circuits.circuit import Term
from lmu_analog.circuits.components import Capacitor, Inductor, OpAmp, Resistor
from lmu_analog.circuits.nodal.noise import NoiseSystem, Source, noise_system
from lmu_analog.circuits.nodal.settling import sampled_noise, sampled_noise_density
from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.cli import run_command
from lmu_analog.errors import CircuitError, DesignError, SimulationError
from lmu_analog.memory.legendre import usable_band
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import eliminate, matrices, scaled
from lmu_analog.memory.window import QUADRATURE, gauss_legendre, quadrature_for, readout
from lmu_analog.spice.deck import Sweep, deck

BOLTZMANN = 1.380649e-23  # J/K
KT = BOLTZMANN * 300.15
FILTER = {"order": 2, "bandwidth": "10 kHz"}
NOISY = {"gain": "100 dB", "gbw": "5 MHz", "noise": "20 nV/rtHz"}


def coefficient_noise(realization: Realization, *, scale: np.ndarray) -> float:
    """Window-mean noise of integrators whose conductances alone make noise, in units of kT/C.

    With E x' = F x + G u in volts, all integrating capacitors C and row sums g_i of what resistors set,
    Q = E^-1 diag(2 g) E^-T; amplifiers and summers are noiseless.

    Parameters
    ----------
    realization : Realization
    scale : (v,) array
        Volts for one unit of every variable, for example from ``peak_scale``.
    """
    structure = scaled(realization.structure, scale)
    n = structure.dynamic
    E, F, G = matrices(structure)
    A, _ = eliminate(structure)
    g = (np.abs(F - np.diag(np.diag(structure.F))).sum(axis=1) + np.abs(G[:, 0]))[:n]
    half = np.linalg.inv(E[:n, :n])
    N = linalg.solve_continuous_lyapunov(A, -half @ np.diag(2.0 * g) @ half.T)
    seen = (realization.readout / scale)[:, :n]
    rule = quadrature_for(len(seen))
    rows = readout(len(seen), rule.r) @ seen
    return float(rule.weight @ np.einsum("qi,ij,qj->q", rows, N, rows))


@pytest.mark.parametrize("order", [1, 3, 6, 12, 24])
def test_every_reactance_of_the_passive_ladder_holds_half_kT(order: int):
    circuit = build(Design(order=order, family="passive-rlc"))
    stored = [c for c in circuit.components if isinstance(c, Capacitor | Inductor)]
    probes = tuple(
        (Term("i", c.name, 1.0),)
        if isinstance(c, Inductor)
        else tuple(Term("v", net, sign) for net, sign in ((c.a, 1.0), (c.b, -1.0)) if net != "0")
        for c in stored
    )
    system = noise_system(replace(circuit, probes=probes), temperature=300.15)
    power = white_power(system, np.eye(len(probes))).sum(axis=1)
    # Equipartition: C v^2/2 = L i^2/2 = kT/2; one Schur decomposition of rounding.
    np.testing.assert_allclose(power, [KT / c.value for c in stored], rtol=1e-9)


@pytest.mark.parametrize("order", [3, 6, 12])
def test_the_lossless_state_form_has_order_kT_over_C_at_its_window(order: int):
    system = realize(legendre(order), "orthonormal").system
    loss = -(system.A + system.A.T)
    size, vectors = np.linalg.eigh(loss)
    B = vectors * np.sqrt(np.maximum(size, 0.0))  # the one port through which power leaves
    sources = tuple(Source(f"R{k}", "thermal", 2.0) for k in range(order))
    form = NoiseSystem(sources, system.A, B, system.C, np.zeros((order, order)))
    power = white_power(form, readout(order, QUADRATURE.r)).sum(axis=1)
    assert QUADRATURE.weight @ power == pytest.approx(order, rel=1e-9)  # rounding


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("legendre", (27.7, 206.0, 1400.0)),
        ("ladder", (12.5, 33.0, 86.0)),
        ("cap-feedforward", (15.7, 49.0, 148.0)),
    ],
)
def test_noise_of_peak_scaled_realizations_is_as_published(name: str, wanted: tuple[float, ...]):
    for order, value in zip((6, 12, 24), wanted, strict=True):
        found = realize(legendre(order), name)
        scale = peak_scale(found.structure, usable_band(order), amplitude=1.0, swing=1.0)
        # Figures of an independent program, whose band edge and peaks differ a little: 6 % at most.
        assert coefficient_noise(found, scale=scale) == pytest.approx(value, rel=0.1)


def test_a_gm_c_circuit_has_the_noise_of_its_coefficients():
    design = Design(order=4, family="gm-c", realization="legendre", capacitance="2 pF")
    found = realization(design)
    swing = (1.0 - design.headroom) * design.supply
    scale = peak_scale(found.structure, design.bandwidth, amplitude=design.amplitude, swing=swing)
    wanted = KT / 2e-12 * coefficient_noise(found, scale=scale)
    assert noise(design).attrs["window_mean_v2"] == pytest.approx(wanted, rel=1e-9)  # the same equations


def test_white_noise_by_lyapunov_is_its_integral_over_frequency():
    design = Design(order=3, theta="1 ms", opamp={"gain": "80 dB", "gbw": "200 kHz", "noise": "20 nV/rtHz"})
    system = noise_system(build(design), temperature=300.15)
    rows = readout(3, np.array([0.3]))

    def density(log_f: float) -> float:
        f = math.exp(log_f)
        states = np.linalg.solve(2j * np.pi * f * np.eye(len(system.A)) - system.A, system.B)
        return f * float((np.abs(rows @ system.C @ states) ** 2 @ system.density)[0])

    wanted, _ = integrate.quad(density, math.log(1e-3), math.log(1e10), limit=400, epsrel=1e-8)
    # Below 1 mHz and above 10 GHz lie 1e-6 and 1e-4 of the power's bandwidths of 1 kHz and 1 MHz.
    assert white_power(system, rows).sum() == pytest.approx(wanted, rel=2e-4)


def test_the_band_is_the_integral_up_to_its_edge():
    system = noise_system(build(Design(order=6, theta="1 ms", opamp=NOISY)), temperature=300.15)
    rows, rule = readout(6, np.array([0.0, 1.0])), gauss_legendre(200)
    wanted = np.zeros(2)
    for f, weight in zip(2e3 * rule.r, 2e3 * rule.weight, strict=True):
        states = np.linalg.solve(2j * np.pi * f * np.eye(len(system.A)) - system.A, system.B)
        wanted += weight * (np.abs(rows @ system.C @ states) ** 2 @ system.density)
    # 200 Gauss points resolve six poles to rounding.
    np.testing.assert_allclose(band_power(system, rows, 2e3).sum(axis=1), wanted, rtol=1e-8)


def test_flicker_noise_through_one_pole_is_a_logarithm():
    rate, low = 2e3, 0.1
    source = (Source("U", "voltage", 3e-16, 200.0),)
    one = np.ones((1, 1))
    system = NoiseSystem(source, -rate * one, one, one, 0.0 * one)
    wanted = 3e-16 * 200.0 / rate**2 * 0.5 * math.log1p((rate / (2.0 * np.pi * low)) ** 2)
    # Above 30 poles lies 1/(2 30^2) of one e-fold, 6e-5 of this integral.
    assert flicker_power(system, one, (low, math.inf))[0, 0] == pytest.approx(wanted, rel=1e-4)
    corners = [
        noise(Design(order=3, opamp={**NOISY, "noise_corner": f"{f} Hz"})).attrs["band_v2"]
        for f in (0, 100, 200)
    ]
    assert corners[2] - corners[1] == pytest.approx(corners[1] - corners[0], rel=1e-6)  # linear in the corner


def test_current_noise_acts_as_a_resistor_at_the_same_net():
    circuit = build(Design(order=3, realization="legendre", opamp={**NOISY, "current_noise": "1 pA/rtHz"}))
    system = noise_system(circuit, temperature=300.15)
    power = white_power(system, readout(3, np.array([0.5])))[0]
    resistor = next(c for c in circuit.components if isinstance(c, Resistor) and c.b == "g1")
    by_name = {(s.name, s.kind): p for s, p in zip(system.sources, power, strict=True)}
    ratio = 1e-24 / (4.0 * KT / resistor.value)
    assert by_name["Uint_1", "current"] == pytest.approx(ratio * by_name[resistor.name, "thermal"], rel=1e-9)


def spice_noise(circuit, weights, noise_voltage, band) -> float:
    """Integrate ngspice's output noise of a weighted sum of states, V^2; resistors stand for e_n."""
    lines = deck(circuit, Sweep(10, *band)).splitlines()
    resistance = noise_voltage**2 / (4.0 * KT)
    plus = {f"X{c.name[1:]}": c.plus for c in circuit.components if isinstance(c, OpAmp)}
    body = []
    for line in lines:
        name, *rest = line.split()
        if name in plus:
            body += [
                f"Rnoise_{name} n{name} 0 {resistance!r}",
                f"Enoise_{name} p{name} {plus[name]} n{name} 0 1",
            ]
            line = " ".join([name, f"p{name}", *rest[1:]])
        if not line.startswith((".ac", ".save", ".end\n", ".options")) and line != ".end":
            body.append(line)
    terms = [(w * t.factor, t.of) for w, p in zip(weights, circuit.probes, strict=True) for t in p]
    chain = [f"Esum{k} s{k} s{k + 1} {net} 0 {float(factor)!r}" for k, (factor, net) in enumerate(terms)]
    source = next(line.split()[0] for line in body if line.startswith("Vin"))
    body += [*chain, f"Vend s{len(chain)} 0 0", ".control"]
    body += [f"noise v(s0) {source} dec 400 {band[0]!r} {band[1]!r}", "setplot noise2"]
    body += ["print onoise_total", "quit", ".endc", ".end"]
    done = subprocess.run(
        ["ngspice", "-b", "/dev/stdin"], input="\n".join(body), capture_output=True, text=True, check=False
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("onoise_total")]
    return float(found[0].split("=")[1]) ** 2


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("realization_", "r", "more"),
    [
        ("legendre", 0.0, {}),
        ("legendre", 0.7, {}),
        ("cap-feedforward", 0.0, {}),
        ("cap-feedforward", 0.7, {}),
        ("cap-feedforward", 0.7, {"reference": "mid", "input_buffer": FILTER, "output_load": "5 kohm"}),
    ],
)
def test_ngspice_finds_the_same_noise(realization_: str, r: float, more: dict):
    design = Design(order=4, theta="1 ms", realization=realization_, opamp={**NOISY, "rail": "1e6 V"}, **more)
    circuit = build(design)
    rows = readout(4, np.array([r]))
    system = noise_system(circuit, temperature=300.15)
    # 400 points a decade, between which ngspice interpolates: 0.1 %; the deck's own pole resistors are 1e-9.
    theirs = spice_noise(circuit, rows[0], 20e-9, (1e-2, design.bandwidth))
    assert band_power(system, rows, design.bandwidth).sum() == pytest.approx(theirs, rel=0.01)
    # 100 GHz is four decades above the op-amps' crossover.
    theirs = spice_noise(circuit, rows[0], 20e-9, (1e-2, 1e11))
    assert white_power(system, rows).sum() == pytest.approx(theirs, rel=0.01)


def test_a_switched_circuits_density_adds_up_to_its_variance():
    circuit = build(Design(order=3, family="switched-capacitor"))
    rule, half = gauss_legendre(400), 0.5 * circuit.clock
    density = sampled_noise_density(circuit, half * rule.r, temperature=300.15)
    total = half * np.einsum("f,fij->ij", rule.weight, density).real
    # 400 points over a spectrum whose poles are at a hundredth of the clock.
    np.testing.assert_allclose(total, sampled_noise(circuit, temperature=300.15), rtol=1e-6, atol=1e-20)
    found = noise(Design(order=3, family="switched-capacitor"))
    assert found.source.values.tolist() == ["switches kT/C"]
    assert 0.0 < found.attrs["band_v2"] < found.attrs["window_mean_v2"]


def test_what_reaches_the_output_directly_diverges_but_not_in_the_band():
    found = noise(Design(order=6, family="passive-rlc"))
    assert found.attrs["window_mean_v2"] == math.inf
    assert 0.0 < found.attrs["band_v2"] < math.inf
    assert float(found.share.sum()) == pytest.approx(1.0, rel=1e-12)  # rounding


def test_noise_power_falls_as_capacitance_grows():
    design = Design(order=6)
    small, large = (design.replace(capacitance=c) for c in (1e-12, 1e-10))
    few, many = noise(small).attrs, noise(large).attrs
    # All resistors shrink by 100: 20 dB, in the circuit as in the bound.
    for name in ("snr_db", "band_snr_db"):
        assert many[name] - few[name] == pytest.approx(20.0, abs=1e-6)
    lossless = [bounds(d, 60.0)["lossless_v2"] for d in (small, large)]
    assert lossless[0] == pytest.approx(100.0 * lossless[1], rel=1e-9)
    assert few["window_mean_v2"] > lossless[0]
    assert many["window_mean_v2"] > lossless[1]
    least = bounds(design, 60.0)
    assert least["power_w"] == pytest.approx(8.0 * KT * design.bandwidth * 1e6 * 6, rel=1e-12)  # the formula


def test_what_has_no_noise_model_is_refused():
    with pytest.raises(CircuitError, match=r"^switched-capacitor: its noise is that of its switches, kT/C;"):
        noise_system(build(Design(order=3, family="switched-capacitor")), temperature=300.0)
    unstable = NoiseSystem((), np.eye(1), np.zeros((1, 0)), np.eye(1), np.zeros((1, 0)))
    with pytest.raises(
        SimulationError, match=r"^the circuit is unstable: a pole has the real part 1 1/s, and"
    ):
        white_power(unstable, np.eye(1))
    with pytest.raises(DesignError, match=r"^\[circuit\] opamp: op-amp noise = -1e-09; it must be positive"):
        Design(opamp={**NOISY, "noise": "-1 nV/rtHz"})


def test_the_command_gives_one_object_and_a_figure(tmp_path, capsys):
    path, figure = tmp_path / "d.toml", tmp_path / "n.svg"
    path.write_text('[memory]\norder = 4\n[circuit]\nfamily = "active-rc"\nopamp = "OPA2192"\n')
    assert run_command(["noise", str(path), "--json", "--plot", str(figure)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["temperature_k"] == 300.15
    assert found["window_mean_v2"] > found["band_v2"] > 0.0
    assert sum(c["share"] for c in found["contributions"]) == pytest.approx(1.0, rel=1e-9)  # rounding
    assert {c["kind"] for c in found["contributions"]} == {"thermal", "voltage", "current"}
    assert set(found["bounds"]) == {"kt_c_v2", "lossless_v2", "power_w"}
    assert figure.read_text().startswith("<?xml")
    assert run_command(["noise", str(path)]) == 0
    assert "Uint_" in capsys.readouterr().out
    path.write_text('[memory]\norder = 4\n[circuit]\nfamily = "passive-rlc"\n')
    assert run_command(["noise", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["window_mean_v2"] is found["snr_db"] is None
    assert run_command(["noise", str(path)]) == 0
    assert "its power has no bound" in capsys.readouterr().out


def test_flicker_noise_of_transconductors_is_that_of_their_corner_and_said_where_it_is_not_known():
    plain = Design(order=2, family="gm-c", theta="1 ms", transconductor={"gain": "80 dB"})
    white = noise(plain)
    assert white.attrs["left_out"] == [
        "1/f noise of transconductors: give noise_corner in [circuit] transconductor"
    ]
    table = {"gain": "80 dB", "noise_corner": "2 kHz"}
    found = noise(plain.replace(transconductor=table))
    assert found.attrs["left_out"] == []
    circuit = build(plain)
    system = noise_system(circuit, temperature=300.15)
    row = readout(2, QUADRATURE.r)

    def density(f):
        seen = row @ (system.C @ np.linalg.solve(2j * np.pi * f * np.eye(len(system.A)) - system.A, system.B))
        return 2e3 / f * np.einsum("q,qk,k->", QUADRATURE.weight, np.abs(seen) ** 2, system.density)

    # Over the logarithm of the frequency from a thousandth of the band on, far beyond the poles.
    octaves = np.linspace(np.log(1e-3 * plain.bandwidth), np.log(1e6), 4001)
    excess = integrate.simpson([density(f) * f for f in np.exp(octaves)], x=octaves)
    more = found.attrs["window_mean_v2"] - white.attrs["window_mean_v2"]
    assert more == pytest.approx(excess, rel=1e-6)  # Simpson's rule at 4001 points
    assert noise(plain.replace(transconductor={**table, "noise_corner": 0})).attrs["left_out"] == []
    bare = Design(order=2, opamp={"name": "mine", "gain": 1e5, "gbw": 1e6})
    assert noise(bare).attrs["left_out"] == ["noise of mine: give noise, noise_corner and current_noise"]
