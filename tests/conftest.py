"""What all tests share: options for ngspice and golden decks, hypothesis' profile, one BLAS thread."""

import contextlib
import ctypes.util
import gc
import importlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

# The number of threads can change the last bits. The variables reach the BLAS libraries that are loaded from
# here on, also in worker processes; NumPy's was loaded by jaxtyping's plugin before, and is limited below.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["MPLBACKEND"] = "Agg"
# JAX compiles each small network of the tests for seconds and runs it for milliseconds. Loops that MLIR writes and
# kernels of XNNPACK, both there for speed, are half of that time; the options that turn them off are known to these
# versions, and one that a library does not know ends the process.
_quick = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
with contextlib.suppress(importlib.metadata.PackageNotFoundError):
    if importlib.metadata.version("jaxlib").startswith("0.10."):
        _quick += " --xla_cpu_use_fusion_emitters=false --xla_cpu_use_xnnpack=false"
os.environ.setdefault("XLA_FLAGS", _quick)

# The tests start hundreds of processes, and without compiled files each of them compiles the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import hypothesis  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402

with contextlib.suppress(ModuleNotFoundError):  # a bare environment runs the tests too, with more threads
    import threadpoolctl

    threadpoolctl.threadpool_limits(limits=1)

# The import hook of pyproject.toml looks the decorator up here for every module that is imported from now on.
from checking import begin, checked  # noqa: E402

jaxtyping.jaxtyped = checked

# A slow machine is no error, hence no deadline; CI runs the same examples each time.
hypothesis.settings.register_profile(
    "lmu_analog", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=15
)
hypothesis.settings.load_profile("lmu_analog")

# The files that --quick runs, the flow from a design to an ensemble, without ngspice or other processes.
# fmt: off
QUICK = {
    "active_rc", "building", "checking", "circuit", "coefficients", "deck", "design", "design_text",
    "exact", "extract", "files_in", "gm_c", "house", "legendre", "mismatch", "netlist", "passive",
    "realizations", "rules", "statespace", "stimulus", "structure", "tables", "toml", "tolerance",
    "units", "values", "window",
}
# fmt: on


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lmu_analog")
    group.addoption(
        "--ngspice",
        choices=("required", "auto", "off"),
        default="auto",
        help="tests marked ngspice: without it fail at once, without it skip them (default), or skip them",
    )
    group.addoption(
        "--quick",
        action="store_true",
        help="run the files of QUICK alone, no other process",
    )
    group.addoption("--update-golden", action="store_true", help="write the golden decks of netlists/ anew")


def missing_ngspice() -> list[str]:
    """Name the parts of ngspice that are not installed."""
    named = os.environ.get("NGSPICE_LIBRARY_PATH")
    library = Path(named).is_file() if named else ctypes.util.find_library("ngspice") is not None
    found = {"the program ngspice": shutil.which("ngspice") is not None, "its shared library": library}
    return [part for part, is_there in found.items() if not is_there]


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--ngspice") == "required" and (missing := missing_ngspice()):
        raise pytest.UsageError(
            f"--ngspice=required, but {' and '.join(missing)} cannot be found: "
            "run .ci/setup, or use --ngspice=auto"
        )
    if config.getoption("--quick"):
        sys.addaudithook(_skip_at_a_process)


def _skip_at_a_process(event: str, _: tuple[object, ...]) -> None:
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn") and _RUNNING:
        pytest.skip("--quick: starts a process")


_RUNNING: list[str] = []


@contextlib.contextmanager
def _unnamed() -> Iterator[None]:
    """Check shapes from here on, and take pytest's name of the running test out of the environment.

    A process of ngspice is kept for the next deck only while the environment stays as it was: with the name in it
    each test would start one of its own, a second of time each.
    """
    begin()
    name = os.environ.pop("PYTEST_CURRENT_TEST", "")
    _RUNNING.append(name)
    try:
        yield
    finally:
        _RUNNING.pop()
        if name:
            os.environ["PYTEST_CURRENT_TEST"] = name


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Iterator[object]:
    with _unnamed():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Iterator[object]:
    with _unnamed():
        return (yield)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    slow = collection_path.is_file() and collection_path.stem.removeprefix("test_") not in QUICK
    return True if config.getoption("--quick") and slow else None


# Files of the longest tests. They run first: a long one at the end would leave the other processors idle.
LONGEST = {
    "test_adding_a_family",
    "test_cluster",
    "test_delay_network",
    "test_dpi",
    "test_fuzz",
    "test_hardware_loss",
    "test_learning_experiments",
    "test_nonlinear",
    "test_notebooks",
    "test_ota",
    "test_report",
    "test_spiking_experiments",
    "test_wheel",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    if config.getoption("--quick"):
        quick = [item for item in items if not item.get_closest_marker("ngspice")]
        config.hook.pytest_deselected(items=[item for item in items if item not in quick])
        items[:] = quick
    elif config.getoption("--ngspice") == "off":
        reason = "--ngspice=off"
    elif missing := missing_ngspice():
        reason = f"{' and '.join(missing)} cannot be found"
    else:
        return
    for item in items:
        if item.get_closest_marker("ngspice"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Search for no cycles while all is imported: next to nothing of it is left over."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Take what was imported, some million objects that live to the end, out of every later search for cycles.

    To search them once before takes longer than what is found there is worth.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the exact engine compute few samples together: a test of a large circuit that wants 60 pays for 64."""
    monkeypatch.setattr("lmu_analog.ensembles.exact.BLOCK", 64)


@pytest.fixture(scope="module")
def any_coordinates() -> Iterator[None]:
    """Look no further than a few steps for the best coordinates: for what holds of all of them, up to order 64."""
    modules = [
        importlib.import_module(f"lmu_analog.memory.{name}") for name in ("contractive", "block_ladder")
    ]
    with pytest.MonkeyPatch.context() as patched:
        for module in modules:
            module.found.cache_clear()
            for name in ("STEPS", "FIRST_STEPS", "MORE_STEPS", "STARTS"):
                patched.setattr(module, name, 1, raising=False)
        yield
    for module in modules:
        module.found.cache_clear()


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Tell whether the golden decks are to be written anew."""
    return bool(request.config.getoption("--update-golden"))
