"""The section on taps: what the outputs of the circuit show, over time and over many circuits."""

from __future__ import annotations

from collections.abc import Iterator

from lmu_analog.ensembles.taps import TapSpread
from lmu_analog.errors import SimulationError
from lmu_analog.memory.taps import Tap
from lmu_analog.output import figures, summary
from lmu_analog.output.report.subject import Section, Subject
from lmu_analog.output.text_tables import Table, percent, share


def taps(subject: Subject) -> Section:
    """Show every tap: its error in every engine, over time, and with mismatch."""
    circuit, design = subject.circuit, subject.design
    if not circuit.taps:
        return Section(absent="The circuit has no taps: give [circuit] taps, or [[circuit.output]].")
    spreads = subject.tap_spreads
    if isinstance(spreads, str):
        raise SimulationError(spreads)
    drawn = []
    if subject.results:
        # By ngspice where it ran, as the window is.
        drawn.append(
            figures.taps_figure(subject.results.get("ngspice", next(iter(subject.results.values()))))
        )
    if spreads:
        drawn.append(figures.tap_spread_figure(spreads, limit=design.tap_nrmse, nominal=subject.tap_errors))
    content = {
        "nominal": {name: summary.taps(result) for name, result in subject.results.items()},
        "ensemble": [summary.tap_spread(tap) for tap in spreads],
    }
    lead = (
        "Every tap against what it is to show; the error is a fraction of rms(u), after division by the gain."
    )
    if spreads:
        lead += (
            " With mismatch: the circuits of the ensemble in the exact engine, without rails and slew limits."
        )
    return Section(lead, tuple(drawn), (_table(subject, spreads),), content=content)


def shows(tap: Tap, gain: float) -> str:
    """Say what a tap shows, with its gain where that is not one."""
    what = "a weighted sum of the states" if tap.r is None else f"u(t − {tap.r:g} θ)"
    return what if gain == 1.0 else f"{gain:.4g} {'times ' if tap.r is None else ''}{what}".replace("-", "−")


def _table(subject: Subject, spreads: tuple[TapSpread, ...]) -> Table:
    engines = tuple(subject.results)
    elsewhere = any(tap.net != tap.name for tap in subject.circuit.taps)  # on a net that was there already
    columns = ["tap", *(["net"] if elsewhere else []), "shows", *(f"NRMSE, {name}" for name in engines)]
    if spreads:
        columns += ["median", "p95", "over theory"]
    if any(tap.good for tap in spreads):
        columns += ["yield", "95 % interval"]
    rows: list[tuple[str, ...]] = []
    for k, tap in enumerate(subject.circuit.taps):
        errors = (percent(float(subject.results[name].tap_nrmse[k])) for name in engines)
        beside = _spread(spreads[k]) if spreads else ()
        net = (tap.net,) if elsewhere else ()
        rows.append((tap.name, *net, shows(tap.of, tap.gain), *errors, *beside))
    return Table("Taps", tuple(columns), tuple(rows))


def _spread(tap: TapSpread) -> Iterator[str]:
    yield percent(tap.nrmse["median"])
    yield percent(tap.nrmse["p95"])
    compared = tap.theory
    yield "–" if compared is None or compared.ratio is None else f"{compared.ratio:.3g}"
    if tap.good is not None:
        yield share(tap.good.value)
        yield "none" if tap.good.low is None else f"{share(tap.good.low)} to {share(tap.good.high)}"
