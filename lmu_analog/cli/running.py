"""Commands that run circuits, alone or many. Heavy modules load inside the commands."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lmu_analog.cli.options import (
    ENGINE_HELP,
    Engine,
    Json,
    Plot,
    Recording,
    Sample,
    Sampling,
    Seed,
    Selection,
    Workers,
    announce,
    arguments,
    load,
    refuse_of_transistors,
    say,
    show,
)
from lmu_analog.errors import SimulationError
from lmu_analog.option import option
from lmu_analog.output.progress import counted, percents, progress, shares, stages

if TYPE_CHECKING:
    from lmu_analog.design import Design


@dataclass(frozen=True, kw_only=True)
class _Simulate(Recording, Sample, Seed, Sampling, Plot, Selection, Json):
    engine: Engine | None = option(
        None, f"{ENGINE_HELP} exact unless given, ngspice for transistors of a process."
    )


def simulate(options: _Simulate) -> None:
    """Run one circuit against the ideal window and the NumPy memory."""
    from lmu_analog.building import build
    from lmu_analog.output import summary, tables
    from lmu_analog.output.jobs import simulate_one
    from lmu_analog.output.to_try import nominal_fails, relax

    design = load(options, mismatched=options.sample is not None, takes_transistors=True)
    if design.uses_pdk:
        _simulate_chip(options, design)
        return
    engine: Engine = options.engine or "exact"
    steps = 1000 if engine == "ngspice" else None
    with progress("simulating", steps) as advance:
        moved = shares(advance, steps or 0)
        chosen = arguments(options, simulate_one, engine=engine)
        result = simulate_one(design, recording=options.input, notify=say, progress=moved, **chosen)
    values = summary.impedance(design, build(design))
    # A sample, or another signal than the design's own, is not what the limits are of.
    fails = (options.sample, options.input) == (None, None) and nominal_fails(result, design)
    content = {
        **summary.simulation(result),
        "impedance": values,
        "readout": summary.readout(design),
        **relax(design, fails=fails),
    }
    show(options, content, tables.simulation)


def _simulate_chip(options: _Simulate, design: "Design") -> None:
    from lmu_analog.output import chips

    refuse_of_transistors({"--input": options.input, "--sampling": options.sampling != "random"})
    with stages("circuit", say) as count:
        content = chips.simulate_chip(
            design,
            options.engine or "ngspice",
            sample=options.sample,
            seed=options.seed,
            plot=options.plot,
            progress=percents(count, "circuit"),
        )
    show(options, content, chips.simulation_text)


@dataclass(frozen=True, kw_only=True)
class _MonteCarlo(Seed, Sampling, Workers, Selection, Json):
    output: Path = option(..., "Where the run is stored.", "RUN.zarr", short="-o")
    samples: int | None = option(
        None, "Number of samples, 200 unless given; with --until the most, or 100000.", short="-n"
    )
    engine: Literal["exact", "nonlinear", "ngspice"] = option(
        "exact", "exact (linear), nonlinear (rails and slew; hands hard samples to ngspice) or ngspice."
    )
    hybrid: int | None = option(None, "Let ngspice run the first K too, and combine both.", "K")
    kernel: str | None = option(
        None, "Of the exact engine: native, compiled C, where it is there. Same bits.", "native|numpy"
    )
    until: str | None = option(None, "Stop by precision: 'yield +-1 %' or 'p95 +-2 %'.", "TEXT")
    scheduler: str | None = option(None, "Dask scheduler, for example tcp://host:8786.", "ADDRESS")
    resume: bool = option(False, "Continue or extend the run.")


def montecarlo(options: _MonteCarlo) -> None:
    """Run a mismatch ensemble."""
    from lmu_analog.ensembles.pool import processors
    from lmu_analog.output import tables
    from lmu_analog.output.jobs import stored_ensemble

    samples, until = options.samples, options.until
    if samples is None:
        samples = 200 if until is None else 100_000
    design = load(options, takes_transistors=True)
    if design.uses_pdk:
        _montecarlo_of_chips(options, design, samples)
        return
    if options.engine == "ngspice":
        announce(design, runs=samples, workers=options.workers or processors())
    label = "mismatch samples" if until is None else "samples, at most"
    chosen = arguments(options, stored_ensemble, samples=samples)
    with progress(label, samples + (options.hybrid or 0)) as advance:
        chosen |= {"subset": options.hybrid, "resumed": options.resume}
        content = stored_ensemble(design, options.output, progress=advance, **chosen)
    show(options, content, tables.ensemble)
    if content["failed"] == content["samples"]:
        raise SimulationError(
            f"{options.output}: all samples failed: impossible values, or a fault of ngspice"
        )


def _montecarlo_of_chips(options: _MonteCarlo, design: "Design", samples: int) -> None:
    from lmu_analog.output import chips

    refuse_of_transistors({"--hybrid": options.hybrid})
    label = "chips" if options.until is None else "chips, at most"
    with stages("circuit", say) as count:
        content = chips.stored_chips(
            design,
            options.output,
            preparing=percents(count, "circuit"),
            progress=counted(count, label, samples),
            resumed=options.resume,
            **arguments(options, chips.stored_chips, samples=samples),
        )
    show(options, content, chips.ensemble_text)
    if content["failed"] == content["samples"]:
        raise SimulationError(f"{options.output}: no chip could be measured; see the reasons above")


@dataclass(frozen=True, kw_only=True)
class _Yield(Seed, Workers, Selection, Json):
    method: Literal["importance", "scaled-sigma"] = option(
        "importance", "importance (guided by theory) or scaled-sigma (needs more samples)."
    )
    samples: int = option(1000, "Number of circuits.", short="-n")
    engine: Engine = option("exact", ENGINE_HELP)


def high_sigma_yield(options: _Yield) -> None:
    """Estimate a yield far out in the tail, such as 4 sigma, from a thousand circuits."""
    from lmu_analog.ensembles.high_sigma import high_sigma
    from lmu_analog.output import theory

    design = load(options)
    with progress("high-sigma yield"):
        found = high_sigma(design, **arguments(options, high_sigma))
    uniform = theory.uniform_beside(design, options.samples, options.seed)
    show(options, theory.high_sigma(found, design.wanted_yield, uniform), theory.high_sigma_text)


@dataclass(frozen=True, kw_only=True)
class _Run(Seed, Workers, Selection, Json):
    output: Path = option(..., "Folder for all results.", "DIR", short="-o")
    samples: int = option(200, "Number of mismatch samples.", short="-n")


def run(options: _Run) -> None:
    """Do the main job: derive, netlist, simulate in both engines, Monte Carlo, report."""
    from lmu_analog.output import mainjob, tables

    design = load(options)
    announce(design)
    with progress("run", mainjob.steps(options.samples)) as advance:
        chosen = arguments(options, mainjob.run)
        content = mainjob.run(design, options.output, progress=advance, **chosen)
    show(options, content, tables.main_job)
