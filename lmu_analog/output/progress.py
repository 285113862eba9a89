"""A progress bar on stderr, while a terminal looks."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

LINE_EVERY = 10.0  # s, between lines of one stage where no terminal looks


def shares(advance: Callable[[float], None], total: float) -> Callable[[float], None]:
    """Turn fractions of a step that counts ``total`` on a bar, as they rise, into what moves the bar."""
    reached = 0.0

    def move(share: float) -> None:
        nonlocal reached
        if share > reached:
            advance(total * (share - reached))
            reached = share

    return move


def percents(count: Callable[[str, int, int], None], stage: str) -> Callable[[float], None]:
    """Turn fractions of a stage into what ``stages`` is told."""
    return lambda share: count(stage, round(100.0 * share), 100)


def counted(count: Callable[[str, int, int], None], stage: str, total: int) -> Callable[[int], None]:
    """Turn numbers of what was done since the last call into what ``stages`` is told."""
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        count(stage, done, total)

    return advance


@contextmanager
def progress(label: str, total: int | None = None) -> Generator[Callable[[float], None], None, None]:
    """Show a bar of ``total`` steps, or of unknown length; hand out the function that moves it."""
    with _bar(TaskProgressColumn()) as bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.advance(task, amount)


@contextmanager
def stages(label: str, say: Callable[[str], None]) -> Generator[Callable[[str, int, int], None], None, None]:
    """Show one bar of work that has stages; hand out what is told a stage, how many are done, and of how many.

    Where no terminal looks, ``say`` is told a line when a stage begins, and then one every ``LINE_EVERY`` seconds.
    """
    with _bar(MofNCompleteColumn()) as bar:
        task = bar.add_task(label, total=None)
        stage, told = "", -math.inf

        def count(now: str, done: int, total: int) -> None:
            nonlocal stage, told
            if now != stage:
                bar.reset(task, description=now)
            bar.update(task, completed=done, total=total)
            seconds = time.monotonic()
            if bar.disable and (now != stage or seconds >= told + LINE_EVERY):
                say(f"{now}: {done} of {total}")
                told = seconds
            stage = now

        yield count


def _bar(counted: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        counted,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
