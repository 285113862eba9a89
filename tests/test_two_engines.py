"""The exact engine and ngspice agree wherever no part is beyond a limit; benchmarks/two_engines.py has 200 designs."""

import pytest

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.limits import limit_warnings
from lmu_analog.simulation import distance, simulate

WITHIN = [
    # Worst sines at 95 % of the swing, where tanh rails took .04 of the error of LT1013 for .03.
    Design(order=4, theta="20 ms", opamp="LT1013", capacitance="10 nF", headroom="5 %", realization="legendre"),
    Design(order=6, theta="2 ms", opamp="TL072", headroom="5 %", realization="ladder"),
    Design(order=3, theta="10 ms", opamp="ADA4528-2", supply=2.5, headroom="5 %", amplitude="10 mV",
           family="active-rc-differential", realization="orthonormal", bandwidth="20 Hz"),
    # Made up for its slow op-amp, .0100; tanh limits took bandwidth again, and ngspice gave .0101. Two tones, not
    # ten, as the steps of ngspice are those of the circuit, and the period is 500 windows.
    Design(order=1, theta="20 us", opamp="ADA4528-2", supply=2.75, headroom="60 %",
           tones=[(100.0, "5 mV", "0 V"), (200.0, "0 V", "5 mV")],
           family="active-rc-differential", realization="orthonormal", predistort="gbw"),
    Design(order=5, theta="1 ms", family="gm-c", realization="bus-ladder", headroom="98 %", supply=1.8,
           amplitude="50 mV", transconductor={"gain": "70 dB", "limit": "3 V"}),
    Design(order=3, theta="10 ms", opamp="OPA2192", family="crossbar"),
    Design(order=6, theta="1 ms", family="passive-rlc"),
]  # fmt: skip


@pytest.mark.ngspice
@pytest.mark.parametrize("design", WITHIN, ids=lambda d: f"{d.family}-{d.opamp_model.name}")
def test_engines_agree_where_nothing_is_beyond_a_limit(design):
    assert limit_warnings(build(design), design.stimulus) == ()
    # 1e-3 of rms(u) is the promise; ngspice's own step leaves up to 3e-4 at high orders, 1e-4 here.
    assert distance(simulate(design), simulate(design, engine="ngspice")) < 5e-4


@pytest.mark.ngspice
def test_engines_that_differ_were_warned_of():
    # The input is 40 % above what the circuit is scaled for: a sine of the band at its peak clips.
    design = Design(order=2, theta="20 ms", opamp="LM358", capacitance="10 nF", headroom="0 %", signal="step")
    exact, simulated = simulate(design), simulate(design, engine="ngspice")
    assert any(line.startswith("output voltage: the output of ") for line in exact.attrs["warnings"])
    assert distance(exact, simulated) > 1e-3
