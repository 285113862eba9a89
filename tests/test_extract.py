"""Nodal analysis and its reduction, against circuits solved by hand and a solver without any reduction."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from lmu_analog.circuits.circuit import Circuit, Term, with_values
from lmu_analog.circuits.components import GROUND, Capacitor, Inductor, OpAmp, Resistor, Transconductor
from lmu_analog.circuits.devices.models import IDEAL, OpAmpModel
from lmu_analog.circuits.families.active_rc import active_rc
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.errors import CircuitError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.statespace import frequency_response

seeds = st.integers(0, 2**32 - 1)
ohms, farads, henries = st.floats(1e-3, 1e9), st.floats(1e-15, 1e-3), st.floats(1e-9, 1e3)
gains, bands = st.floats(1e1, 1e8), st.floats(1e2, 1e9)

TINY = 1e-300  # numbers below 2e-308 have fewer digits than any relative tolerance asks


def made_by_hand(*components, probes=("x",)):
    """Build a circuit whose probes read nets by name, or inductor currents by designator."""
    terms = tuple((Term("i" if p[0] == "L" else "v", p, 1.0),) for p in probes)
    return Circuit("by hand", "none", 1.0, components, terms)


def R(name, a, b, value):
    return Resistor(f"R{name}", a, b, value, name)


def C(name, a, b, value):
    return Capacitor(f"C{name}", a, b, value, name)


def L(name, a, b, value):
    return Inductor(f"L{name}", a, b, value, name)


def U(name, plus, minus, out, model=IDEAL):
    return OpAmp(f"U{name}", plus, minus, out, model, name)


def around(w):
    """Give frequencies (Hz) around an angular frequency, and s = jw there."""
    f = np.array([0.0, 0.03, 0.5, 1.0, 2.0, 30.0]) * w / (2 * np.pi)
    return f, 2j * np.pi * f


# ---------------------------------------------------------------- passive circuits, in closed form


@given(r=ohms, c=farads)
def test_a_low_pass_has_one_pole_at_minus_one_over_rc(r, c):
    found = extract(made_by_hand(R("1", "u", "x", r), C("1", "x", GROUND, c)))
    np.testing.assert_allclose(found.A, [[-1 / (r * c)]], rtol=1e-13)  # a few divisions
    np.testing.assert_allclose(found.B * found.C, [[1 / (r * c)]], rtol=1e-13)
    assert found.D == 0.0


@given(r=ohms, c=farads)
def test_a_capacitor_from_the_input_makes_a_high_pass(r, c):
    # The input's derivative drives the node: the state is x - u, and u feeds through.
    f, s = around(1 / (r * c))
    found = frequency_response(extract(made_by_hand(C("1", "u", "x", c), R("1", "x", GROUND, r))), f)
    np.testing.assert_allclose(found[:, 0], s * r * c / (1 + s * r * c), atol=1e-13)  # of one


@given(r1=ohms, r2=ohms, c1=farads, c2=farads)
def test_a_compensated_divider_goes_from_its_resistors_to_its_capacitors(r1, r2, c1, c2):
    parts = R("1", "u", "x", r1), C("1", "u", "x", c1), R("2", "x", GROUND, r2), C("2", "x", GROUND, c2)
    f, s = around((1 / r1 + 1 / r2) / (c1 + c2))
    upper, lower = 1 / r1 + s * c1, 1 / r2 + s * c2
    found = frequency_response(extract(made_by_hand(*parts)), f)
    # C1/C2 may be 1e12: u' enters and leaves again, which costs digits of the small side, not of one.
    np.testing.assert_allclose(found[:, 0], upper / (upper + lower), atol=1e-12)


@given(r=st.floats(0.1, 1e3), h=st.floats(1e-3, 1.0), c=st.floats(1e-9, 1e-6))
def test_a_series_rlc_circuit_has_its_two_transfer_functions(r, h, c):
    parts = R("1", "u", "a", r), L("1", "a", "x", h), C("1", "x", GROUND, c)
    f, s = around(1 / np.sqrt(h * c))
    found = frequency_response(extract(made_by_hand(*parts, probes=("x", "L1"))), f)
    below = h * c * s**2 + r * c * s + 1
    # At resonance the quality factor, up to 3e5, multiplies the rounding.
    np.testing.assert_allclose(found[:, 0], 1 / below, rtol=1e-8)
    np.testing.assert_allclose(found[:, 1], c * s / below, rtol=1e-8, atol=1e-25)  # A, at 0 Hz


@given(stages=st.integers(1, 12), seed=seeds)
def test_an_rc_ladder_has_the_tridiagonal_matrix_and_the_response_of_scipy(stages, seed):
    rng = np.random.default_rng(seed)
    r, c = rng.uniform(500, 2000, stages), rng.uniform(0.5e-6, 2e-6, stages)
    nets = ["u", *(f"n{k}" for k in range(stages))]
    parts = [
        p
        for k in range(stages)
        for p in (R(f"{k}", nets[k], nets[k + 1], r[k]), C(f"{k}", nets[k + 1], GROUND, c[k]))
    ]
    A, B = np.zeros((stages, stages)), np.zeros((stages, 1))
    for k in range(stages):
        for here, there in ((k - 1, k), (k, k - 1)):
            if here >= 0:
                A[here, here] -= 1 / (r[k] * c[here])
                if there >= 0:
                    A[here, there] += 1 / (r[k] * c[here])
    B[0] = 1 / (r[0] * c[0])
    found = extract(made_by_hand(*parts, probes=nets[1:]))
    np.testing.assert_allclose(found.C @ found.A @ np.linalg.inv(found.C), A, atol=1e-9 * np.abs(A).max())
    np.testing.assert_allclose(found.C @ found.B, B, atol=1e-12 * B.max())
    t = np.linspace(0, 0.02, 50)
    expected = signal.step((A, B, np.eye(stages)[-1:], [[0.0]]), T=t)[1]
    step = signal.step((found.A, found.B, found.C[-1:], found.D[-1:]), T=t)[1]
    np.testing.assert_allclose(step, expected, atol=1e-9)  # two exponentials of a step of one volt


@given(theta=st.floats(1e-9, 1e3), resistance=st.floats(1.0, 1e6))
def test_a_terminated_rlc_ladder_is_a_legendre_memory_of_three_states(theta, resistance):
    # Identity I4 as a circuit: L0 = R theta/2; C1 = theta/(6 R) in series; L2 = R theta/10 to ground; two R.
    # x_0 = V(node 0), x_2 = 5 V(node 2).
    parts = (
        L("0", "u", "n0", resistance * theta / 2),
        R("0", "n0", GROUND, resistance),
        C("1", "n0", "n2", theta / (6 * resistance)),
        L("2", "n2", GROUND, resistance * theta / 10),
        R("2", "n2", GROUND, resistance),
    )
    probes = (Term("v", "n0", 1.0),), (Term("v", "n2", 5.0),)
    found = extract(Circuit("by hand", "none", theta, parts, probes))
    assert found.order == 3
    f = np.array([0.0, 0.1, 0.5, 2.0]) / theta
    expected = frequency_response(legendre(3, theta), f)[:, [0, 2]]
    np.testing.assert_allclose(frequency_response(found, f), expected, atol=1e-11)  # states of size one


@given(seed=seeds, inner=st.integers(1, 6))
def test_any_network_answers_as_its_admittances_say(seed, inner):
    # Nodal equations at one frequency at a time, in complex numbers: no state is ever chosen.
    rng = np.random.default_rng(seed)
    nets = ["u", *(f"n{k}" for k in range(inner)), GROUND]
    parts, kinds = [], "RRCCLG"
    for k, net in enumerate(nets[1:-1]):  # a resistor of each net to an earlier one, so that none floats
        parts.append(R(f"t{k}", nets[rng.integers(k + 1)], net, rng.uniform(0.5, 2)))
        parts.append(R(f"g{k}", net, GROUND, rng.uniform(0.5, 2)))
    for k in range(2 * inner):
        a, b, c = rng.choice(nets, 3, replace=False) if inner > 1 else rng.permutation(nets)[:3]
        value = rng.uniform(0.5, 2)
        match kinds[rng.integers(len(kinds))]:
            case "R":
                parts.append(R(f"e{k}", str(a), str(b), value))
            case "C":
                parts.append(C(f"e{k}", str(a), str(b), value))
            case "L":
                parts.append(L(f"e{k}", str(a), str(b), value))
            case "G":
                parts.append(Transconductor(f"G{k}", str(a), str(b), str(c), 0.2 * value, "g"))
    index = {net: k for k, net in enumerate(nets)}
    f = np.array([0.02, 0.1, 0.7])
    expected = []
    for s in 2j * np.pi * f:
        Y = np.zeros((len(nets), len(nets)), complex)
        for p in parts:
            if isinstance(p, Transconductor):
                Y[index[p.out], index[p.plus]] -= p.value
                Y[index[p.out], index[p.minus]] += p.value
                continue
            y = {"R": 1 / p.value, "C": s * p.value, "L": 1 / (s * p.value)}[p.name[0]]
            a, b = index[p.a], index[p.b]
            Y[[a, b], [a, b]] += y
            Y[[a, b], [b, a]] -= y
        expected.append(np.linalg.solve(Y[1:-1, 1:-1], -Y[1:-1, 0]))
    found = frequency_response(extract(made_by_hand(*parts, probes=nets[1:-1])), f)
    # Conductances within a factor of ten and a hundred unknown signs at most: condition numbers below 1e4.
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


# ---------------------------------------------------------------- op-amps


@given(r1=ohms, r2=ohms, c=farads)
def test_a_leaky_inverting_integrator_has_the_gain_of_its_resistors(r1, r2, c):
    parts = R("1", "u", "g", r1), R("2", "g", "x", r2), C("1", "g", "x", c), U("1", GROUND, "g", "x")
    f, s = around(1 / (r2 * c))
    found = frequency_response(extract(made_by_hand(*parts)), f)
    np.testing.assert_allclose(found[:, 0], -(r2 / r1) / (1 + s * r2 * c), rtol=1e-12)  # a few products


@given(gain=gains, gbw=bands, offset=st.floats(-1e-2, 1e-2))
def test_a_buffer_passes_its_offset_and_has_one_pole_at_its_crossover(gain, gbw, offset):
    model = OpAmpModel("part", gain=gain, gbw=gbw, offset=offset)
    found = extract(made_by_hand(U("1", "u", "x", "x", model), R("1", "x", GROUND, 1e3)))
    wt = 2 * np.pi * gbw
    np.testing.assert_allclose(found.A, [[-wt * (1 + 1 / gain)]], rtol=1e-13)
    f, s = around(wt)
    A = wt / (s + wt / gain)
    np.testing.assert_allclose(frequency_response(found, f)[:, 0], A / (1 + A), rtol=1e-12)
    np.testing.assert_allclose(found.offset, [offset * gain / (1 + gain)], rtol=1e-12, atol=TINY)


@given(gain=gains, gbw=bands, ratio=st.floats(1e-3, 1e3), offset=st.floats(-1e-2, 1e-2))
def test_an_inverting_amplifier_multiplies_its_offset_by_its_noise_gain(gain, gbw, ratio, offset):
    model = OpAmpModel("part", gain=gain, gbw=gbw, offset=offset)
    parts = R("1", "u", "g", 1e3), R("2", "g", "x", 1e3 * ratio), U("1", GROUND, "g", "x", model)
    found = extract(made_by_hand(*parts))
    noise_gain = 1 + ratio
    wanted = offset * noise_gain / (1 + noise_gain / gain)
    np.testing.assert_allclose(found.offset, [wanted], rtol=1e-11, atol=TINY)
    dc = frequency_response(found, np.zeros(1))[0, 0]
    np.testing.assert_allclose(dc, -ratio / (1 + noise_gain / gain), rtol=1e-11)


def test_a_noninverting_amplifier_of_ideal_parts_has_no_state():
    found = extract(
        made_by_hand(
            U("1", "u", "g", "x"), R("1", "g", GROUND, 1e3), R("2", "g", "x", 3e3), R("3", "x", GROUND, 1.0)
        )
    )
    assert found.order == 0
    np.testing.assert_allclose(found.D, [[4.0]], rtol=1e-13)  # one division
    np.testing.assert_array_equal(found.offset, [0.0])


def only_integrators_real(circuit, model):
    """Make the integrators' op-amps real, and inverters and summers ideal."""
    parts = tuple(
        replace(c, model=model if c.name.startswith("Uint") else IDEAL) if isinstance(c, OpAmp) else c
        for c in circuit.components
    )
    return replace(circuit, components=parts)


def one_pole_response(coupling, drive, conductance, f, *, model, chain=None):
    """Solve x_i [s (1 + (1 + sum_k c_ik)/A) + g_i/A] = sum_j (a_ij + s c_ij) x_j + b_i u (reference-figures.md)."""
    chain = np.zeros_like(coupling) if chain is None else chain
    responses = []
    for s in 2j * np.pi * f:
        wt = 2 * np.pi * model.gbw
        A = wt / (s + wt / model.gain)
        left = np.diag(s * (1 + (1 + np.abs(chain).sum(axis=1)) / A) + conductance / A) - coupling - s * chain
        responses.append(np.linalg.solve(left, drive))
    return np.array(responses)


F_ONE = np.array([0.01, 0.1, 0.3, 1.0, 5.0, 60.0])


@given(order=st.integers(1, 8), gain=gains, speed=st.floats(5.0, 1e6))
def test_real_integrators_of_a_legendre_matrix_follow_the_one_pole_formula(order, gain, speed):
    model = OpAmpModel("part", gain=gain, gbw=speed)
    built = active_rc(
        realize(legendre(order), "legendre"), np.ones(order), Options(capacitance=1e-6, opamp=model)
    )
    found = extract(only_integrators_real(built, model))
    ideal = legendre(order)
    g = np.abs(ideal.A).sum(axis=1) + np.abs(ideal.B[:, 0])
    expected = one_pole_response(ideal.A, ideal.B[:, 0], g, F_ONE, model=model)
    # Two exact solutions; conductances and crossovers span up to 1e6 in one matrix.
    np.testing.assert_allclose(frequency_response(found, F_ONE), expected, rtol=1e-8, atol=1e-10)


@given(order=st.integers(2, 10), gain=gains, speed=st.floats(5.0, 1e4))
def test_real_integrators_with_capacitor_inputs_follow_the_one_pole_formula(order, gain, speed):
    model = OpAmpModel("part", gain=gain, gbw=speed)
    made = realize(legendre(order), "cap-feedforward")
    built = active_rc(made, np.ones(order + 1), Options(capacitance=1e-6, opamp=model))
    found = extract(only_integrators_real(built, model))
    # Identity I3 by hand: x_0' = u - S, x_1' = 3 (-u - S + 2 x_0), then two predecessors each.
    coupling, chain, drive = np.zeros((order, order)), np.zeros((order, order)), np.zeros(order)
    coupling[0], coupling[1], drive[:2] = -1.0, -3.0, (1.0, -3.0)
    coupling[1, 0] += 6.0
    g = np.array([2.0, 12.0, *(2.0 * (2 * i + 1) for i in range(2, order))])
    for i in range(2, order):
        coupling[i, i - 1], chain[i, i - 2] = g[i], (2 * i + 1) / (2 * i - 3)
    expected = one_pole_response(coupling, drive, g, F_ONE, model=model, chain=chain)
    # As above; A holds crossovers of 1e5, which leave 1e-11 of rounding times the noise gain of the chain.
    np.testing.assert_allclose(frequency_response(found, F_ONE), expected, rtol=1e-8, atol=1e-9)


@given(order=st.integers(1, 6), offset=st.floats(-1e-2, 1e-2))
def test_offsets_of_integrators_reach_the_states_through_the_inverse_of_the_matrix(order, offset):
    # x_off = -A^-1 diag(g) V_os, docs/reference-figures.md, op-amps; V_os has the sign of the state in the circuit.
    model = OpAmpModel("part", gain=1e12, gbw=1e9, offset=offset)
    built = active_rc(
        realize(legendre(order), "legendre"), np.ones(order), Options(capacitance=1e-6, opamp=model)
    )
    found = extract(only_integrators_real(built, model))
    ideal = legendre(order)
    g = np.abs(ideal.A).sum(axis=1) + np.abs(ideal.B[:, 0])
    signs = np.array([probe[0].factor for probe in built.probes])
    expected = -np.linalg.solve(ideal.A, signs * g * offset)
    # A gain of 1e12 leaves errors of g/1e12 of the offset.
    np.testing.assert_allclose(found.offset, expected, rtol=1e-8, atol=1e-9 * abs(offset) * g.max())


# ---------------------------------------------------------------- many samples


REAL = OpAmpModel("part", gain=1e5, gbw=1e7, offset=1e-4)


@pytest.mark.parametrize(("family", "name"), [(f, r) for f, t in FAMILIES.items() for r in t.realizations])
@pytest.mark.parametrize("model", [IDEAL, REAL], ids=["ideal", "real"])
def test_many_samples_give_bit_for_bit_what_each_gives(family, name, model):
    made = realize(legendre(5, 1e-3), name)
    circuit = FAMILIES[family].build(
        made, np.ones(made.structure.variables), Options(capacitance=1e-9, opamp=model)
    )
    rng = np.random.default_rng(5)
    values = circuit.values * (1 + 0.02 * rng.standard_normal((2, 3, len(circuit.values))))
    together = extract(circuit, values)
    assert together.A.shape[:2] == (2, 3)
    for at in np.ndindex(2, 3):
        alone, changed = extract(circuit, values[at]), extract(with_values(circuit, values[at]))
        for part in ("A", "B", "C", "D", "offset"):
            np.testing.assert_array_equal(getattr(together, part)[at], getattr(alone, part))
        # The other nominal values balance the equations otherwise; far states are tiny at 10 Hz, hence atol.
        f = np.array([10.0, 1e3])
        np.testing.assert_allclose(
            frequency_response(changed, f), frequency_response(alone, f), rtol=1e-8, atol=1e-12
        )


def test_more_samples_than_one_pass_holds_are_extracted_bit_for_bit(monkeypatch):
    made = realize(legendre(3), "legendre")
    circuit = active_rc(made, np.ones(3), Options(capacitance=1e-6, opamp=REAL))
    values = circuit.values * (1 + 0.01 * np.random.default_rng(1).standard_normal((17, len(circuit.values))))
    whole = extract(circuit, values)
    monkeypatch.setattr("lmu_analog.circuits.nodal.extract.CHUNK_BYTES", 24.0 * 20**2 * 4)
    parts = extract(circuit, values)
    for part in ("A", "B", "C", "D", "offset"):
        np.testing.assert_array_equal(getattr(parts, part), getattr(whole, part))


# ---------------------------------------------------------------- what has no state space


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            (R("1", "u", "x", 1.0), C("1", "x", GROUND, 1.0), R("2", "a", "b", 1.0), R("3", "a", "b", 1.0)),
            r"^the node equations are singular: a part floats, or an op-amp has no feedback$",
        ),
        (
            (
                R("1", "u", "g", 1.0),
                R("2", "g", GROUND, 1.0),
                U("1", GROUND, "g", "x"),
                R("3", "x", GROUND, 1.0),
            ),
            r"^the node equations are singular: a part floats, or an op-amp has no feedback$",
        ),
        (
            (R("1", "u", "x", 1.0), U("1", GROUND, "u", "x")),
            r"^0 equations for 1 unknowns; an ideal op-amp forces nets together that .* already drives$",
        ),
        (
            (
                R("1", "u", "g", 1.0),
                C("1", "g", GROUND, 1.0),
                R("2", "g", "x", 1.0),
                U("1", GROUND, "g", "x"),
            ),
            r"^1 storage equations for 0 stored quantities; an ideal op-amp holds a capacitor at both ends$",
        ),
    ],
)
def test_a_circuit_without_a_state_space_is_refused(parts, message):
    with pytest.raises(CircuitError, match=message):
        extract(made_by_hand(*parts))


def test_a_current_probe_of_anything_but_an_inductor_is_refused():
    circuit = made_by_hand(R("1", "u", "x", 1.0), C("1", "x", GROUND, 1.0))
    with pytest.raises(CircuitError, match=r"^probe m0: no current is measured through C1; add an ammeter$"):
        extract(replace(circuit, probes=((Term("i", "C1", 1.0),),)))


def test_a_probe_may_read_the_input_and_ground():
    circuit = made_by_hand(R("1", "u", "x", 1.0), C("1", "x", GROUND, 1.0))
    probe = Term("v", "u", 0.5), Term("v", GROUND, 9.0), Term("v", "x", 2.0)
    found = extract(replace(circuit, probes=(probe,)))
    np.testing.assert_allclose(frequency_response(found, np.zeros(1)), [[2.5]], rtol=1e-14)
    assert found.D == 0.5
