"""Sections on where the error comes from: the budget and the noise."""

from __future__ import annotations

from typing import Any

from lmu_analog.analysis.budget import budget
from lmu_analog.analysis.noise import noise
from lmu_analog.errors import SimulationError
from lmu_analog.output import budget as budgeted
from lmu_analog.output import noise as noisy
from lmu_analog.output.report.subject import Section, Subject
from lmu_analog.output.text_tables import Table, percent, quantity


def error_budget(subject: Subject) -> Section:
    """Split the window error into its contributors."""
    chosen, figures = subject.settings, subject.figures_of_merit
    if isinstance(figures, str):
        raise SimulationError(figures)
    found = budget(subject.design, samples=chosen.budget, seed=chosen.seed)
    content = budgeted.as_json(found, figures)
    _, *tables = budgeted.budget_tables(content)
    lead = (
        f"{content['samples']} of {content['drawn']} mismatched circuits have a steady state and count; "
        f"distortion by the {content['engine']} engine. "
        f"All contributors together leave {percent(content['measured_nrmse'])}."
    )
    missing = tuple(f"Not known of {content['family']}: {name}." for name in content["left_out"])
    drawn = budgeted.budget_figure(content, found)
    return Section(lead, (drawn,), tuple(tables), missing, content=content)


def noise_section(subject: Subject) -> Section:
    """Show the noise at the window, and who makes it."""
    design = subject.design
    found = noise(design, circuit=subject.circuit)
    content = noisy.as_json(found, design)
    lead = f"At {content['temperature_k']:.5g} K; the signal is a sine of full scale."
    missing = tuple(f"Not counted: {line}." for line in content["left_out"])
    return Section(lead, (noisy.noise_figure(content, found),), (_powers(content),), missing, content=content)


def _powers(content: dict[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    pairs = (("all frequencies", "window_mean_v2", "snr_db"), ("signal band", "band_v2", "band_snr_db"))
    for name, power, ratio in pairs:
        volts = "no bound" if content[power] is None else quantity(content[power] ** 0.5, "V")
        rows.append((name, volts, "–" if content[ratio] is None else f"{content[ratio]:.4g} dB"))
    least = content["bounds"]
    rows.append(("lossless circuit of the same swing", quantity(least["lossless_v2"] ** 0.5, "V"), "–"))
    return Table("Noise at the window, mean over r", ("noise", "rms", "SNR"), tuple(rows))
