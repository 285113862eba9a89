"""The command ``experiment``: one sub-command an experiment, made of its options when it is asked for."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from lmu_analog.cli.command import command
from lmu_analog.cli.options import Json, show
from lmu_analog.experiments import frame
from lmu_analog.option import option
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Outcome(Json):
    stored: bool = option(False, "Print the stored result; nothing is run.")
    plot: Path | None = option(None, "Draw the result, stored or new.", "FILE.svg")


class _Experiments(TyperGroup):
    """The names of the table; an experiment's module is loaded only when that one is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(frame.EXPERIMENTS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Give what the list of names shows, without loading the experiment."""
        return TyperCommand(cmd_name, help=frame.EXPERIMENTS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ARG002
        """Load the experiment that is asked for."""
        name, single = args[0], typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        run = command(partial(_run, name), frame.module_of(name).Options, _Outcome)
        single.command(name, help=frame.EXPERIMENTS[name][1])(run)
        return name, typer.main.get_command(single), args[1:]


experiment = typer.Typer(
    cls=_Experiments,
    no_args_is_help=True,
    help="Run a published result again, or print its stored figures.",
)


def _run(name: str, options: Any, outcome: _Outcome) -> None:
    from lmu_analog.experiments import figures

    if outcome.plot is not None:
        figures.check(name, outcome.plot)
    content = frame.stored(name, options) if outcome.stored else frame.execute(name, options, progress)
    show(outcome, frame.flat(name, content), lambda _: frame.text(name, content))
    if outcome.plot is not None:  # after the figures are out: a full disk must not take what ran for hours
        figures.draw(name, content["result"], outcome.plot)
