"""The whole cell as a circuit, in ngspice, beside the cell in NumPy; and its command."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from lmu_analog import cli
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, Capacitor, Resistor, Supply
from lmu_analog.circuits.devices.models import IDEAL
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.networks.analog import arrays
from lmu_analog.networks.analog.arrays import Weighted, quantised, weighted_sum
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.analog.run import (
    cell_deck,
    compare,
    mismatched,
    nrmse,
    parts,
    run_model,
    signal,
    weight_error,
)
from lmu_analog.networks.cell import LMU
from lmu_analog.networks.network import LMULayer, Weights, lmu_layer
from lmu_analog.networks.sequences import read_sequence
from lmu_analog.networks.weights import to_npz

DESIGN = (
    '[memory]\norder = 4\ntheta = "8 ms"\n[signal]\nbandwidth = "125 Hz"\n[circuit]\nfamily = "active-rc"\n'
)


def weights(
    seed: int = 1, *, memories: int = 1, order: int = 4, hidden: int = 4, theta: float = 8.0
) -> LMULayer:
    rng = np.random.default_rng(seed)
    shapes = [(2, memories), (hidden, memories), (memories * order, memories)]
    shapes += [(2, hidden), (hidden, hidden), (memories * order, hidden)]
    drawn = [0.4 * rng.standard_normal(shape) for shape in shapes]
    drawn[2] *= 0.3  # strong feedback within the memory would swing up
    bias, memory_bias = 0.2 * rng.standard_normal(hidden), 0.1 * rng.standard_normal(memories)
    return lmu_layer(Weights(*drawn, bias=bias, memory_bias=memory_bias)._asdict(), theta=theta)


def changed(layer: LMULayer, **arrays) -> LMULayer:
    return lmu_layer({**layer.weights, **arrays}, theta=layer.theta)


def design(**changes) -> Design:
    usual = {"order": 4, "theta": "8 ms", "bandwidth": "125 Hz", "family": "active-rc"}
    return Design(**{**usual, **changes})


def gains(components: tuple, inputs: list[str]) -> np.ndarray:
    """Find what each input does to the net ``out``, by nodal analysis."""
    beside = (  # nodal analysis reads a state space, so there must be a state
        Resistor("Rslow", "out", "slow", 1e3, "beside"),
        Capacitor("Cslow", "slow", GROUND, 1e-9, "beside"),
    )
    found = []
    for net in inputs:
        grounded = [Supply(f"V{other}", other, GROUND, 0.0, "off") for other in inputs if other != net]
        probes = ((Term("v", "out", 1.0),),)
        circuit = Circuit("sum", "test", 1.0, (*components, *grounded, *beside), probes, source=net)
        found.append(extract(circuit).D[0, 0])
    return np.array(found)


@settings(max_examples=10)
@given(
    drawn=st.lists(st.floats(-5.0, 5.0).filter(lambda w: abs(w) > 0.01), min_size=1, max_size=6),
    options=st.sampled_from(
        [{}, {"series": "E24"}, {"bits": 5}, {"series": "E96", "bits": 8}, {"arrays": "ota"}]
    ),
)
def test_a_sum_has_the_weights_that_it_says(drawn: list[float], options: dict):
    inputs = [Weighted(f"v{k}", w, f"w{k}") for k, w in enumerate(drawn)]
    # A follower keeps what nodal analysis needs beside a sum of transconductors from loading it.
    made = weighted_sum("out", inputs, CellOptions(**options), opamp=IDEAL, tail=True)
    said = arrays.gains(made, "out")
    # 1e-9: rounding of a nodal analysis.
    np.testing.assert_allclose(gains(made, list(said)), list(said.values()), rtol=1e-9)
    if not options.get("series") and not options.get("bits"):
        np.testing.assert_allclose([said[i.net] for i in inputs], drawn, rtol=1e-12)
    if options.get("series"):
        resistors = [c.value for c in made if isinstance(c, Resistor)]
        np.testing.assert_array_equal(resistors, nearest(np.array(resistors), options["series"]))


@given(drawn=st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=8), bits=st.integers(2, 12))
def test_weights_of_some_bits_are_multiples_within_half_a_step(drawn: list[float], bits: int):
    weights, full = np.array(drawn), np.abs(drawn).max()
    rounded = quantised(weights, bits)
    step = full / (2 ** (bits - 1) - 1)
    assert np.abs(rounded - weights).max() <= 0.5 * step * (1 + 1e-9)
    if step > 1e-300:
        np.testing.assert_allclose(rounded / step, np.round(rounded / step), atol=1e-6)


def test_a_cell_without_a_circuit_is_the_layer_itself():
    w, x = weights(memories=2, order=3), np.random.default_rng(0).standard_normal((30, 2))
    ran = run_model(w, legendre(3, 8.0), 1.0, x=x)
    layer = LMU(w).run(x)
    np.testing.assert_allclose(ran.hidden, layer.hidden, atol=1e-12)  # two matrix exponentials
    np.testing.assert_allclose(ran.memory, layer.memory, atol=1e-12)


def test_the_continuous_cell_obeys_its_differential_equation():
    w, x = weights(memories=2, order=3), np.array([[0.8, -0.5], [-0.3, 0.9], [0.1, 0.2]])
    system = legendre(3, 8.0)
    ran = run_model(w, system, 1.0, x=x, continuous=True)

    w = w.arrays

    def slope(_: float, state: np.ndarray, row: np.ndarray) -> np.ndarray:
        h, m = state[:4], state[4:]
        u = row @ w.input_encoders + h @ w.hidden_encoders + m @ w.memory_encoders + w.memory_bias
        inner = row @ w.input_kernel + h @ w.hidden_kernel + m @ w.memory_kernel + w.bias
        dm = m.reshape(2, 3) @ system.A.T + u[:, None] * system.B[:, 0]
        return np.concatenate([np.tanh(inner) - h, dm.ravel()])

    state = np.zeros(10)
    for k, row in enumerate(x):
        state = solve_ivp(slope, (0.0, 1.0), state, args=(row,), rtol=1e-10, atol=1e-12).y[:, -1]
        # Heun's rule at a hundredth of a step: (0.01)^2/12 of the third derivatives, which are below 10.
        np.testing.assert_allclose(np.concatenate([ran.hidden[k], ran.memory[k].ravel()]), state, atol=1e-4)


CELLS = {
    "sampled": ({}, {}),
    "continuous": ({"hidden": "continuous"}, {}),
    "transistors": ({"activation": "transistor"}, {"opamp": "OPA2192", "realization": "ladder"}),
    "ota": (
        {"hidden": "continuous", "arrays": "ota", "activation": "transistor"},
        {"family": "gm-c", "realization": "legendre"},
    ),
}


@pytest.mark.ngspice
@pytest.mark.parametrize("name", CELLS)
def test_the_cell_in_one_netlist_is_the_cell_in_numpy_within_one_percent(name: str):
    options, changes = CELLS[name]
    w = weights()
    found = compare(w, design(**changes), CellOptions(**options), x=signal(w, 16, seed=0))
    # 1 % is what issue 6 asks; hold stages that are .3 % of a step late, the pair's own law of weak inversion
    # and ngspice's steps of a fiftieth of a step make .03 to .4 %.
    assert found.nrmse < 0.01
    assert found.memory_nrmse < 0.01
    assert (found.nrmse == found.layer_nrmse) == (found.cell.options.hidden == "sampled")


@pytest.mark.ngspice
def test_standard_values_are_what_the_circuit_computes_with():
    w = weights(memories=2, order=3, hidden=2)
    found = compare(
        w,
        design(order=3, values="E24", realization="legendre"),
        CellOptions(series="E12", bits=8),
        x=signal(w, 12, seed=1),
    )
    # The values are some per cent off, and the cell with these weights and memories is the circuit within 1 %.
    assert found.nrmse > 0.02
    assert found.model_nrmse < 0.01
    assert found.model_nrmse < 0.2 * found.nrmse


def test_the_exact_engine_gives_the_cell_that_the_parts_make():
    w = weights()
    x = signal(w, 30, seed=0)
    ideal = compare(w, design(opamp="ideal"), CellOptions(), x=x, engine="exact")
    assert ideal.nrmse < 1e-9  # exact values, ideal op-amps: rounding
    rounded = compare(w, design(opamp="ideal"), CellOptions(series="E24"), x=x, engine="exact")
    # Values within 5 %; a random network with strong feedback makes more of it than a trained one does.
    assert 0.01 < weight_error(w, rounded.cell.layer) < 0.05
    assert rounded.nrmse > 0.01
    assert rounded.model_nrmse == 0.0
    counted = parts(rounded.cell)
    assert counted["switches"] == 2 * (4 + 1)  # two stages of four hidden units and of the memory's feedback
    assert counted["transistors"] == 0


def test_a_mismatch_sample_moves_all_parts_and_is_the_same_again():
    w = weights()
    x = signal(w, 5, seed=0)
    deviated = design(mismatch={"resistor": "1 %", "transconductor": "2 %"})
    cell = compare(w, deviated, CellOptions(), x=x, engine="exact").cell
    one, again, other = (mismatched(cell, deviated, (7, k)).circuit for k in (3, 3, 4))
    nominal = np.where(cell.circuit.values == 0.0, 1.0, cell.circuit.values)  # an input's source is at 0 V
    moved = (one.values - cell.circuit.values) / nominal
    kinds = [p.classes for p in cell.circuit.parameters]
    resistors = moved[[k == ("resistor",) for k in kinds]]
    assert np.all(resistors != 0.0)
    assert np.abs(resistors).max() <= 0.01  # gauss3 is truncated at its tolerance
    assert np.all(moved[[k == ("capacitor",) for k in kinds]] == 0.0)
    np.testing.assert_array_equal(one.values, again.values)
    assert np.all(one.values[moved != 0.0] != other.values[moved != 0.0])
    assert mismatched(cell, design(), (7, 3)).circuit.values == pytest.approx(cell.circuit.values, rel=0.0)


def test_too_many_steps_for_a_deck_are_refused_and_the_exact_engine_takes_them():
    w = weights()
    x = signal(w, 1100, seed=0)
    cell = compare(w, design(), CellOptions(), x=x, engine="exact").cell
    with pytest.raises(
        DesignError, match="input in0 has 2200 points, and ngspice takes 2000 in reasonable time"
    ):
        cell_deck(cell, x)


def test_the_deck_is_self_contained_and_says_what_it_holds():
    w = weights()
    x = signal(w, 10, seed=0)
    text, _ = cell_deck(compare(w, design(), CellOptions(), x=x, engine="exact").cell, x)
    lines = text.splitlines()
    assert lines[0] == "lmu-cell, memories cap-feedforward, hidden units sampled"
    assert [line.split(" = ")[0] for line in lines if line.startswith("* probe")] == [
        *(f"* probe h{k}" for k in range(4)),
        *(f"* probe m0_{i}" for i in range(4)),
    ]
    assert sum(line.startswith(".tran") for line in lines) == 1
    assert lines[-1] == ".end"
    assert not [line for line in lines if line.startswith((".include", ".control", ".lib"))]


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"order": 3}, {}, "the design has order 3, the weights 4; they must agree"),
        ({"family": "passive-rlc"}, {}, "no cell is made of passive-rlc; known are active-rc, gm-c"),
        ({"family": "gm-c"}, {}, "resistors would load the states of gm-c; take arrays of transconductors"),
    ],
)
def test_what_does_not_go_together_is_said(changes: dict, options: dict, words: str):
    w = weights()
    with pytest.raises(DesignError, match=words):
        compare(w, design(**changes), CellOptions(**options), x=signal(w, 5, seed=0), engine="exact")


def test_weights_that_no_circuit_has_are_refused():
    w, x = weights(), np.ones((5, 2))
    own = changed(w, A=-np.eye(4), B=np.ones(4))
    with pytest.raises(DesignError, match="the weights have A and B of their own"):
        compare(own, design(), CellOptions(), x=x, engine="exact")
    deaf = changed(w, input_encoders=np.zeros((2, 1)), input_kernel=np.zeros((2, 4)))
    with pytest.raises(DesignError, match="the cell has no input"):
        compare(deaf, design(), CellOptions(), x=x, engine="exact")
    faint = changed(w, input_encoders=np.full((2, 1), 1e-320), input_kernel=np.zeros((2, 4)))
    with pytest.raises(DesignError, match="the cell has no input: weights of input_encoders"):
        compare(faint, design(), CellOptions(), x=x, engine="exact")
    with pytest.raises(DesignError, match="weights of 1 bits; 2 to 24 are wanted"):
        CellOptions(bits=1)
    with pytest.raises(DesignError, match="unknown series 'E25'"):
        CellOptions(series="E25")
    with pytest.raises(DesignError, match="an E-series is of resistors"):
        CellOptions(series="E24", arrays="ota")
    with pytest.raises(DesignError, match="1 steps; 2 to [0-9]* are accepted"):
        signal(w, 1, seed=0)


def test_the_error_of_nothing_is_no_number():
    assert np.isnan(nrmse(np.zeros(3), np.zeros(3)))
    assert nrmse(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0.0


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "design.toml").write_text(DESIGN)
    to_npz(tmp_path / "w.npz", weights())
    return tmp_path


@pytest.mark.ngspice
def test_the_command_writes_a_deck_and_says_how_far_it_is(files: Path, capsys: pytest.CaptureFixture):
    (files / "x.csv").write_text("a,b\n" + "\n".join(f"{np.sin(k)},{np.cos(k)}" for k in range(6)))
    command = ["cell", "w.npz", "design.toml", "-o", "cell.cir", "--input", "x.csv", "--json"]
    assert cli.run_command(command) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert err == "wrote cell.cir\n"
    assert figures["nrmse"] < 0.01
    assert figures["steps"] == 6
    assert figures["deck"] == "cell.cir"
    assert figures["parts"]["capacitors"] > 0
    assert (files / "cell.cir").read_text().endswith(".end\n")


def test_the_command_lays_its_figures_out(files: Path, capsys: pytest.CaptureFixture):
    assert cli.run_command(["cell", "w.npz", "design.toml", "--engine", "exact", "--bits", "6"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "cell of 4 hidden units (sampled, tanh behavioural) and 1 memory of order 4"
    assert any(
        line.startswith("  hidden units") and "% from the layer (NRMSE, 50 steps)" in line for line in shown
    )


def test_bad_files_are_one_line_and_status_2(files: Path, capsys: pytest.CaptureFixture):
    broken = weights()
    broken.weights["bias"][0] = np.nan
    to_npz(files / "nan.npz", broken)
    (files / "short.csv").write_text("1,2\n3\n")
    (files / "words.csv").write_text("a,b\n1,2\nc,d\n")
    (files / "empty.csv").write_text("")
    for arguments, words in (
        (["nosuch.npz", "design.toml"], "nosuch.npz: no such file; give a NumPy archive"),
        (["design.toml", "design.toml"], "design.toml is no NumPy archive"),
        (["nan.npz", "design.toml"], "nan.npz: bias holds 1 values that are not finite"),
        (["w.npz", "design.toml", "-o", "design.toml"], "is the design file itself"),
        (["w.npz", "design.toml", "-o", "w.npz"], "-o w.npz is one of the inputs; give another name"),
        (["w.npz", "design.toml", "--sample", "3"], "a mismatch sample of a cell runs in ngspice alone"),
        (["w.npz", "design.toml", "-o", "none/cell.cir"], "cannot be written"),
        (
            ["w.npz", "design.toml", "--input", "short.csv"],
            "line 2: 1 cells, and 2 in the rows above; give a row a step and a column an input",
        ),
        (["w.npz", "design.toml", "--input", "words.csv"], "line 3: 'c' is not a number; give a row a step"),
        (["w.npz", "design.toml", "--input", "empty.csv"], "no rows of numbers"),
        (["w.npz", "design.toml", "--input", "nosuch.csv"], "nosuch.csv: no such file; give a table"),
        (["w.npz", "design.toml", "--series", "E7"], "unknown series 'E7'"),
    ):
        assert cli.run_command(["cell", *arguments, "--engine", "exact"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err
        assert err.count("\n") == 1


def test_a_sequence_without_a_header_is_read_too(tmp_path: Path):
    path = tmp_path / "x.csv"
    path.write_text("1, 2\n\n3, 4.5\n")
    np.testing.assert_array_equal(read_sequence(path, 2), [[1.0, 2.0], [3.0, 4.5]])
