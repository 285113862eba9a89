"""Run notebooks, each in a fork of one process that has imported what notebooks import.

A kernel of Jupyter's for each takes seconds of imports, and hands messages over sockets. Here a process is started once
and forks for each notebook, so that none sees what another did. The cells run in IPython's shell, as in a kernel: what
a cell shows gets every representation. It is not the process of the tests: that one's package checks every call, and
its warnings are errors.
"""

import ast
import atexit
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
LATE = (
    "dask.array",
    "scipy.interpolate",
    "scipy.stats",
    "sklearn.datasets",
)  # that are loaded when they are first used
TIMEOUT = 300  # s for a cell: a hung notebook, not a slow machine

Run = Callable[[list[str], Path], dict[str, str]]


@contextlib.contextmanager
def server() -> Iterator[Run]:
    """Give a function that runs cells in a folder and gives "error", "stdout" and "stderr" as texts.

    The error is the traceback of the first cell that failed, after which none has run.
    """
    with tempfile.TemporaryDirectory() as settings:
        paths = os.pathsep.join(filter(None, sys.path))
        named = {"PYTHONPATH": paths, "IPYTHONDIR": settings, "MPLBACKEND": "Agg"}
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen([sys.executable, __file__], env={**os.environ, **named}, **pipes) as process:

            def run(cells: list[str], folder: Path) -> dict[str, str]:
                print(json.dumps([cells, str(folder)]), file=process.stdin, flush=True)
                return json.loads(process.stdout.readline())

            yield run
            process.stdin.close()


def serve() -> None:
    """Answer each line of the standard input, cells and a folder, by a line of JSON."""
    from IPython.core.interactiveshell import InteractiveShell

    import lmu_analog

    # Nothing is computed here, so a fork has what a fresh process has that imported the same.
    for name in lmu_analog.__all__:
        getattr(lmu_analog, name)
    for name in LATE:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    for statement in imports():
        exec(statement, {})
    for line in sys.stdin:
        print(json.dumps(forked(InteractiveShell, *json.loads(line))), flush=True)


def imports() -> Iterator[str]:
    """List the import statements of all notebooks."""
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                tree = ast.parse("".join(cell["source"]))
                yield from (
                    ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
                )


def forked(shell: Any, cells: list[str], folder: str) -> dict[str, str]:
    with contextlib.ExitStack() as stack:
        files = {
            key: stack.enter_context(tempfile.TemporaryFile("w+")) for key in ("error", "stdout", "stderr")
        }
        child = os.fork()
        if not child:
            status = 1
            try:
                nothing = os.open(os.devnull, os.O_RDONLY)
                for ours, theirs in (
                    (nothing, 0),
                    (files["stdout"].fileno(), 1),
                    (files["stderr"].fileno(), 2),
                ):
                    os.dup2(ours, theirs)
                files["error"].write(executed(shell, cells, folder))
                for file in (files["error"], sys.stdout, sys.stderr):
                    file.flush()
                atexit._run_exitfuncs()  # a process of ngspice is told to end
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        for file in files.values():
            file.seek(0)
        texts = {key: file.read() for key, file in files.items()}
    if ended:
        texts["error"] = f"the process of the notebook ended with {ended}"
    return texts


def executed(shell: Any, cells: list[str], folder: str) -> str:
    """Run the cells up to the first that fails; give its traceback, or an empty text."""
    os.chdir(folder)
    session = shell.instance()
    session.history_manager.enabled = False
    session._showtraceback = lambda *_: None
    for cell in cells:
        signal.alarm(TIMEOUT)  # which ends the process
        result = session.run_cell(cell)
        signal.alarm(0)
        if (error := result.error_before_exec or result.error_in_exec) is not None:
            return "".join(traceback.format_exception(error))
    return ""


if __name__ == "__main__":
    serve()
