"""A whole cell in an open process: memories, hidden units and readout in transistors, on handwritten digits.

An image of 8 by 8 pixels comes row by row, 12.5 us each; every column that holds something has a memory of order 3
with a window of 100 us. At the end of the last row ten units see the states of all memories, and ten currents say the
class. Memories are trained for in software, ideal; weights below a tenth of a unit's resistor are left out.

Chips: of every memory the exact engine gives its response and offset, with the foundry's process and mismatch; units,
weights and readout are measured in ngspice part by part, and move with each of their transistors to first order.
``built``: as made. ``trimmed``: one factor on all reference currents of a chip, so that its memories have their
window in the mean. ``calibrated``: trimmed, and the readout fitted to the software's on training images. What is so
computed takes units as settled; with ``images`` it is compared with the whole chip in ngspice's transient, nominal and
with one chip's deviations, where units lag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import Progress, Table
from lmu_analog.option import option

if TYPE_CHECKING:
    from lmu_analog.experiments.silicon_cells import Subject
    from lmu_analog.silicon.unit import Layers

ORDER, THETA, STEPS = 3, 1e-4, 8  # of a memory; theta in s
TURNS = 0.3  # bandwidth times theta that the memory is designed for
CLASSES = 10
NOISE = 0.04  # of the signal: sigma of what is added to states in training, about that of a chip's offsets
HELD = 0.02  # of the signal: columns with a smaller deviation are left out
RATE, BATCH = 0.01, 64
PROCESS = "gf180mcu"
CONDITIONS = (
    ("ff", 27.0, 1.0),
    ("ss", 27.0, 1.0),
    ("fs", 27.0, 1.0),
    ("sf", 27.0, 1.0),
    ("typical", -40.0, 1.0),
    ("typical", 125.0, 1.0),
    ("typical", 27.0, 0.9),
)
# Figures of others, each on its own task: none compares with digits of 8 by 8 pixels.
PUBLISHED: tuple[dict[str, Any], ...] = (
    {"what": "DeltaKWS, 65 nm, measured", "task": "keywords", "accuracy": 90.5, "nj": 36.0},
    {"what": "LMU keyword ASIC, Blouw 2020, digital, estimated", "task": "keywords", "uw": 8.79},
    {
        "what": "analog state-space model, TU Wien 2025, LTspice, nominal, 84.5 to 90.8 %",
        "task": "ten spoken words",
        "accuracy": 90.8,
    },
    {"what": "analog filter bank with GRU, Sensors 25/2550", "task": "its own", "accuracy": 91.35},
    {"what": "BMRU, Liege 2026, 180 nm, transistor level: core below 1 uW", "task": "its own"},
    {"what": "MINIMALIST 2025, switched-capacitor minGRU, 2-bit weights", "task": "its own"},
)


@dataclass(frozen=True)
class Options:
    """How much of it."""

    chips: int = option(200, "Chips with process and mismatch.")
    seeds: int = option(6, "Trainings, of which validation data choose one.")
    epochs: int = option(100, "Epochs of training.")
    hidden: int = option(10, "Hidden units.")
    images: int = option(
        1, "Test images that ngspice runs through whole chips: the nominal one and the first."
    )
    seed: int = option(0, "Of the parts of the data and of the chips.")

    def __post_init__(self) -> None:
        for name in ("chips", "seeds", "epochs", "hidden"):
            if getattr(self, name) < 1:
                raise DesignError(f"{name}={getattr(self, name)}: at least one is wanted")
        if self.images < 0:
            raise DesignError(f"images={self.images}: none or more are wanted")


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Train, draw, measure; see the module.

    Returns
    -------
    dict
        ``software``, ``network``, accuracies in percent of ``nominal``, ``built``, ``trimmed`` and ``calibrated``
        chips, ``conditions``, ``ngspice`` and ``cost``.

    Raises
    ------
    DesignError
        If scikit-learn or the models of the process are missing.
    """
    from lmu_analog.circuits.devices.pdk import find_pdk
    from lmu_analog.experiments import silicon_cells as cells

    installed = find_pdk(PROCESS)
    with progress("memory", None):
        memory = cells.memory(installed, order=ORDER, theta=THETA, turns=TURNS, steps=STEPS)
    subject = _subject(options, memory.mixed)
    with progress("training", options.seeds) as advance:
        layers, software = _trained(options, subject, advance)
    with progress("units", None):
        cell = cells.cell(memory, layers, memories=subject.memories)
    with progress("chips", None):
        chips, first = cells.ensemble(cell, subject, chips=options.chips, seed=options.seed)
    rows: list[dict[str, Any]] = []
    with progress("conditions", len(CONDITIONS)) as advance:
        for corner, temperature, supply in CONDITIONS:
            rows.append(cells.condition(cell, subject, corner, temperature=temperature, supply=supply))
            advance(1)
    with progress("ngspice", 2 * options.images) as advance:
        spice = cells.in_ngspice(
            cell, subject, first, images=options.images, seed=options.seed, advance=advance
        )
    return {
        "software": software,
        "network": cells.about(cell),
        **chips,
        "conditions": rows,
        "cost": cells.cost(cell),
        **spice,
        "published": list(PUBLISHED),
    }


def _subject(options: Options, mixed: Float[np.ndarray, "d n"]) -> Subject:
    """Take the columns that hold something."""
    from lmu_analog.experiments.silicon_cells import Subject
    from lmu_analog.networks.learning.tasks import digits_by_rows

    task = digits_by_rows(options.seed)
    parts = {"train": task.train, "valid": task.valid, "test": task.test}
    kept = task.train.x.std(axis=(0, 1)) > HELD
    return Subject(
        {name: d.x[:, :, kept] for name, d in parts.items()}, {name: d.y for name, d in parts.items()}, mixed
    )


def _trained(
    options: Options, subject: Subject, advance: Callable[[int], None]
) -> tuple[Layers, dict[str, Any]]:
    """Train in software on states of ideal memories, with the noise of offsets, and leave small weights out."""
    from lmu_analog.experiments.silicon_cells import sizing
    from lmu_analog.networks.learning.data import Data
    from lmu_analog.networks.learning.initial import initial
    from lmu_analog.networks.learning.training import Schedule, fit
    from lmu_analog.networks.network import DenseLayer, Network
    from lmu_analog.silicon.unit import Layers

    x = {part: subject.ideal(part) for part in subject.images}
    rng = np.random.default_rng(options.seed)
    noisy = x["train"] + NOISE * rng.standard_normal(x["train"].shape)
    train = Data(np.concatenate([x["train"], noisy])[:, None], np.tile(subject.classes["train"], 2))
    valid = Data(x["valid"][:, None], subject.classes["valid"])
    network = Network(x["train"].shape[1], (DenseLayer(options.hidden, "tanh"), DenseLayer(CLASSES)))
    used = sizing()
    least = used.least * used.signal / used.slope
    found: list[tuple[float, Layers]] = []
    for seed in range(options.seeds):
        schedule = Schedule(options.epochs, BATCH, RATE, seed=seed)
        start = initial(network, seed)
        trained = fit(network, train, schedule, valid=valid, objective="classes", start=start)
        first, last = ({k: np.asarray(v, float) for k, v in layer.items()} for layer in trained.weights)
        kernel, bias = (np.where(np.abs(w) < least, 0.0, w) for w in (first["kernel"], first["bias"]))
        layers = Layers(kernel, bias, last["kernel"], last["bias"])
        found.append((subject.accuracy("valid", layers(x["valid"])), layers))
        advance(1)
    valid_accuracy, layers = max(found, key=lambda pair: pair[0])
    return layers, {
        "valid": valid_accuracy,
        "test": subject.accuracy("test", layers(x["test"])),
        "weights": int((layers.kernel != 0.0).sum()),
        "of_weights": int(layers.kernel.size),
        "test_images": len(subject.classes["test"]),
    }


def rows(result: dict[str, Any]) -> Table:
    """Lay out the table: what was computed, and what it costs."""
    header = ("accuracy, %", "median", "5 % of chips below", "worst")
    lines: list[tuple[str, ...]] = []
    for label, key in (("software", "software"), ("nominal chip", "nominal")):
        value = result[key]["test"] if key == "software" else result[key]
        lines.append((label, f"{value:.1f}", "", ""))
    for key in ("built", "trimmed", "calibrated"):
        row = result[key]
        lines.append(
            (f"{result['chips']} chips, {key}", *(f"{row[q]:.1f}" for q in ("median", "p5", "worst")))
        )
    for row in result["conditions"]:
        label = f"{row['corner']}, {row['temperature']:g} C, supply {row['supply']:g}"
        lines.append(
            (
                label,
                f"built {row['built']:.1f}",
                f"trimmed {row['trimmed']:.1f}",
                f"calibrated {row['calibrated']:.1f}",
            )
        )
    if spice := result.get("ngspice"):
        for name, row in spice.items():
            lines.append((f"ngspice, whole chip, {name}", f"{row['same']} of {row['images']} alike", "", ""))
    lines.append(("power, uW", f"{result['cost']['uw']:.1f}", "", ""))
    lines.append(("nJ a decision, 100 us", f"{result['cost']['nj']:.2f}", "", ""))
    lines.append(("area, um2, gates and plates", f"{result['network']['area_um2']:.0f}", "", ""))
    for row in result["published"]:
        figures = ", ".join(
            f"{row[k]:g} {unit}" for k, unit in (("accuracy", "%"), ("nj", "nJ"), ("uw", "uW")) if k in row
        )
        lines.append((f"published, {row['task']}: {row['what']}", figures, "", ""))
    return header, lines
