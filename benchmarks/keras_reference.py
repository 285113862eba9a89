"""Write what keras-lmu answers, for the tests of our layer to compare with.

    python benchmarks/keras_reference.py

Needs keras-lmu and TensorFlow, in an environment of their own. Writes tests/data/keras_lmu.json: for some
settings the weights as keras-lmu lays them out, an input and the outputs, all in double precision, with versions.
"""

import json
from pathlib import Path

import keras
import keras_lmu
import numpy as np
import tensorflow as tf

SEED = 5
STEPS = 12
INPUTS, HIDDEN = 2, 3
ALL = {"hidden_to_memory": True, "memory_to_memory": True, "input_to_hidden": True, "use_bias": True}
SETTINGS = [
    {"memory_d": 2, "order": 4, "theta": 6.5, "discretizer": "zoh", **ALL},
    {"memory_d": 2, "order": 3, "theta": 9.0, "discretizer": "euler", **ALL},
    {"memory_d": 1, "order": 6, "theta": 8.0, "discretizer": "zoh"},
    {
        "memory_d": 3,
        "order": 2,
        "theta": 5.0,
        "discretizer": "zoh",
        "trainable_theta": True,
        "hidden_to_memory": True,
    },
]


def answer(settings: dict, rng: np.random.Generator) -> dict:
    """Make a layer, give it small random weights, and run it."""
    layer = keras_lmu.LMU(
        hidden_cell=keras.layers.SimpleRNNCell(HIDDEN), return_sequences=True, dtype="float64", **settings
    )
    x = rng.standard_normal((1, STEPS, INPUTS))
    layer(tf.constant(x))
    weights = []
    for given in layer.get_weights():
        drawn = 0.5 * rng.standard_normal(given.shape)
        # 1/theta is a weight like the others; it must stay positive.
        weights.append(drawn if given.shape else np.asarray(1.1 * given))
    layer.set_weights(weights)
    h = np.asarray(layer(tf.constant(x)))
    return {
        "settings": settings,
        "names": [w.path for w in layer.weights],
        "weights": [w.tolist() for w in weights],
        "x": x[0].tolist(),
        "hidden": h[0].tolist(),
    }


def main() -> None:
    keras.backend.set_floatx("float64")
    rng = np.random.default_rng(SEED)
    versions = {"keras_lmu": keras_lmu.__version__, "keras": keras.__version__, "tensorflow": tf.__version__}
    content = {"seed": SEED, **versions, "cases": [answer(settings, rng) for settings in SETTINGS]}
    folder = Path(__file__).parents[1] / "tests" / "data"
    folder.mkdir(exist_ok=True)
    (folder / "keras_lmu.json").write_text(json.dumps(content) + "\n", "utf-8")
    for case in content["cases"]:
        print(case["settings"], case["names"])


if __name__ == "__main__":
    main()
