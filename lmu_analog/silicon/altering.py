"""Samples of a circuit as commands to ngspice: figures of devices, and parameters of models for the process."""

from collections.abc import Iterator, Mapping

import numpy as np

from lmu_analog.circuits.devices.pdk import Pdk
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.deck import LEAST_CAPACITANCE, deviation, inner, source_card
from lmu_analog.silicon.devices import Mim, Mos, SiliconCircuit
from lmu_analog.silicon.draws import Deviations, Spread
from lmu_analog.spice.cards import number

KIT_CAPACITANCE = "capacitance"  # how a kit's process law calls the value of a capacitor as a whole


def capacitance(mim: Mim, pdk: Pdk) -> float:
    """Give the nominal capacitance, F."""
    return mim.count * pdk.devices[mim.device].capacitance(mim.width, mim.length)


def local_commands(circuit: SiliconCircuit, pdk: Pdk, sample: Deviations) -> Iterator[str]:
    """Give the commands for the first of some samples: thresholds and current factors."""
    for k, x in enumerate(circuit.transistors):
        known = pdk.devices[x.device]
        for name in inner(x, known.element):
            yield f"alter @{name}[{known.alter['threshold']}] = {number(float(sample.threshold[0, k]))}"
            yield f"alter @{name}[{known.alter['mobility']}] = {number(1.0 + float(sample.mobility[0, k]))}"


def capacitor_commands(
    circuit: SiliconCircuit, pdk: Pdk, sample: Deviations, *, found: Spread
) -> Iterator[str]:
    """Give the commands for the capacitors of the first of some samples.

    A capacitor of a kit cannot be altered; another beside it takes up what it deviates by, local and shared.
    """
    shared = shared_capacitance(circuit, pdk, sample, found=found)[0]
    for k, x in enumerate(circuit.capacitors):
        apart = (1.0 + float(sample.capacitance[0, k])) * (1.0 + float(shared[k])) - 1.0
        yield f"alter {deviation(x.name)} = {number(apart * capacitance(x, pdk) or LEAST_CAPACITANCE)}"


def shared_capacitance(circuit: SiliconCircuit, pdk: Pdk, sample: Deviations, *, found: Spread) -> np.ndarray:
    """Give what all capacitors of a device deviate by, relative, (s, c)."""
    return (
        np.stack(
            [
                sum(
                    (
                        amount * sample.process[:, found.process.index(variable)]
                        for row in pdk.process
                        if row.device == x.device and KIT_CAPACITANCE in row.parameters
                        for variable, amount in row.per_sigma.items()
                    ),
                    start=np.zeros(len(sample)),
                )
                for x in circuit.capacitors
            ],
            axis=-1,
        )
        if circuit.capacitors
        else np.zeros((len(sample), 0))
    )


def models_used(circuit: SiliconCircuit, pdk: Pdk) -> dict[str, tuple[str, int]]:
    """Give the models that the transistors take, as ``altermod`` names them, each with its device and bin."""
    found: dict[str, tuple[str, int]] = {}
    for x in circuit.transistors:
        known = pdk.devices[x.device]
        found[known.model(x.width, x.length)] = (x.device, known.bin(x.width, x.length))
    return found


def process_shifts(
    circuit: SiliconCircuit, pdk: Pdk, process: np.ndarray, *, found: Spread
) -> dict[tuple[str, str], tuple[float, bool]]:
    """Give by how much every (model, parameter) is shifted, and whether that is a fraction of its value.

    Parameters
    ----------
    process : (p,) array
        Shared variables in standard deviations, in the order of ``found.process``.
    """
    z = dict(zip(found.process, process.tolist(), strict=True))
    shifts: dict[tuple[str, str], tuple[float, bool]] = {}
    for model, (device, place) in models_used(circuit, pdk).items():
        for row in pdk.process:
            if row.device != device or (row.bins is not None and place not in row.bins):
                continue
            amount = sum(z[variable] * by for variable, by in row.per_sigma.items())
            for parameter in row.parameters:
                before, relative = shifts.get((model, parameter), (0.0, row.relative))
                if relative != row.relative:
                    raise CircuitError(f"{model}: {parameter} has both relative and absolute shifts")
                shifts[model, parameter] = (before + amount, relative)
    return shifts


def process_commands(
    shifts: Mapping[tuple[str, str], tuple[float, bool]], nominal: Mapping[tuple[str, str], float]
) -> Iterator[str]:
    """Give the commands that shift the models' parameters from their nominal values."""
    for (model, parameter), (amount, relative) in shifts.items():
        value = nominal[model, parameter]
        yield f"altermod {model} {parameter} = {number(value * (1.0 + amount) if relative else value + amount)}"


def bias_commands(circuit: SiliconCircuit, factor: float) -> Iterator[str]:
    """Give the commands for one trim of a chip: the common bias times ``factor``."""
    for name in circuit.trim:
        yield f"alter {source_card(name, circuit)} = {number(circuit.source(name).value * factor)}"


def paths(mos: Mos, pdk: Pdk) -> list[str]:
    """Give the transistors of a device as ngspice names their figures."""
    return inner(mos, pdk.devices[mos.device].element)
