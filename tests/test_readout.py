"""Readouts of a circuit: a matrix goes through all that reads states; the fitted one is least squares with a bound."""

import numpy as np
import pytest
from scipy import special

from lmu_analog.building import build, with_its_readout
from lmu_analog.circuits.circuit import with_values
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.readout import BOUND, Refit, fitted_readout, noise_gains
from lmu_analog.design import Design
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import gauss_legendre
from lmu_analog.output.design_text import commented
from lmu_analog.simulation import simulate
from lmu_analog.theory.first_order import first_order

MIXING = np.array([[1.0, 0.1, 0.0], [-0.2, 0.9, 0.3], [0.0, 0.05, 1.1]])
FAMILIES = [
    {"family": "active-rc", "opamp": "TL072", "reference": "mid", "supply": "12 V"},
    {"family": "active-rc-differential", "realization": "ladder"},
    {"family": "passive-rlc", "taps": [1.0]},
    {"family": "switched-capacitor"},
    {"family": "dpi"},
]


@pytest.mark.parametrize("settings", FAMILIES, ids=lambda settings: settings["family"])
def test_a_matrix_reads_the_states_of_every_family(settings):
    design = Design(order=3, theta="1 ms", **settings)
    plain, mixed = (simulate(d) for d in (design, design.replace(readout=MIXING.tolist())))
    expected = plain.states.values @ MIXING.T
    # Two ways through the same equations: some 1e-9, beside probes of twelve digits.
    np.testing.assert_allclose(mixed.states.values, expected, atol=1e-8 * np.abs(expected).max())
    if "taps" in settings:  # amplifiers, which the readout does not reach
        np.testing.assert_allclose(mixed.tap_nrmse, plain.tap_nrmse, rtol=1e-9)


def test_ngspice_reads_through_the_matrix_as_the_exact_engine_does():
    design = Design(order=3, theta="1 ms", family="passive-rlc", readout=MIXING.tolist())
    exact, spice = (float(simulate(design, engine=e).window_nrmse) for e in ("exact", "ngspice"))
    plain = float(simulate(design.replace(readout="ideal")).window_nrmse)
    assert spice == pytest.approx(exact, rel=1e-4)  # of ngspice's integration
    assert abs(exact - plain) > 0.1 * plain


def published(order: int, s: np.ndarray) -> np.ndarray:
    """Give the states of the ideal memory, theta = 1, (f, order), from the published matrices (Voelker et al. 2019)."""
    i = np.arange(order)
    A = (2 * i[:, None] + 1) * np.where(i[:, None] < i, -1.0, (-1.0) ** (i[:, None] - i + 1))
    B = (2 * i + 1) * (-1.0) ** i
    return np.stack([np.linalg.solve(x * np.eye(order) - A, B) for x in s])


def test_the_fitted_readout_solves_the_stated_least_squares():
    design = Design(order=4, theta=1.0, values="E12")
    circuit, half = build(design), np.sqrt(2 * np.arange(4) + 1.0)
    x, w = np.polynomial.legendre.leggauss(
        60
    )  # another rule than that of the fit: both are exact to rounding
    frequency, root = design.bandwidth * (1 + x) / 2, np.sqrt(w / 2)[:, None]
    have = root * frequency_response(extract(circuit), frequency) / half
    want = root * published(4, 2j * np.pi * frequency) / half
    nodes, weight = np.polynomial.legendre.leggauss(100)
    late = np.exp(-2j * np.pi * np.outer(frequency, (1 + nodes) / 2))
    window = (
        root * (late @ (weight[:, None] / 2 * special.eval_legendre(np.arange(4), nodes[:, None]))) * half
    )
    for target, states in (("fitted", want), ("window", window)):
        ridge = BOUND * np.linalg.norm(states) / 2.0 * np.eye(4)
        tall = [np.concatenate([m.real, m.imag, ridge]) for m in (have, states)]
        W = half[:, None] * np.linalg.lstsq(*tall, rcond=None)[0].T / half
        found = fitted_readout(circuit, bandwidth=design.bandwidth, target=target)
        np.testing.assert_allclose(found, W, atol=0.6e-6)  # six decimals are kept
    # The window is what no memory of the order can show, so its fit is better than the ideal memory.
    errors = {word: simulate(design.replace(readout=word)) for word in ("ideal", "fitted", "window")}
    ideal, fitted, best = (float(e.window_nrmse) for e in errors.values())
    assert best < float(errors["ideal"].truncation_nrmse) < fitted < ideal


def test_the_slopes_of_what_a_readout_leaves_are_its_derivatives():
    design = Design(order=4, theta=1e-3, values="E12", realization="ladder")
    circuit, rule = build(design), gauss_legendre(16)
    refit = Refit.of(circuit, design.bandwidth * rule.r, rule.weight, target="fitted")
    found = derivatives(circuit, refit.frequency)
    slopes = refit.slopes(found.states, found.by_parameter * circuit.values)
    step = 1e-5
    for k in range(0, len(circuit.values), 4):
        moved = [circuit.values * np.exp(sign * step * np.eye(len(circuit.values))[k]) for sign in (1, -1)]
        left = refit.left(frequency_response(extract(circuit, np.array(moved)), refit.frequency))
        # The square of the step, over which the third derivatives are some tens.
        np.testing.assert_allclose(slopes[:, k], (left[0] - left[1]) / (2 * step), atol=1e-7)


def test_the_first_order_of_mismatch_goes_through_the_fitted_readout():
    law = {"resistor": {"tolerance": "1 %", "distribution": "gauss"}}
    design = Design(order=4, theta=1e-3, values="E12", realization="ladder", readout="fitted", mismatch=law)
    theory, circuit = first_order(design), build(design)
    names = [p.name for p in circuit.parameters]
    plain = first_order(design.replace(readout="ideal"))
    for k in (0, 3, 7):
        column, step = names.index(theory.names[k].partition("|")[0]), 1e-4
        square = []
        for sign in (1, -1):
            values = circuit.values.copy()
            values[column] *= 1.0 + sign * step
            square.append(float(simulate(design, circuit=with_values(circuit, values)).window_nrmse) ** 2)
        slope = 2.0 * theory.error @ theory.jacobian[:, k]  # of one sigma, 1 %
        assert (square[0] - square[1]) / (2 * step) * 0.01 == pytest.approx(slope, rel=1e-4)
    assert not np.allclose(plain.jacobian, theory.jacobian, rtol=0.01)


def test_values_chosen_for_a_fitted_readout_leave_a_twentieth_and_amplify_little():
    design = Design(order=6, theta=1e-3, realization="ladder", values="E96")
    both = design.replace(values_fit="joint", readout="fitted")
    results = [simulate(d) for d in (design, both)]
    before, after = (float(np.hypot(*(r.states - r.reference_states).std("time")[:2])) for r in results)
    assert after < before / 20.0
    largest, mean = noise_gains(np.array(with_its_readout(both).readout))
    assert largest < 1.2
    assert mean < 1.05
    # No overfit: tones between those of the fit are as near the ideal memory.
    other = simulate(both.replace(tones=[[f * design.bandwidth, 0.1, 0.1] for f in (0.137, 0.61, 0.93)]))
    assert float(other.window_nrmse) == pytest.approx(float(other.truncation_nrmse), rel=0.02)


def test_a_readout_is_that_of_the_nominal_circuit_when_parts_drift():
    cold = Design(order=3, theta=1e-3, values="E12", readout="fitted", drift={"resistor": "100 ppm"})
    hot = cold.replace(temperature="85 C", leakage=100.0)
    assert build(hot).probes == build(cold).probes
    assert with_its_readout(hot).readout == with_its_readout(cold).readout
    fixed = with_its_readout(hot)
    assert build(fixed) == build(hot)


@pytest.mark.parametrize("readout", ["fitted", "window", MIXING.tolist()])
def test_a_design_file_keeps_its_readout(tmp_path, readout):
    design = Design(order=3, theta=1e-3, readout=readout)
    (tmp_path / "d.toml").write_text(commented(design))
    again = Design.load(tmp_path / "d.toml")
    assert again == design
    assert again.digest == design.digest


def test_a_readout_is_found_beside_its_design_file(tmp_path):
    np.save(tmp_path / "w.npy", MIXING)
    np.savez(tmp_path / "w.npz", readout=MIXING, other=np.eye(2))
    np.savetxt(tmp_path / "w.csv", MIXING, delimiter=",")
    for name in ("w.npy", "w.npz", "w.csv"):
        text = f"[memory]\norder = 3\n[circuit]\nreadout = '{name}'\n"
        (tmp_path / "d.toml").write_text(text)
        np.testing.assert_array_equal(Design.load(tmp_path / "d.toml").readout, MIXING)
    assert (
        Design.load(tmp_path / "d.toml").replace(order=4).readout == "ideal"
    )  # the matrix is of three states
