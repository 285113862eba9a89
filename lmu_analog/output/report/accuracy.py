"""Sections on the nominal circuit: errors, the window over time, error against delay, frequency response."""

from __future__ import annotations

from lmu_analog.output import figures, summary, text_tables
from lmu_analog.output.report.subject import Section, Subject

_NOT_SIMULATED = Section(absent="The nominal circuit was not simulated.")


def accuracy(subject: Subject) -> Section:
    """Show the errors of every engine."""
    said = tuple(f"{engine}: {reason}" for engine, reason in subject.failures.items())
    if not subject.results:
        return Section(absent="; ".join(said), failed=True) if said else _NOT_SIMULATED
    found = {name: summary.simulation(result) for name, result in subject.results.items()}
    return Section(tables=(text_tables.accuracy(subject.results),), notes=said, content=found)


def window(subject: Subject) -> Section:
    """Show the window at one instant, and delayed inputs over time; by ngspice where it ran."""
    results = subject.results
    if not results:
        return _NOT_SIMULATED
    shown = results.get("ngspice", next(iter(results.values())))
    return Section(
        f"From the {shown.attrs['engine']} engine.",
        (figures.window_figure(shown), figures.traces_figure(shown)),
    )


def profile(subject: Subject) -> Section:
    """Show the error against delay r."""
    if not subject.results and subject.run is None:
        return _NOT_SIMULATED
    content = {name: r.profile.values.tolist() for name, r in subject.results.items()}
    first = subject.run if subject.run is not None else next(iter(subject.results.values()))
    return Section(
        figures=(figures.profile_figure(subject.results, subject.run),),
        content={"delay": first.delay.values.tolist(), "nrmse": content},
    )


def frequency(subject: Subject) -> Section:
    """Show the frequency responses of states and taps."""
    response = figures.bode(subject.circuit, bandwidth=subject.design.bandwidth)
    return Section(figures=(figures.bode_figure(response),))
