"""A progress bar on stderr, while a terminal looks."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


def shares(advance: Callable[[float], None], total: float) -> Callable[[float], None]:
    """Turn fractions of a step that counts ``total`` on a bar, as they rise, into what moves the bar."""
    reached = 0.0

    def move(share: float) -> None:
        nonlocal reached
        if share > reached:
            advance(total * (share - reached))
            reached = share

    return move


@contextmanager
def progress(label: str, total: int | None = None) -> Generator[Callable[[float], None], None, None]:
    """Show a bar of ``total`` steps, or of unknown length; hand out the function that moves it."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.advance(task, amount)
