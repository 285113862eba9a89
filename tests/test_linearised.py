"""Circuits of transistors: operating point, small-signal circuit and noise against ngspice and formulas."""

import subprocess

import numpy as np
import pytest

from lmu_analog import Design, build, extract
from lmu_analog.analysis.noise import band_power, noise
from lmu_analog.circuits.components import Bias, Mosfet
from lmu_analog.circuits.devices.ekv import NMOS, drain_current
from lmu_analog.circuits.families.ota import INVERSION, LIMIT, SWING, tail_current
from lmu_analog.circuits.nodal.linearised import CHARGE, Channel, linearised, operating_point
from lmu_analog.circuits.nodal.noise import noise_system
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import readout
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck, vector

OTA = Design(order=3, theta="1 ms", family="gm-c", realization="legendre", level="transistor")
DPI = Design(order=2, theta="1 ms", family="dpi", capacitance="10 pF")


@pytest.mark.parametrize("design", [OTA, DPI], ids=["ota", "dpi"])
def test_currents_into_every_gate_net_add_up_to_nothing(design: Design):
    circuit = build(design)
    volts = operating_point(circuit)
    into: dict[str, float] = {}
    for c in circuit.components:
        if isinstance(c, Mosfet):
            sign = 1.0 if c.model.kind == "n" else -1.0
            pins = [sign * (volts[pin] - volts[c.bulk]) for pin in (c.gate, c.source, c.drain)]
            current = sign * drain_current(c.model, c.value, tuple(pins))
            for net, amount in ((c.drain, -current), (c.source, current)):
                into[net] = into.get(net, 0.0) + amount
        elif isinstance(c, Bias):
            into[c.a], into[c.b] = into.get(c.a, 0.0) - c.value, into.get(c.b, 0.0) + c.value
    fixed = {"0", "vdd", "vss", *(net for net in into if net.startswith(("out_", "thr_")))}
    largest = max(abs(c.value) for c in circuit.components if isinstance(c, Bias))
    # Newton stops at 1e-12 V, of a thermal voltage of 26 mV.
    assert max(abs(i) for net, i in into.items() if net not in fixed) < 1e-9 * largest


@pytest.mark.ngspice
@pytest.mark.parametrize("design", [OTA, DPI], ids=["ota", "dpi"])
def test_ngspice_sees_the_same_small_signal_circuit(design: Design):
    circuit, sweep = build(design), Sweep(3, design.bandwidth / 3.0, design.bandwidth)
    vectors = ngspice.run_batch(deck(circuit, sweep), sweep)
    theirs = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
    mine = frequency_response(
        extract(linearised(circuit)[0]), np.linspace(design.bandwidth / 3.0, design.bandwidth, 3)
    )
    # ngspice's operating point is right to reltol, 1e-5.
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_a_channel_has_the_shot_noise_of_its_current():
    circuit = build(OTA)
    reference = next(c for c in circuit.components if isinstance(c, Bias) and c.name == "Iref")
    channels = {c.name: c for c in linearised(circuit)[1]}
    # Mref carries it as a saturated diode: no reverse current to 1e-10.
    assert channels["Mref"].density == pytest.approx(2.0 * CHARGE * reference.value, rel=1e-9)
    assert channels["Mref"] == Channel("Mref", "bias", "vss", channels["Mref"].density)


def test_an_ota_is_as_noisy_as_four_halves_of_its_tail():
    found, quiet = noise(OTA), noise(OTA.replace(level="behavioural"))
    # Four devices of I_tail/2 make 4 q I_tail; a behavioural OTA has 4 k T g, and an attenuator stands before it.
    excess = 4.0 * CHARGE * tail_current(1.0) / (4.0 * 1.380649e-23 * 300.15)
    attenuation = SWING * LIMIT / OTA.supply
    wanted = quiet.attrs["window_mean_v2"] * excess / attenuation**2
    # The tails' own noise is common to both halves, up to the inversion: sqrt(1e-3)/2 squared.
    assert found.attrs["window_mean_v2"] == pytest.approx(wanted, rel=1e-3)
    assert excess == pytest.approx(2.0 * NMOS.slope, rel=np.sqrt(INVERSION))  # 2 n in weak inversion
    assert set(found.kind.values) == {"shot"}


def spice_noise(circuit, channels, weights, band) -> float:
    """Integrate ngspice's output noise of a weighted sum of states, V^2: resistors' noise, turned into currents."""
    body = [
        line
        for line in deck(circuit, Sweep(3, *band)).splitlines()
        if not line.startswith((".ac", ".save", ".end")) or line.startswith(".ends")
    ]
    per_ohm = 4.0 * 1.380649e-23 * 300.15
    for k, c in enumerate(channels):
        turned = float(np.sqrt(c.density / (per_ohm * 1e3)))
        body += [f"Rnoise{k} noise{k} 0 1e3", f"Gnoise{k} {c.drain} {c.source} noise{k} 0 {turned!r}"]
    terms = [(w * t.factor, t.of) for w, p in zip(weights, circuit.probes, strict=True) for t in p]
    body += [f"Hsum{k} s{k} s{k + 1} {of} {float(factor)!r}" for k, (factor, of) in enumerate(terms)]
    body += [f"Vend s{len(terms)} 0 0", ".control", f"noise v(s0) Vin dec 400 {band[0]!r} {band[1]!r}"]
    body += ["setplot noise2", "print onoise_total", "quit", ".endc", ".end"]
    done = subprocess.run(
        ["ngspice", "-b", "/dev/stdin"], input="\n".join(body), capture_output=True, text=True, check=False
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("onoise_total")]
    return float(found[0].split("=")[1]) ** 2


@pytest.mark.ngspice
def test_ngspice_finds_the_same_noise_of_a_dpi():
    circuit, rows = build(DPI), readout(2, np.array([0.3]))
    channels = linearised(circuit)[1]
    system = noise_system(circuit, temperature=300.15)
    shot = np.array([s.kind == "shot" for s in system.sources])
    mine = band_power(system, rows, DPI.bandwidth)[:, shot].sum()
    # 400 points a decade, between which ngspice interpolates, and a millionth of the band left out: 0.1 %.
    theirs = spice_noise(circuit, channels, rows[0], (1e-6 * DPI.bandwidth, DPI.bandwidth))
    assert mine == pytest.approx(theirs, rel=0.01)


def test_a_current_that_is_read_directly_has_noise_without_a_bound():
    found = noise(DPI)
    assert found.attrs["window_mean_v2"] == np.inf  # the shot noise of the output transistor is white
    assert 0.0 < found.attrs["band_v2"] < np.inf


def test_without_an_operating_point_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lmu_analog.circuits.nodal.linearised.ROUNDS", 3)
    with pytest.raises(CircuitError, match=r"^gm-c: no operating point was found; its noise is not known$"):
        operating_point(build(OTA))
