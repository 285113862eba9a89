"""Decks and a schematic of a memory in transistors of a process, for people who go on with them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.files_out import write_text
from lmu_analog.output.export.xschem import SCHEMATIC, schematic
from lmu_analog.silicon.deck import OPTIONS, deck_lines, source_card
from lmu_analog.silicon.designing import CHIP_AMPLITUDE, bench_of, chip_gain
from lmu_analog.silicon.inlining import inlined
from lmu_analog.silicon.samples import Bench
from lmu_analog.spice.cards import number
from lmu_analog.version import __version__

Form = Literal["alone", "include"]
PERIODS = 5  # of the sine in the transient
STEPS = 200  # of a period


def chip_deck(design: Design, bench: Bench, form: Form = "alone") -> str:
    """Write the deck of a settled bench: devices, states, an operating point, a response and a transient.

    Parameters
    ----------
    design : Design
    bench : Bench
    form : {"alone", "include"}
        With the models copied in, which stands alone; or with the lines that include the PDK where it is installed.
    """
    cards = bench.installed.cards() if form == "include" else inlined(bench.circuit, bench.installed)
    title, *body = deck_lines(bench.circuit, cards)
    kept = [line for line in body[:-1] if not line.startswith("cdev_")]  # which are of ensembles
    return "\n".join(
        [
            title,
            *notes(design, bench),
            "* ngspice -b -r out.raw and this file, or ngspice and this file, then: run",
            *_driven(kept, design, bench),
            *states(bench),
            *analyses(design, bench),
            ".end",
            "",
        ]
    )


def notes(design: Design, bench: Bench) -> Iterator[str]:
    """Give comments: what the deck is of, and what it is for."""
    installed, circuit = bench.installed, bench.circuit
    yield f"* lmu-analog {__version__}, design {design.digest}"
    yield f"* {installed.pdk.name} {installed.version or 'of unknown version'}, models {installed.digest}"
    yield f"* theta {number(circuit.theta)} s, bandwidth {number(design.bandwidth)} Hz"
    yield "* x0p and x0n, ...: both sides of a state; m0, m1, ...: the Legendre states, for volts of the input on chip"
    if circuit.gain != 1.0:
        yield f"* the input is divided down: {number(circuit.gain)} V on the chip for 1 V of the design's input"


def _driven(lines: list[str], design: Design, bench: Bench) -> Iterator[str]:
    """Give the input a sine for the transient: the highest tone, at the peak that the chip takes."""
    circuit = bench.circuit
    card = source_card(circuit.drive, circuit)
    peak = min(CHIP_AMPLITUDE, design.amplitude * chip_gain(design))
    for line in lines:
        if line.lower().startswith(f"{card} "):
            sine = f"sin({number(circuit.source(circuit.drive).value)} {number(peak)} {number(design.bandwidth)})"
            yield f"{line} {sine}"
        else:
            yield line


def states(bench: Bench) -> Iterator[str]:
    """Give behavioural sources that show the Legendre states as voltages."""
    for k, probe in enumerate(bench.circuit.probes):
        terms = " ".join(f"{'+' if t.factor >= 0.0 else '-'}{number(abs(t.factor))}*v({t.of})" for t in probe)
        yield f"Bm{k} m{k} 0 v={terms.removeprefix('+').replace(' ', '')}"


def analyses(design: Design, bench: Bench) -> Iterator[str]:
    """Give an operating point, the response at the tones, and a transient; as plain ngspice runs them."""
    low, high = (float(f) for f in bench.frequency[[0, -1]])
    stop = PERIODS / design.bandwidth
    yield ".op"
    yield f".ac lin {len(bench.frequency)} {number(low)} {number(high)}"
    yield f".tran {number(1.0 / (STEPS * design.bandwidth))} {number(stop)}"


def xschem_schematic(design: Design, bench: Bench) -> str:
    """Write a schematic for xschem, whose netlist is a deck with the lines that include the PDK."""
    commands = [
        *bench.installed.cards(),
        f".options {OPTIONS}",
        ".temp 27",
        *(line for line in deck_lines(bench.circuit, [])[1:] if line.startswith(".nodeset")),
        *states(bench),
        *analyses(design, bench),
    ]
    return schematic(bench.circuit, commands, notes=list(notes(design, bench)))


def chip_netlist(
    design: Design, form: Form = "alone", *, progress: Callable[[float], None] | None = None
) -> str:
    """Draw the circuit of a design and give its deck."""
    return chip_deck(design, bench_of(design, progress=progress), form)


def write_netlist(
    design: Design, path: Path | str, form: Form = "alone", *, progress: Callable[[float], None] | None = None
) -> Path:
    """Draw the circuit of a design and write its deck.

    Raises
    ------
    DesignError
        If the name is one of another format.
    """
    path = Path(path)
    if path.suffix in (SCHEMATIC, ".asc"):
        raise DesignError(f"-o {path}: a deck for ngspice is written here; give a name that ends in .cir")
    return write_text(path, chip_netlist(design, form, progress=progress))


def write_schematic(
    design: Design, path: Path | str, *, progress: Callable[[float], None] | None = None
) -> Path:
    """Draw the circuit of a design and write its schematic for xschem.

    Raises
    ------
    DesignError
        If the design is none of transistors of a process, or the name does not end in .sch.
    """
    path = Path(path)
    if not design.uses_pdk:
        raise DesignError(
            'xschem is for transistors of a process: [circuit] level = "transistor" with a technology that has them'
        )
    if path.suffix != SCHEMATIC:
        raise DesignError(f"-o {path}: xschem files end in {SCHEMATIC}; give such a name")
    return write_text(path, xschem_schematic(design, bench_of(design, progress=progress)))
