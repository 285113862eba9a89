"""The package as people call it from Python and Jupyter: without checks of types around it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.networks import weights
from lmu_analog.networks.cell import LMU
from lmu_analog.networks.keras_layout import Connections, from_keras_lmu, to_keras_lmu
from lmu_analog.units import whole

PROGRAM = """
import json, sys
import numpy as np
from lmu_analog import Design, monte_carlo, sweep
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.networks.keras_layout import from_keras_lmu
from lmu_analog.networks.spiking.digital import Format

folder = sys.argv[1]
design = Design(order=np.int64(3), theta="1 ms", bandwidth=np.float32(300), mismatch={"resistor": "1 %"})
run = monte_carlo(design, np.int64(4), np.uint8(1), workers=np.int32(1), store=folder + "/r.zarr")
same = monte_carlo(design, 4, 1)
circuit = sample_circuit(design, seed=np.int16(1), index=np.int64(2))
said = []
for samples, more in ((4, {"store": folder + "/r.zarr"}), ("1000", {}), (4.0, {}), (True, {}), (None, {})):
    try:
        monte_carlo(design, samples, 1, **more)
    except ValueError as error:
        said.append(str(error).replace(folder + "/", ""))
try:
    from_keras_lmu([np.ones((3, 2)), np.eye(2), np.zeros(2), np.ones((1, 1))], theta=4.0, order=3.0)
except ValueError as error:
    said.append(str(error))
print(json.dumps({
    "equal": bool((run.window_nrmse.values == same.window_nrmse.values).all()),
    "parts": len(circuit.values),
    "bits": Format(np.int64(12)).state,
    "hash": hash(design) == hash(Design(order=3, theta=1e-3, bandwidth=300.0, mismatch={"resistor": "1 %"})),
    "found": {design: 1}[design.replace(order=3)],
    "said": said,
}, default=int))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Run the program in an interpreter of its own, where nothing checks types before the package does."""
    folder = str(tmp_path_factory.mktemp("python"))
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, folder],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_numpy_integers_are_whole_numbers(answers):
    assert answers["equal"]
    assert answers["parts"] > 0
    assert answers["bits"] == 12


def test_equal_designs_have_equal_hashes(answers):
    assert answers["hash"]
    assert answers["found"] == 1


def test_errors_say_what_was_given_in_words_of_python(answers):
    accepted = "samples; a whole number from 1 to 10000000 is accepted, and this is"
    assert answers["said"] == [
        "r.zarr exists; give another name, or resumed=True to continue it",
        f"'1000' {accepted} text",
        f"4.0 {accepted} of type float",
        f"True {accepted} of type bool",
        f"None {accepted} nothing",
        "3.0 coefficients (order); a whole number from 1 to 1024 is accepted, and this is of type float",
    ]


def test_designs_are_told_apart_and_kept_in_sets():
    one, other = Design(order=3), Design(order=4)
    assert len({one, other, Design(order=3)}) == 2
    # Tables are compared, not hashed: a design with another op-amp may share the hash, never the place.
    assert len({Design(order=3, opamp={"gain": g, "gbw": 1e6}) for g in (100.0, 1e5)}) == 2


@pytest.mark.parametrize(("given", "low", "high"), [(0, 1, 9), (10, 1, 9), (np.int64(-1), 0, 3)])
def test_a_whole_number_outside_is_refused(given, low, high):
    with pytest.raises(
        DesignError, match=f"^{given} things; a whole number from {low} to {high} is accepted$"
    ):
        whole(given, "things", low=low, high=high)


def test_a_path_may_be_text(tmp_path):
    kept = small()
    where = weights.to_npz(str(tmp_path / "w.npz"), kept)
    assert where == tmp_path / "w.npz"
    np.testing.assert_array_equal(
        weights.from_npz(str(where)).arrays.memory_kernel, kept.arrays.memory_kernel
    )


def small():
    return from_keras_lmu(KERNELS, theta=4.0, order=3)


KERNELS = [0.1 * np.ones((3, 2)), 0.2 * np.eye(2), np.zeros(2), np.ones((1, 1))]


@pytest.mark.parametrize("theta_inv", [0.25, [0.25], [[0.25]]])
def test_a_trained_theta_may_have_any_number_of_axes(theta_inv):
    arrays = [*KERNELS, np.array(theta_inv)]
    assert from_keras_lmu(arrays, Connections(trainable_theta=True), theta=9.0, order=3).theta == 4.0


@pytest.mark.parametrize(("change", "options", "message"), [
    ({4: np.array([0.1, 0.2])}, {}, r"^theta_inv has shape \(2,\); one number is wanted$"),
    ({1: [[1.0], [1.0, 2.0]]}, {}, "^hidden recurrent_kernel is ragged: its rows differ in length"),
    ({2: np.array([1j, 2.0])}, {}, "^hidden bias holds complex128 values; real numbers are wanted$"),
    ({0: [["a", "b"]]}, {}, "^hidden kernel holds <U1 values; real numbers are wanted$"),
    ({1: np.ones((2, 8)), 2: np.ones(8)}, {}, r"^hidden recurrent_kernel has shape \(2, 8\), that of an LSTMCell of 2"),
    ({1: np.ones((2, 6)), 2: np.ones(6)}, {}, r"^hidden recurrent_kernel has shape \(2, 6\), that of a GRUCell of 2"),
])  # fmt: skip
def test_a_keras_layer_that_cannot_be_read_is_named(change, options, message):
    arrays = [change.get(k, array) for k, array in enumerate([*KERNELS, np.array(0.25)])]
    with pytest.raises(DesignError, match=message):
        from_keras_lmu(arrays, Connections(trainable_theta=True), **{"theta": 4.0, "order": 3, **options})


def test_a_keras_layer_without_a_hidden_cell_is_a_memory():
    connections = Connections(hidden_cell=False, use_bias=True)
    read = from_keras_lmu([np.array([[2.0]]), np.array([0.5])], connections, theta=4.0, order=3)
    x = np.linspace(-1.0, 1.0, 7)[:, None]
    state = LMU(read).run(x)
    assert state.hidden.shape == (7, 0)
    beside = from_keras_lmu(
        [*KERNELS[:3], np.array([[2.0]]), np.array([0.5])], Connections(use_bias=True), theta=4.0, order=3
    )
    np.testing.assert_array_equal(state.memory, LMU(beside).run(x).memory)
    back = to_keras_lmu(read, connections)
    assert [array.shape for array in back] == [(1, 1), (1,)]
    with pytest.raises(
        DesignError, match="^these weights have 2 hidden units; a layer with a hidden cell is wanted$"
    ):
        to_keras_lmu(beside, connections)
    with pytest.raises(DesignError, match="^hidden_to_memory without a hidden cell"):
        from_keras_lmu(KERNELS[3:], Connections(hidden_to_memory=True, hidden_cell=False), theta=4.0, order=3)
