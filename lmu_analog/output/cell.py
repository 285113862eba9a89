"""The circuit of a cell compared with its network: for scripts, and as lines for a terminal."""

from typing import Any

from lmu_analog.networks.analog.run import Comparison, Engine, parts, weight_error
from lmu_analog.networks.network import LMULayer


def content(
    found: Comparison, layer: LMULayer, *, engine: Engine, deck: str | None, sample: int | None
) -> dict[str, Any]:
    """Give the figures of a cell; ``deck`` is the file that was written, ``sample`` that of the mismatch, if any."""
    cell, options = found.cell, found.cell.options
    return {
        "inputs": layer.inputs,
        "hidden_units": layer.hidden,
        "memories": layer.memories,
        "order": layer.order,
        "theta": cell.circuit.theta,
        "step": cell.step,
        "hidden": options.hidden,
        "activation": options.activation,
        "arrays": options.arrays,
        "series": options.series,
        "bits": options.bits,
        "parts": parts(cell),
        "weight_error": weight_error(layer, cell.layer),
        "engine": engine,
        "sample": sample,
        "steps": len(found.states.hidden),
        "nrmse": found.nrmse,
        "memory_nrmse": found.memory_nrmse,
        "layer_nrmse": found.layer_nrmse,
        "twin_nrmse": found.model_nrmse,
        "seconds": found.seconds,
        "deck": deck,
    }


def text(figures: dict[str, Any]) -> str:
    """Lay out the object of ``cell``."""
    counted = ", ".join(f"{number} {kind}" for kind, number in figures["parts"].items() if number)
    title = (
        f"cell of {figures['hidden_units']} hidden units ({figures['hidden']}, tanh {figures['activation']}) and "
        f"{figures['memories']} {'memory' if figures['memories'] == 1 else 'memories'} of order {figures['order']}"
    )
    ideal = "the layer" if figures["hidden"] == "sampled" else "its differential equation"
    rows = [
        ("parts", counted),
        ("weights", f"{_percent(figures['weight_error'])} off, rms, by the values of the parts"),
        ("hidden units", f"{_percent(figures['nrmse'])} from {ideal} (NRMSE, {figures['steps']} steps)"),
        ("memories", f"{_percent(figures['memory_nrmse'])} from the same"),
        ("as a layer", f"{_percent(figures['layer_nrmse'])} of the hidden units from the layer in NumPy"),
        ("as built", f"{_percent(figures['twin_nrmse'])} from the cell that its values make"),
        ("engine", f"{figures['engine']}, {figures['seconds']:.3g} s"),
    ]
    return "\n".join([title, *(f"  {name:<14}{said}" for name, said in rows)])


def _percent(value: float) -> str:
    return f"{100.0 * value:.3g} %"
