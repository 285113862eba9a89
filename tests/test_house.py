"""The countable rules of the house, read from the package's source; docs/ keeps the same table of floors.

Every guard is a function from a file's path inside the package and its source to the offences in it, and each
has a made-up source below that it must refuse, and one that it must let pass.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

import lmu_analog

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lmu_analog"
FLOORS = {
    "errors": 1,
    "version": 1,
    "option": 1,
    "memory": 2,
    "units": 2,
    "arrays_in": 2,
    "files_in": 2,
    "files_out": 2,
    "tables": 2,
    "circuits": 3,
    "stimulus": 3,
    "recording": 3,
    "engine": 4,
    "reduction": 4,
    "spice": 4,
    "design": 4,
    "design_keys": 4,
    "building": 5,
    "advice": 5,
    "limits": 4,
    "silicon": 7,
    "simulation": 8,
    "mismatch": 6,
    "storage": 6,
    "theory": 9,
    "ensembles": 10,
    "analysis": 11,
    "networks": 11,
    "codesign": 12,
    "output": 13,
    "experiments": 14,
    "cli": 15,
}
ROOT_FILES = {
    "stimulus",
    "recording",
    "arrays_in",
    "files_in",
    "tables",
    "design",
    "design_keys",
    "building",
    "advice",
}  # share the root folder: same floor is home
ENTRANCES = {"__init__", "__main__"}  # of the root: they may import from any floor
SLOW_OR_OPTIONAL = {
    "sympy",
    "matplotlib",
    "schemdraw",
    "PySpice",
    "dask",
    "distributed",
    "control",
    "anywidget",
    "traitlets",
    "pywt",
    "jax",
    "optax",
    "sklearn",
    "xarray",
    "scipy.signal",
    "scipy.stats",
}
POSITIONAL = 3

Function = ast.FunctionDef | ast.AsyncFunctionDef
Guard = Callable[[str, str], Iterator[str]]


parsed = cache(ast.parse)  # every guard reads all files


@cache
def nodes(tree: ast.AST) -> list[ast.AST]:
    """List what a tree holds, itself too: to walk it again takes longer than all that a guard does."""
    return list(ast.walk(tree))


@cache
def files() -> dict[str, str]:
    """Give the source of every file by its path inside the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def room_of(path: str) -> str:
    """Name the folder or the file directly under the package that holds ``path``."""
    return PurePosixPath(path).parts[0].removesuffix(".py")


def imports(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Give line and absolute dotted name of all that is imported, ``a.b.c`` for ``from a.b import c``."""
    folders = ["lmu_analog", *PurePosixPath(path).parts[:-1]]
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folders[: len(folders) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in nodes(tree) if isinstance(node, Function))


def public(tree: ast.Module) -> Iterator[tuple[Function | ast.ClassDef, ast.ClassDef | None]]:
    """Give a module's public functions and classes, and those classes' public methods with their class."""
    for node in tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield node, None
        if isinstance(node, ast.ClassDef):
            methods = (child for child in node.body if isinstance(child, Function))
            yield from ((method, node) for method in methods if not method.name.startswith("_"))


def guard_floors(path: str, source: str) -> Iterator[str]:
    room = room_of(path)
    if room in ENTRANCES:
        return
    if room not in FLOORS:
        yield f"{path}: {room!r} is no room of the house; move the file, or add it to FLOORS and docs/"
        return
    for line, name in imports(path, parsed(source)):
        parts = name.split(".")
        if parts[0] != "lmu_analog" or len(parts) == 1 or parts[1] == room:
            continue
        beside = FLOORS.get(parts[1]) == FLOORS[room] and {room, parts[1]} <= ROOT_FILES
        if FLOORS.get(parts[1], FLOORS[room]) >= FLOORS[room] and not beside:
            yield f"{path}:{line}: imports {name}, which is not on a floor below {room!r}"


def guard_root(path: str, source: str) -> Iterator[str]:
    for line, name in imports(path, parsed(source)):
        parts = name.split(".")
        through_root = parts[0] == "lmu_analog" and len(parts) <= 2 and not FLOORS.keys() & parts
        if through_root and room_of(path) not in ENTRANCES:
            yield f"{path}:{line}: imports {name} through the package's root; import it from its own file"
    for node in nodes(parsed(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name.startswith("lmu_analog.") for name in names):
            yield f"{path}:{node.lineno}: import lmu_analog.x binds the root; use from lmu_analog.x import y"


def lengths(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Give the lines of a file and of the bodies of its functions, each with where it stands."""
    yield len(source.splitlines()), path
    for function in functions(parsed(source)):
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        if body:
            yield (
                (body[-1].end_lineno or 0) - body[0].lineno + 1,
                f"{path}:{function.lineno}: {function.name}",
            )


def guard_spice(path: str, source: str) -> Iterator[str]:
    if room_of(path) == "spice":
        return
    tree = parsed(source)
    for line, name in imports(path, tree):
        if name.split(".")[0] == "PySpice":
            yield f"{path}:{line}: imports {name}; PySpice stays in spice/"
    if "ngspice" not in source:
        return
    lines = {node.lineno for node in nodes(tree) if isinstance(node, ast.expr) and names_the_program(node)}
    yield from (f"{path}:{line}: starts or looks for ngspice; that stays in spice/" for line in sorted(lines))


def names_the_program(node: ast.expr) -> bool:
    """Tell a command such as ``["ngspice", "-b"]``, or ngspice in a call that starts or finds programs."""
    if not isinstance(node, ast.List | ast.Tuple | ast.Call):
        return False
    text = ast.unparse(node)
    if not isinstance(node, ast.Call):
        return bool(re.match(r"[\[(]'(\S*/)?ngspice', '-", text))
    starter = r"(subprocess|os|asyncio)\.\w+\(|(shutil\.)?which\(|Popen\(|check_\w+\("
    program = r".*'([^\s']*/)?ngspice[\s']"
    return bool(re.match(f"({starter}){program}", text, re.DOTALL))


def guard_failures(path: str, source: str) -> Iterator[str]:
    for node in nodes(parsed(source)):
        if isinstance(node, ast.Assert):
            yield f"{path}:{node.lineno}: assert; raise an error that says what to do"
        elif isinstance(node, ast.ExceptHandler):
            caught = {"bare except"} if node.type is None else set(re.findall(r"\w+", ast.unparse(node.type)))
            if broad := caught & {"bare except", "Exception", "BaseException"}:
                yield f"{path}:{node.lineno}: catches all ({broad.pop()}); name what can be raised"


def guard_positional(path: str, source: str) -> Iterator[str]:
    for node, owner in public(parsed(source)):
        if isinstance(node, ast.ClassDef):
            continue
        static = any(ast.unparse(mark) == "staticmethod" for mark in node.decorator_list)
        count = len(node.args.posonlyargs) + len(node.args.args) - (owner is not None and not static)
        if count > POSITIONAL:
            yield f"{path}:{node.lineno}: {node.name} takes {count} positional arguments, not {POSITIONAL}"


def guard_late_imports(path: str, source: str) -> Iterator[str]:
    late = {found for function in functions(parsed(source)) for found in imports(path, function)}
    for line, name in sorted(late):
        slow = any(f"{name}.".startswith(f"{slow}.") for slow in SLOW_OR_OPTIONAL | {"lmu_analog"})
        if not slow:
            yield f"{path}:{line}: imports {name} inside a function; only what is slow or optional goes there"


def guard_docstrings(path: str, source: str) -> Iterator[str]:
    for node, owner in public(parsed(source)):
        if owner is None and not ast.get_docstring(node):
            yield f"{path}:{node.lineno}: {node.name} has no docstring"


GUARDS = [
    guard_floors,
    guard_root,
    guard_spice,
    guard_failures,
    guard_positional,
    guard_late_imports,
    guard_docstrings,
]


@pytest.mark.parametrize("guard", GUARDS)
def test_the_package_keeps_the_rule(guard: Guard):
    offences = [offence for path, source in files().items() for offence in guard(path, source)]
    if offences:
        pytest.fail("\n".join(["in lmu_analog/:", *offences]), pytrace=False)


def test_the_longest_files_and_functions_are_printed():
    """Lengths are printed, not enforced: a file is as long as its one idea needs (seen with -s)."""
    found = [length for path, source in files().items() for length in lengths(path, source)]
    for lines, where in sorted(found, reverse=True)[:20]:
        print(f"{lines:5d}  {where}")
    assert list(lengths("x.py", 'def f():\n    """D."""\n    a = 1\n    b = 2\n')) == [
        (4, "x.py"),
        (2, "x.py:1: f"),
    ]


REFUSED = [
    (guard_floors, "attic/box.py", "", "'attic' is no room of the house"),
    (guard_floors, "units.py", "from lmu_analog.memory import window", "imports lmu_analog.memory.window"),
    (guard_floors, "memory/x.py", "from ..spice.ngspice import run", "imports lmu_analog.spice.ngspice.run"),
    (guard_floors, "circuits/x.py", "def f():\n    from .. import cli", ":2: imports lmu_analog.cli"),
    (guard_root, "design.py", "import lmu_analog", "imports lmu_analog through the package's root"),
    (guard_root, "design.py", "from lmu_analog import extract", "imports lmu_analog.extract through"),
    (guard_root, "memory/x.py", "from .. import extract", "imports lmu_analog.extract through"),
    (guard_root, "design.py", "import lmu_analog.units", "binds the root"),
    (guard_spice, "output/x.py", "def f():\n    import PySpice.Unit", ":2: imports PySpice.Unit"),
    (guard_spice, "output/x.py", "import subprocess as s\na = ['ngspice', '-b']\ns.run(a)", ":2: starts or"),
    (guard_spice, "cli.py", "import shutil\nshutil.which('/usr/bin/ngspice')", ":2: starts or looks for"),
    (guard_spice, "cli.py", "import os\nos.system('ngspice -b a.cir')", ":2: starts or looks for"),
    (guard_failures, "units.py", "assert True", ":1: assert"),
    (guard_failures, "units.py", "try:\n    f()\nexcept:\n    g()", ":3: catches all (bare except)"),
    (guard_failures, "units.py", "try:\n    f()\nexcept (OSError, Exception):\n    g()", "all (Exception)"),
    (guard_positional, "units.py", "def f(a, b, /, c, d): ...", "f takes 4 positional arguments, not 3"),
    (guard_positional, "units.py", "class A:\n    def f(self, a, b, c, d): ...", ":2: f takes 4 positional"),
    (guard_late_imports, "units.py", "def f():\n    import numpy as np", ":2: imports numpy inside"),
    (guard_docstrings, "units.py", "def f(): ...", ":1: f has no docstring"),
    (guard_docstrings, "units.py", "class A: ...", ":1: A has no docstring"),
]
ALLOWED = [
    (guard_floors, "__init__.py", "from .cli import main"),
    (guard_floors, "memory/x.py", "import numpy\nfrom ..errors import DesignError\nfrom .window import y"),
    (guard_root, "memory/x.py", "from .window import y\nfrom lmu_analog.errors import DesignError"),
    (guard_root, "cli.py", "def f():\n    from lmu_analog import units"),
    (guard_spice, "spice/ngspice.py", "import subprocess, PySpice\nsubprocess.run(['ngspice'])"),
    (guard_spice, "simulate.py", "ENGINES = ['ngspice', 'exact']\nrun(design, engine='ngspice')"),
    (guard_failures, "units.py", "try:\n    f()\nexcept (KeyError, ValueError):\n    g()"),
    (guard_positional, "units.py", "class A:\n    def f(self, a, b, c, *, d): ...\ndef _g(a, b, c, d): ..."),
    (guard_late_imports, "units.py", "def f():\n    import sympy\n    from .memory.symbolic import s"),
    (guard_docstrings, "units.py", "def _f(): ..."),
]


@pytest.mark.parametrize(("guard", "path", "source", "words"), REFUSED)
def test_a_guard_refuses_what_breaks_its_rule(guard: Guard, path: str, source: str, words: str):
    (offence,) = guard(path, source)
    assert offence.startswith(path)
    assert words in offence


@pytest.mark.parametrize(("guard", "path", "source"), ALLOWED)
def test_a_guard_lets_good_code_pass(guard: Guard, path: str, source: str):
    assert list(guard(path, source)) == []


def test_every_guard_is_tested_both_ways():
    assert {guard for guard, *_ in REFUSED} == {guard for guard, *_ in ALLOWED} == set(GUARDS)


def loaded_by(code: str, slow: set[str]) -> set[str]:
    """Run ``code`` in a fresh interpreter and tell which of the modules ``slow`` it has loaded."""
    tell = f"import atexit, json, sys\natexit.register(lambda: print(json.dumps(list(sys.modules))))\n{code}"
    done = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return slow & set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_slow():
    slow = {"sympy", "matplotlib", "PySpice", "xarray"}
    assert loaded_by("import lmu_analog", slow) == set()


def test_the_help_of_the_command_loads_nothing_slow():
    slow = {"numpy", "sympy", "matplotlib", "scipy", "xarray", "PySpice"}
    code = "sys.argv = ['lmu-analog', '--help']\nfrom lmu_analog.cli import main\nmain()"
    assert loaded_by(code, slow) == set()


def test_a_process_that_runs_samples_loads_nothing_of_files_and_graphs():
    code = "import lmu_analog.ensembles.exact, lmu_analog.ensembles.nonlinear, lmu_analog.ensembles.simulated"
    assert (
        loaded_by(code, {"xarray", "pandas", "zarr", "networkx", "sympy", "matplotlib", "PySpice"}) == set()
    )


def test_what_a_command_loads_is_seen():
    assert loaded_by("import numpy", {"numpy", "scipy"}) == {"numpy"}


def test_ruff_finds_nothing():
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format=concise"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def test_every_public_name_of_the_root_loads_from_where_it_lives():
    assert all(getattr(lmu_analog, name) is not None for name in lmu_analog.__all__)
