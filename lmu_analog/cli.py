"""The command line: one command, one call. Heavy modules load inside the commands."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer

from lmu_analog.errors import DesignError, LmuAnalogError, SimulationError, readable
from lmu_analog.version import __version__

app = typer.Typer(
    name="lmu-analog",
    help="Analog circuits for the Legendre Memory Unit: derive, build, simulate, see what mismatch costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


INTERRUPTED = 130  # what typer makes of Ctrl-C


class EngineName(StrEnum):
    """The two engines."""

    exact = "exact"
    ngspice = "ngspice"


class Dialect(StrEnum):
    """Deck dialects."""

    ngspice = "ngspice"


DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="Design file (TOML).")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for scripts.")]
Seed = Annotated[int, typer.Option(help="Seed of the mismatch draws.")]
EngineOption = Annotated[EngineName, typer.Option(help="exact (linear circuits, no step error) or ngspice.")]
Recording = Annotated[Path | None, typer.Option("--input", metavar="FILE", help="CSV or WAV as the input.")]
Sample = Annotated[int | None, typer.Option(help="Mismatch sample, from 0, in place of the nominal circuit.")]
Workers = Annotated[int | None, typer.Option(help="Processes; one a processor unless given.")]


def main() -> None:
    """Run the command line; exit status 0 done, 1 the work failed, 2 the input is wrong."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command and give its exit status; errors go to stderr in one line."""
    # The base of all usage errors, wherever typer keeps it.
    usage_error = cast("type[Exception]", typer.BadParameter.__mro__[2])
    try:
        status = app(arguments, prog_name="lmu-analog", standalone_mode=False)
    except usage_error as error:
        if said := error.format_message():  # type: ignore[attr-defined]  # nothing where the help was shown
            _complain(f"{said} (see lmu-analog --help)")
        return 2
    except SimulationError as error:
        _complain(str(error))
        return 1
    except LmuAnalogError as error:
        _complain(str(error))
        return 2
    except (typer.Abort, KeyboardInterrupt):
        _complain("interrupted")
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:  # stdout on a full disk: files are guarded where they are written
        _complain(f"cannot write: {error.strerror or error}")
        return 1
    if status == INTERRUPTED:
        _complain("interrupted")
        return 1
    return status if isinstance(status, int) else 0


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def new(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Design file to write.")],
    *,
    order: Annotated[int | None, typer.Option(help="Number of states, 1 to 64.")] = None,
    theta: Annotated[str, typer.Option(help="Window length, for example '1 ms'.")] = "1 ms",
    bandwidth: Annotated[
        str | None, typer.Option(help="Highest input frequency, for example '1 kHz'.")
    ] = None,
    realization: Annotated[str | None, typer.Option(help="See lmu-analog families.")] = None,
    family: Annotated[str, typer.Option(help="See lmu-analog families.")] = "active-rc",
    opamp: Annotated[str, typer.Option(help="A part of the catalogue, or ideal.")] = "ideal",
    error: Annotated[str | None, typer.Option(help="Largest truncation error; chooses the order.")] = None,
    input: Annotated[Path | None, typer.Option("--input", help="A recording; its band is measured.")] = None,
) -> None:
    """Write a commented design file."""
    from lmu_analog.output.starting import new_design

    asked = {
        "order": order,
        "theta": theta,
        "bandwidth": bandwidth,
        "realization": realization,
        "family": family,
        "opamp": opamp,
        "error": error,
    }
    new_design({key: value for key, value in asked.items() if value is not None}, output, recording=input)
    _say(f"wrote {output}; next: lmu-analog run {output} -o results")


@app.command()
def derive(
    order: Annotated[int, typer.Option(help="Number of states, 1 to 64.")],
    as_json: AsJson = False,
    latex: Annotated[bool, typer.Option("--latex", help="LaTeX in place of text.")] = False,
) -> None:
    """Derive the equations exactly, with their proofs."""
    from lmu_analog.memory.symbolic import derive as derived
    from lmu_analog.output import derivation
    from lmu_analog.output.summary import dumps

    if as_json and latex:
        raise DesignError("both --json and --latex are given; give one of them")
    result = derived(order)
    if as_json:
        typer.echo(dumps(derivation.as_json(result)))
    else:
        typer.echo(derivation.as_latex(result) if latex else derivation.as_text(result))
    if not all(result.proofs.values()):
        raise SimulationError("a proof failed; this is a bug, please report it")


@app.command()
def families(as_json: AsJson = False) -> None:
    """List circuit families and the realizations that each can carry."""
    from lmu_analog.circuits.families import FAMILIES
    from lmu_analog.output import summary

    if as_json:
        typer.echo(summary.dumps(summary.families()))
        return
    for name, family in FAMILIES.items():
        typer.echo(f"{name:<22}{family.about}\n{'':<22}{', '.join(family.realizations)} ({family.model})")


@app.command()
def netlist(
    design: DesignFile,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Deck, or folder for --samples.")
    ] = None,
    dialect: Annotated[Dialect, typer.Option(help="Simulator the deck is for.")] = Dialect.ngspice,
    sample: Sample = None,
    samples: Annotated[str | None, typer.Option(metavar="A:B", help="Samples A to B-1, a deck each.")] = None,
    seed: Seed = 0,
) -> None:
    """Write runnable decks, nominal or of mismatch samples."""
    from lmu_analog.design import Design
    from lmu_analog.output.decks import deck_text, sample_range, write_deck, write_decks

    loaded = Design.load(design)
    _keep(design, output)
    if sample is not None and samples is not None:
        raise DesignError("both --sample and --samples are given; give one of them")
    if samples is not None:
        written = write_decks(loaded, output or Path("decks"), samples=sample_range(samples), seed=seed)
    elif output is None:
        typer.echo(deck_text(loaded, sample=sample, seed=seed), nl=False)
        return
    else:
        written = write_deck(loaded, output, sample=sample, seed=seed)
    _say(f"wrote {written[0]}" + (f" and {len(written) - 1} more" if len(written) > 1 else ""))


@app.command()
def simulate(
    design: DesignFile,
    *,
    engine: EngineOption = EngineName.exact,
    input: Recording = None,
    sample: Sample = None,
    seed: Seed = 0,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the result.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run one circuit against the ideal window and the NumPy memory."""
    from lmu_analog.design import Design
    from lmu_analog.output import summary, tables
    from lmu_analog.output.jobs import simulate_one
    from lmu_analog.output.progress import progress

    loaded = Design.load(design)
    with progress("simulating"):
        result = simulate_one(loaded, engine.value, recording=input, sample=sample, seed=seed, plot=plot)
    content = summary.simulation(result)
    typer.echo(summary.dumps(content) if as_json else tables.simulation(content))


@app.command()
def montecarlo(
    design: DesignFile,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="RUN.zarr", help="Where the run is stored.")
    ],
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of mismatch samples.")] = 200,
    seed: Seed = 0,
    engine: EngineOption = EngineName.exact,
    workers: Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue or extend the run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a mismatch ensemble."""
    from lmu_analog.design import Design
    from lmu_analog.output import summary, tables
    from lmu_analog.output.jobs import stored_ensemble
    from lmu_analog.output.progress import progress

    with progress("mismatch samples", samples) as advance:
        content = stored_ensemble(
            Design.load(design),
            output,
            samples=samples,
            seed=seed,
            engine=engine.value,
            workers=workers,
            resumed=resume,
            progress=advance,
        )
    typer.echo(summary.dumps(content) if as_json else tables.ensemble(content))
    if content["failed"] == content["samples"]:
        raise SimulationError(f"{output}: all samples failed: impossible values, or a fault of ngspice")


@app.command()
def report(
    design: DesignFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="report.html", help="Page to write.")],
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN.zarr", help="Monte Carlo run to show.")
    ] = None,
) -> None:
    """Write the design report, one self-contained HTML page."""
    from lmu_analog.design import Design
    from lmu_analog.output.mainjob import write_design_report
    from lmu_analog.output.progress import progress

    _keep(design, output)
    with progress("report"):
        write_design_report(Design.load(design), output, run_path=run)
    _say(f"wrote {output}")


@app.command()
def run(
    design: DesignFile,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for all results.")],
    samples: Annotated[int, typer.Option("-n", "--samples", help="Number of mismatch samples.")] = 200,
    seed: Seed = 0,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Do the main job: derive, netlist, simulate in both engines, Monte Carlo, report."""
    from lmu_analog.design import Design
    from lmu_analog.output import mainjob, summary, tables
    from lmu_analog.output.progress import progress

    loaded = Design.load(design)
    with progress("run", mainjob.steps(samples)) as advance:
        content = mainjob.run(loaded, output, samples=samples, seed=seed, workers=workers, progress=advance)
    typer.echo(summary.dumps(content) if as_json else tables.main_job(content))


def _keep(design: Path, output: Path | None) -> None:
    """Refuse to write onto the design itself."""
    if output is not None and output.exists() and output.resolve() == design.resolve():
        raise DesignError(f"-o {output} is the design file itself; give another name")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _complain(text: str) -> None:
    typer.echo(f"lmu-analog: {readable(text)}", err=True)


if __name__ == "__main__":
    main()
