"""Leaking capacitors: the leak of every integrator, in both engines."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.leakage import leaky
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError
from lmu_analog.memory.legendre import legendre
from lmu_analog.simulation import simulate

DESIGN = Design(order=4, theta="1 ms", realization="legendre")


def test_every_integrator_leaks_with_the_time_constant():
    system = extract(leaky(build(DESIGN), 20e-3))
    # x_i' gains -x_i/tau: the poles move left by 1/tau.
    poles = np.linalg.eigvals(legendre(4, 1e-3).A) - 1.0 / 20e-3
    np.testing.assert_allclose(np.sort_complex(system.poles), np.sort_complex(poles), rtol=1e-9)


def test_the_window_error_is_the_leak_over_the_root_of_three():
    leaking = simulate(DESIGN, circuit=leaky(build(DESIGN), 50e-3))
    nominal = simulate(DESIGN)
    added = (leaking.estimate - nominal.estimate) ** 2
    weight = np.diff(np.concatenate([[0.0], 0.5 * (added.delay.values[1:] + added.delay.values[:-1]), [1.0]]))
    rms = np.sqrt(float(added.mean("time").values @ weight)) / float(np.sqrt((nominal.input**2).mean()))
    # docs/reference-figures.md, op-amps: eps theta/sqrt(3) for a uniform leak, to first order in eps theta = .02.
    assert rms == pytest.approx(0.02 / np.sqrt(3), rel=0.1)


@pytest.mark.ngspice
def test_engines_agree_on_a_leaking_circuit():
    circuit = leaky(build(DESIGN), 20e-3)
    exact, simulated = (simulate(DESIGN, engine=e, circuit=circuit) for e in ("exact", "ngspice"))
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)  # ngspice's step error


def test_a_leak_never_deviates():
    assert all(p.classes == () for p in leaky(build(DESIGN), 1.0).parameters if p.name.startswith("Rleak"))


def test_a_time_constant_must_be_positive():
    with pytest.raises(CircuitError, match="leakage = 0 s; it must be positive"):
        leaky(build(DESIGN), 0.0)
