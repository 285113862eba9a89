"""The program: its table of commands, its exit status, and how it complains."""

import errno
import gc
import re
import sys
from typing import Annotated, cast

import typer

from lmu_analog.cli import (
    analysis,
    codesign,
    comparing,
    exploring,
    networks,
    pdk,
    pdk_check,
    pdk_tables,
    placing,
    running,
    writing,
)
from lmu_analog.cli.command import command
from lmu_analog.cli.experimenting import experiment
from lmu_analog.errors import LmuAnalogError, SimulationError, readable
from lmu_analog.version import __version__

COMMANDS = {
    "new": writing.new,
    "derive": writing.derive,
    "families": writing.families,
    "parts": writing.parts,
    "netlist": writing.netlist,
    "check": writing.check,
    "simulate": running.simulate,
    "montecarlo": running.montecarlo,
    "sensitivity": analysis.sensitivity,
    "noise": analysis.noise,
    "budget": analysis.budget,
    "draw": writing.draw,
    "calibrate": analysis.calibrate,
    "corners": analysis.corners,
    "resources": analysis.resources,
    "optimize": codesign.optimize,
    "allocate": codesign.allocate,
    "centre": codesign.centre,
    "place": placing.place,
    "compare": comparing.compare,
    "explore": exploring.explore,
    "export": writing.export,
    "analyze": analysis.analyze,
    "report": writing.report,
    "run": running.run,
    "cell": networks.cell,
    "spiking": networks.spiking,
    "yield": running.high_sigma_yield,  # a word that no function may have
    "doctor": writing.doctor,
}

app = typer.Typer(
    name="lmu-analog",
    help="Analog circuits for the Legendre Memory Unit: derive, build, simulate, see what mismatch costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# What is wrong with a name, not with the machine.
_OF_A_NAME = {
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
}
_NEW_OBJECTS = 50_000  # between two looks for garbage: some megabytes
_INTERRUPTED = 130  # what typer makes of Ctrl-C

for name, function in COMMANDS.items():
    app.command(name)(command(function))
app.add_typer(experiment, name="experiment")
kits = typer.Typer(cls=pdk.Kits, help="Process design kits: the devices of open processes.")
kits.command("show")(command(pdk.show_kits))
kits.command("fetch")(command(pdk.fetch))
kits.command("tables")(command(pdk_tables.tables))
kits.command("check")(command(pdk_check.check))
app.add_typer(kits, name="pdk")


def main() -> None:
    """Run the command line; exit status 0 done, 1 the work failed, 2 the input is wrong."""
    # A command loads some thousand classes, which stay. Python would walk them again at every 700 new objects: a
    # tenth of the time to a first result.
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
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
        if error.filename is not None and error.errno in _OF_A_NAME:
            _complain(f"{error.filename}: {error.strerror}; give another file or folder")
            return 2
        # stdout on a full disk: files are guarded where they are written
        _complain(f"cannot write: {error.strerror or error}")
        return 1
    if status == _INTERRUPTED:
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
