"""The table of figures: what ``experiment NAME --plot`` draws of a result, stored or new."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmu_analog.errors import DesignError
from lmu_analog.experiments.learning_plots import (
    plot_capacity,
    plot_digits,
    plot_digits_loss,
    plot_learned_theta,
    plot_mackey_glass,
    plot_scale,
    plot_series_loss,
    plot_task_tolerances,
)
from lmu_analog.experiments.psmnist_plots import plot_confusion, plot_orders, plot_training
from lmu_analog.experiments.silicon_plots import plot_chips
from lmu_analog.experiments.spiking_plots import (
    plot_bits,
    plot_cost,
    plot_delay_network,
    plot_delay_networks,
    plot_readouts,
    plot_scaling,
    plot_spreads,
    plot_synapses,
)
from lmu_analog.output.files import check_figure
from lmu_analog.output.layout import save_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Plot = Callable[[dict[str, Any], "Axes | None"], "Axes"]

# Experiment -> its panels from top to bottom: a key of the result without which there is nothing to draw, what draws
# it, and the height in inches.
FIGURES: dict[str, tuple[tuple[str, Plot, float], ...]] = {
    "capacity": (("table", plot_capacity, 4.4),),
    "delay-network": (("active_rc", plot_delay_network, 4.8),),
    "digits": (("lmu", plot_digits, 3.2),),
    "psmnist": (
        ("images", plot_training, 4.2),
        ("orders", plot_orders, 4.2),
        ("parallel", plot_confusion, 4.4),
    ),
    "scale": (("lmu", plot_scale, 4.0),),
    "digital-memory": (("nearest", plot_bits, 4.2),),
    "learned-theta": (("table", plot_learned_theta, 3.8),),
    "poisson-scaling": (("feedforward", plot_scaling, 4.4), ("cost", plot_cost, 3.6)),
    "spiking-delay-network": (("details", plot_delay_networks, 4.8),),
    "synapse-mismatch": (
        ("taus", plot_spreads, 3.4),
        ("synapses", plot_synapses, 3.4),
        ("readouts", plot_readouts, 3.4),
    ),
    "mackey-glass": (("lmu", plot_mackey_glass, 3.8),),
    "hardware-loss": (("digits", plot_digits_loss, 4.2), ("mackey-glass", plot_series_loss, 4.2)),
    "task-tolerances": (("tolerances", plot_task_tolerances, 4.6),),
    "silicon-digits": (("built", plot_chips, 3.8),),
}


def check(name: str, path: Path) -> None:
    """Refuse a figure that cannot be drawn or written, before the work is done.

    Raises
    ------
    DesignError
        If the experiment has no figure, or the file's name is none for a figure.
    """
    check_figure(path)
    if name not in FIGURES:
        raise DesignError(f"plot=: experiment {name} has no figure; leave it out")


def draw(name: str, result: dict[str, Any], path: Path) -> Path:
    """Draw the figure of an experiment.

    Parameters
    ----------
    name : str
        In ``FIGURES``.
    result : dict
        From the experiment's ``run``, or of its stored result.
    path : Path
        SVG, PNG or PDF by the suffix.
    """
    panels = [(partial(plot, result), height) for key, plot, height in FIGURES[name] if key in result]
    return save_panels(panels, path)
