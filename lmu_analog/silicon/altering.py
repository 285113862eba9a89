"""Samples of a circuit as commands to ngspice: figures of devices, and parameters of models for the process."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.devices.pdk import Pdk, PdkDevice
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.deck import LEAST_CAPACITANCE, deviation, inner, resistor, source_card
from lmu_analog.silicon.devices import Mim, Mos, Resistor, SiliconCircuit
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


def in_corner(circuit: SiliconCircuit, pdk: Pdk, corner: str) -> SiliconCircuit:
    """Give the circuit with the resistors of its process in a corner, such as ``ss`` or ``res_ss``."""
    section = next((s for s in pdk.corners["resistor"] if corner in (s, s.rpartition("_")[2])), None)
    if section is None:
        known = ", ".join(s.rpartition("_")[2] for s in pdk.corners["resistor"])
        raise CircuitError(f"{pdk.name}: no resistor corner {corner!r}; corners are {known}")

    def placed(x: Resistor) -> Resistor:
        known = pdk.devices[x.device]
        if section not in known.sheets:
            raise CircuitError(f"{pdk.name}: nobody says what {x.device} is in {section}")
        there = replace(known, sheet=known.sheets[section])
        return replace(x, value=x.value * _ratio(there, known, x))

    if section == pdk.corners["resistor"][0] or not any(x.device for x in circuit.resistors):
        return circuit
    return replace(
        circuit,
        devices=tuple(placed(x) if isinstance(x, Resistor) and x.device else x for x in circuit.devices),
    )


def _ratio(device: PdkDevice, nominal: PdkDevice, x: Resistor) -> float:
    return device.resistance(x.width, x.length) / nominal.resistance(x.width, x.length)


def deviated_resistance(
    circuit: SiliconCircuit, pdk: Pdk, sample: Deviations, *, found: Spread
) -> Float[np.ndarray, "s r"]:
    """Give what every resistor has in some samples over what it has nominally: local and shared, both as drawn."""
    ratio = np.ones((len(sample), len(circuit.resistors)))
    for k, x in enumerate(circuit.resistors):
        rows = [row for row in pdk.process if row.device == x.device]
        if not rows:
            continue
        known = pdk.devices[x.device]
        for s, z in enumerate(sample.process):
            moved: dict[str, float] = {}
            for row in rows:
                by = sum(z[found.process.index(v)] * amount for v, amount in row.per_sigma.items())
                for parameter in row.parameters:
                    value = float(getattr(known, parameter))
                    moved[parameter] = value * (1.0 + by) if row.relative else value + by
            ratio[s, k] = _ratio(replace(known, **moved), known, x)
    return ratio * (1.0 + sample.resistance)


def resistor_commands(
    circuit: SiliconCircuit, pdk: Pdk, sample: Deviations, *, found: Spread, factor: float = 1.0
) -> Iterator[str]:
    """Give the commands for the resistors of the first of some samples, and for a trim of those that it scales."""
    ratio = deviated_resistance(circuit, pdk, sample, found=found)[0]
    for x, by in zip(circuit.resistors, ratio.tolist(), strict=True):
        trimmed = factor if x.name in circuit.trim else 1.0
        yield f"alter {resistor(x.name)} = {number(x.value * by / trimmed)}"


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
    """Give the commands for one trim of a chip: the currents of the common bias times ``factor``."""
    resistors = {x.name for x in circuit.resistors}
    for name in circuit.trim:
        if name in resistors:
            continue
        yield f"alter {source_card(name, circuit)} = {number(circuit.source(name).value * factor)}"


def paths(mos: Mos, pdk: Pdk) -> list[str]:
    """Give the transistors of a device as ngspice names their figures."""
    return inner(mos, pdk.devices[mos.device].element)
