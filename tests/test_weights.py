"""The weights of a layer: their file, their shapes, and keras-lmu's layout."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lmu_analog.errors import DesignError
from lmu_analog.networks import weights
from lmu_analog.networks.cell import LMU
from lmu_analog.networks.keras_layout import Connections, from_keras_lmu, to_keras_lmu
from lmu_analog.networks.network import AXES, LMULayer, lmu_layer
from lmu_analog.networks.weights import from_npz, to_npz

# Written by benchmarks/keras_reference.py with the versions that it names.
KERAS = json.loads((Path(__file__).parent / "data" / "keras_lmu.json").read_text("utf-8"))["cases"]
LENGTHS = {"inputs": 2, "memories": 2, "hidden": 3, "memories*order": 8, "order": 4}


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal([LENGTHS[a] for a in axes]) for name, axes in AXES.items()}


def settings_of(case: dict) -> tuple[Connections, dict]:
    given = dict(case["settings"])
    given.pop("memory_d")
    about = {"theta": given.pop("theta"), "order": given.pop("order"), "method": given.pop("discretizer")}
    return Connections(**given), about


def same(one: LMULayer, other: LMULayer) -> bool:
    assert one.weights.keys() == other.weights.keys()
    return one == other and all(np.array_equal(a, other.weights[name]) for name, a in one.weights.items())


@pytest.mark.parametrize("case", KERAS, ids=range(len(KERAS)))
def test_a_layer_answers_as_keras_lmu_does(case: dict):
    connections, about = settings_of(case)
    weights = from_keras_lmu([np.array(w) for w in case["weights"]], connections, **about)
    hidden = LMU(weights).run(np.array(case["x"])).hidden
    # Both in double precision, but keras-lmu keeps the initial 1/theta in single where it is trained.
    np.testing.assert_allclose(hidden, case["hidden"], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("case", KERAS, ids=range(len(KERAS)))
def test_weights_go_back_to_keras_lmu_as_they_came(case: dict):
    connections, about = settings_of(case)
    given = [np.array(w) for w in case["weights"]]
    back = to_keras_lmu(from_keras_lmu(given, connections, **about), connections)
    for ours, theirs in zip(back, given, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-15)  # 1/theta is inverted twice


def test_a_connection_that_the_layer_lacks_is_named():
    weights = lmu_layer({**arrays(), "A": None, "B": None}, theta=8.0)
    with pytest.raises(
        DesignError, match=r"^these weights need a keras-lmu layer with memory_to_memory=True$"
    ):
        to_keras_lmu(weights, Connections(hidden_to_memory=True))
    with pytest.raises(DesignError, match="keeps A and B of the Legendre memory"):
        to_keras_lmu(lmu_layer(arrays(), theta=8.0), Connections())


def test_arrays_of_keras_lmu_that_do_not_fit_name_the_axis():
    given = [np.array(w) for w in KERAS[2]["weights"]]
    with pytest.raises(DesignError, match=r"hidden kernel: axis 0 \(memories\*order\) has length 6, not 5"):
        from_keras_lmu(given, theta=8.0, order=5)
    with pytest.raises(DesignError, match="4 arrays given; these connections make 5: hidden kernel, "):
        from_keras_lmu(given, Connections(use_bias=True), theta=8.0, order=6)
    with pytest.raises(DesignError, match=r"axis 0 \(inputs \+ hidden\) has length 2, not above 3"):
        from_keras_lmu(given, Connections(hidden_to_memory=True), theta=8.0, order=6)
    with pytest.raises(DesignError, match=r"memory's kernel has shape \(2,\); two axes are wanted"):
        from_keras_lmu([*given[:3], given[3][:, 0]], theta=8.0, order=6)


def test_a_file_gives_back_what_was_written(tmp_path: Path):
    full = lmu_layer(arrays(), theta=0.25, dt=1e-3, method="euler")
    least = lmu_layer({k: v for k, v in arrays().items() if "kernel" in k or "encoders" in k}, theta=8)
    assert same(from_npz(to_npz(tmp_path / "a.npz", full)), full)
    assert same(from_npz(to_npz(tmp_path / "b", least)), least)
    assert (least.inputs, least.memories, least.hidden, least.order) == (2, 2, 3, 4)


@pytest.mark.parametrize("name", AXES)
def test_a_wrong_shape_names_the_axis(name: str):
    given = arrays()
    for axis in range(given[name].ndim):
        wrong = np.repeat(given[name], 3, axis=axis)
        with pytest.raises(DesignError, match=r"^\w+: axis \d \([a-z*]+\) has length \d+, n"):
            lmu_layer({**given, name: wrong}, theta=8.0)
    with pytest.raises(DesignError, match=rf"^{name} has shape \(.*\); axes \(.*\) are wanted$"):
        lmu_layer({**given, name: given[name][None]}, theta=8.0)


def test_values_that_are_no_numbers_are_refused():
    given = arrays()
    given["bias"][1] = np.nan
    with pytest.raises(DesignError, match="^bias holds 1 values that are not finite, of 3; train it anew$"):
        lmu_layer(given, theta=8.0)
    with pytest.raises(DesignError, match="^theta must be one positive number, not -1.0$"):
        lmu_layer(arrays(), theta=-1.0)
    with pytest.raises(DesignError, match="A and B go together"):
        lmu_layer({**arrays(), "B": None}, theta=8.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no NumPy archive"),
        (b"PK\x03\x04 torn", "is no NumPy archive"),
        (b"\x93NUMPY\x01\x00", "is no NumPy archive"),
        (None, "no such file; give a NumPy archive"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(content: bytes | None, words: str, tmp_path: Path):
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DesignError, match=rf"weights.npz.*{words}"):
        from_npz(path)


def test_an_archive_of_something_else_is_refused(tmp_path: Path):
    path, given = tmp_path / "weights.npz", {**arrays(), "theta": 8.0}
    np.savez(path, **{**given, "kernel": np.ones(2)})
    with pytest.raises(DesignError, match="unknown array 'kernel'; known are A, B, bias, "):
        from_npz(path)
    del given["theta"]
    np.savez(path, **given)
    with pytest.raises(DesignError, match="no array 'theta'; wanted are "):
        from_npz(path)
    np.savez(path, **given, theta=np.array([1.0, 2.0]))
    with pytest.raises(DesignError, match="theta must be one positive number"):
        from_npz(path)
    np.savez(path, **{**given, "bias": np.array(["a", "b", "c"])}, theta=8.0)
    with pytest.raises(DesignError, match="bias holds <U1 values; real numbers are wanted"):
        from_npz(path)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(DesignError, match="one.npy is no NumPy archive"):
        from_npz(tmp_path / "one.npy")
    np.savez(path, **{**given, "bias": np.array([object()] * 3)}, theta=8.0)
    with pytest.raises(DesignError, match="weights.npz is no NumPy archive of numbers"):
        from_npz(path)
    np.savez_compressed(path, **given, theta=8.0)
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    with pytest.raises(DesignError, match="weights.npz is no NumPy archive of numbers"):
        from_npz(path)


def member(header: bytes, data: bytes = b"") -> bytes:
    """Give the bytes of an array file with a header that says what it likes."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000,)}\n",
            "of 800000000000 bytes; at most",
        ),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}\n", "is no NumPy archive of numbers"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n", "is no NumPy archive of numbers"),
        (
            b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"9" * 5000 + b",)}\n",
            "is no NumPy archive",
        ),
        (b"(" * 3000, "is no NumPy archive of numbers"),
        (b"__import__('os').abort()\n", "is no NumPy archive of numbers"),
    ],
)
def test_an_array_that_only_its_header_makes_large_is_refused_before_it_is_made(tmp_path, content, words):
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bias.npy", member(content))
    with pytest.raises(DesignError, match=words):
        from_npz(path)


def test_what_unpacks_to_all_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "LARGEST_FILE", 1000)  # bytes
    path = tmp_path / "w.npz"
    np.savez_compressed(path, bias=np.zeros(200))
    assert path.stat().st_size < 1000
    with pytest.raises(DesignError, match=r"array 'bias.npy' of 1728 bytes; at most 1000 are accepted"):
        from_npz(path)
