"""The program: its table of commands, its exit status, and how it complains."""

import errno
import re
import sys
from typing import Annotated, cast

import typer

from lmu_analog.cli.analysis import calibrate, corners, resources
from lmu_analog.cli.budgeting import budget, noise
from lmu_analog.cli.drawing import draw
from lmu_analog.cli.experimenting import experiment
from lmu_analog.cli.exporting import export
from lmu_analog.cli.making import derive, families, netlist, new
from lmu_analog.cli.measured import analyze
from lmu_analog.cli.networks import cell
from lmu_analog.cli.running import montecarlo, report, run, simulate
from lmu_analog.cli.spiking import spiking
from lmu_analog.cli.theory import high_sigma_yield, sensitivity
from lmu_analog.errors import LmuAnalogError, SimulationError, readable
from lmu_analog.version import __version__

COMMANDS = (
    new,
    derive,
    families,
    netlist,
    simulate,
    montecarlo,
    sensitivity,
    noise,
    budget,
    draw,
    calibrate,
    corners,
    resources,
    export,
    analyze,
    report,
    run,
    cell,
    spiking,
)

app = typer.Typer(
    name="lmu-analog",
    help="Analog circuits for the Legendre Memory Unit: derive, build, simulate, see what mismatch costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# What is wrong with a name, not with the machine.
OF_A_NAME = {
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
}
INTERRUPTED = 130  # what typer makes of Ctrl-C

for command in COMMANDS:
    app.command()(command)
app.command("yield")(high_sigma_yield)  # a word that no function may have
app.add_typer(experiment, name="experiment")


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
    except OSError as error:
        if error.filename is not None and error.errno in OF_A_NAME:
            _complain(f"{error.filename}: {error.strerror}; give another file or folder")
            return 2
        # stdout on a full disk: files are guarded where they are written
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


def _complain(text: str) -> None:
    typer.echo(f"lmu-analog: {readable(as_options(text))}", err=True)


def as_options(text: str) -> str:
    """Name arguments of Python functions, ``resumed=True`` and ``plot=``, as the options of the command line."""
    text = text.replace("resumed=True", "--resume")
    text = re.sub(r"^([a-z][a-z_]*)=(?=[^=\s:])", lambda found: f"{_option(found[1])} ", text)
    return re.sub(
        r"(?<![\w.])([a-z][a-z_]*)=(?! in Python)(?=[\s,;:.)]|$)", lambda found: _option(found[1]), text
    )


def _option(argument: str) -> str:
    return f"--{argument.replace('_', '-')}"
