"""Analog-hardware co-design for the Legendre Memory Unit: derive, build, simulate, and see what mismatch costs.

Names are loaded when first used, so that importing the package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lmu_analog.version import __version__

if TYPE_CHECKING:
    from lmu_analog.building import build
    from lmu_analog.circuits.circuit import Circuit
    from lmu_analog.circuits.devices.models import OpAmpModel
    from lmu_analog.circuits.nodal.extract import extract
    from lmu_analog.design import Design
    from lmu_analog.ensembles.montecarlo import monte_carlo
    from lmu_analog.ensembles.sweep import sweep
    from lmu_analog.errors import (
        CircuitError,
        DesignError,
        LmuAnalogError,
        SimulationError,
        SimulatorMissing,
        StoreError,
    )
    from lmu_analog.memory.legendre import legendre
    from lmu_analog.memory.realizations import Realization, realize
    from lmu_analog.memory.statespace import StateSpace
    from lmu_analog.memory.symbolic import derive
    from lmu_analog.mismatch.law import Mismatch, draw, sample
    from lmu_analog.simulation import simulate
    from lmu_analog.spice.netlist import netlist

_HOMES = {
    "Circuit": "circuits.circuit",
    "CircuitError": "errors",
    "Design": "design",
    "DesignError": "errors",
    "LmuAnalogError": "errors",
    "Mismatch": "mismatch.law",
    "OpAmpModel": "circuits.devices.models",
    "Realization": "memory.realizations",
    "SimulationError": "errors",
    "SimulatorMissing": "errors",
    "StateSpace": "memory.statespace",
    "StoreError": "errors",
    "build": "building",
    "derive": "memory.symbolic",
    "draw": "mismatch.law",
    "extract": "circuits.nodal.extract",
    "legendre": "memory.legendre",
    "monte_carlo": "ensembles.montecarlo",
    "netlist": "spice.netlist",
    "realize": "memory.realizations",
    "sample": "mismatch.law",
    "simulate": "simulation",
    "sweep": "ensembles.sweep",
}

__all__ = [
    "Circuit",
    "CircuitError",
    "Design",
    "DesignError",
    "LmuAnalogError",
    "Mismatch",
    "OpAmpModel",
    "Realization",
    "SimulationError",
    "SimulatorMissing",
    "StateSpace",
    "StoreError",
    "__version__",
    "build",
    "derive",
    "draw",
    "extract",
    "legendre",
    "monte_carlo",
    "netlist",
    "realize",
    "sample",
    "simulate",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lmu_analog' has no attribute {name!r}")
    return getattr(import_module(f"lmu_analog.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
