"""The command ``experiment``: one sub-command an experiment, made of its options when it is asked for."""

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from lmu_analog.cli.options import AsJson
from lmu_analog.errors import DesignError, shown
from lmu_analog.experiments import frame

Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the result, stored or new.")
]
Stored = Annotated[bool, typer.Option("--stored", help="Print the stored result; nothing is run.")]


class Experiments(TyperGroup):
    """The names of the table; an experiment's module is loaded only when that one is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Give the names in the order of the table."""
        return list(frame.EXPERIMENTS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Give what the list of names shows, without loading the experiment."""
        return TyperCommand(cmd_name, help=frame.EXPERIMENTS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ARG002
        """Load the experiment that is asked for."""
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(args[0])(_command_of(args[0]))
        return args[0], typer.main.get_command(single), args[1:]


experiment = typer.Typer(
    cls=Experiments,
    no_args_is_help=True,
    help="Run a published result again, or print its stored figures.",
)


def _command_of(name: str) -> Callable[..., None]:
    """Make the command of an experiment, with an option for every field of its ``Options``."""
    kind = frame.module_of(name).Options
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}

    def run(*, stored: bool, plot: Path | None, as_json: bool, **given: Any) -> None:
        options = kind(**{key: _value(known[key], hints[key], text) for key, text in given.items()})
        _show(name, options, stored=stored, plot=plot, as_json=as_json)

    run.__doc__ = frame.EXPERIMENTS[name][1]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            f.name,
            keyword,
            default=_default(f, hints[f.name]),
            annotation=Annotated[_shown(hints[f.name]), typer.Option(help=f.metadata.get("help"))],
        )
        for f in known.values()
    ]
    parameters += [
        inspect.Parameter("stored", keyword, default=False, annotation=Stored),
        inspect.Parameter("plot", keyword, default=None, annotation=Plot),
        inspect.Parameter("as_json", keyword, default=False, annotation=AsJson),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _show(name: str, options: Any, *, stored: bool, plot: Path | None, as_json: bool) -> None:
    from lmu_analog.experiments import figures
    from lmu_analog.output import summary
    from lmu_analog.output.progress import progress

    if plot is not None:
        figures.check(name, plot)
    content = frame.stored(name, options) if stored else frame.execute(name, options, progress)
    typer.echo(summary.dumps(frame.flat(name, content)) if as_json else frame.text(name, content))
    if plot is not None:  # after the figures are out: a full disk must not take what ran for hours
        figures.draw(name, content["result"], plot)


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple


def _shown(hint: Any) -> Any:
    """Take lists as text with commas, everything else as typer does."""
    return str if _is_list(hint) else hint


def _default(f: Field[Any], hint: Any) -> Any:
    return ",".join(map(str, cast("tuple[Any, ...]", f.default))) if _is_list(hint) else f.default


def _value(f: Field[Any], hint: Any, given: Any) -> Any:
    if not _is_list(hint):
        return given
    item = get_args(hint)[0]
    try:
        return tuple(item(word.strip()) for word in given.split(","))
    except ValueError as error:
        kind = {int: "whole numbers", float: "numbers"}.get(item, "words")
        raise DesignError(
            f"--{f.name.replace('_', '-')} {shown(given, 60)}: {kind} with commas between them are wanted"
        ) from error
