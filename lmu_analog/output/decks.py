"""Decks written to disk, nominal or of mismatch samples."""

from pathlib import Path

import numpy as np

from lmu_analog.analysis.certificate import certified
from lmu_analog.circuits.components import Mosfet
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import Sampling, planned_circuit
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_out import whole_folder, write_text
from lmu_analog.mismatch.law import check_index, check_seed
from lmu_analog.mismatch.selection import Selection
from lmu_analog.output.export.ltspice import drawing
from lmu_analog.simulation import settling
from lmu_analog.spice.deck import described, transient
from lmu_analog.spice.dialects import Dialect, in_dialect
from lmu_analog.spice.netlist import RECORDING_FILE, needs_file, recording_points

_MOST_DECKS = 100_000
DRAWING = ".asc"  # of LTspice
DIGITS = 8  # of a sample's number
_SUFFIXES: dict[Dialect, str] = {"ngspice": ".cir", "ltspice": ".cir", "xyce": ".cir", "spectre": ".scs"}


def deck_text(
    design: Design,
    *,
    sample: int | None = None,
    seed: int = 0,
    sampling: Sampling = "random",
    dialect: Dialect = "ngspice",
) -> str:
    """Write the deck of a design, or of one of its mismatch samples, for ngspice or another simulator.

    Raises
    ------
    SimulationError
        If the circuit is unstable, so that no simulated time would be enough.
    """
    check_seed(seed)
    circuit = planned_circuit(design, seed=seed, index=sample, sampling=sampling)
    notes = [] if design.temperature is None else [f"temperature = {design.temperature!r} K, in the values"]
    if sample is not None:
        notes += [f"seed = {seed}", f"sample = {sample}"]
        if chosen := str(Selection(design.only, design.without)):
            notes.append(f"mismatch = {chosen}")
        if sampling != "random":
            notes.append(f"sampling = {sampling}")
    system = extract(circuit)
    analysis = transient(circuit, design.stimulus, settle=settling(system, design.theta))
    deck = described(circuit, analysis, design.stimulus, notes=tuple(notes))
    # A small-signal equivalent is not what a deck of transistors can be read as.
    known = None if circuit.only(Mosfet) else system
    deck = certified(deck, circuit, digest=design.digest, bandwidth=design.bandwidth, system=known)
    return in_dialect(deck, dialect)


def write_deck(
    design: Design,
    path: Path | str,
    *,
    sample: int | None = None,
    seed: int = 0,
    sampling: Sampling = "random",
    dialect: Dialect = "ngspice",
) -> list[Path]:
    """Write one deck, and beside it the recording if that is too long to stand in it; give the files.

    A path that ends in ``.asc`` gets LTspice's drawing, and the deck stands beside it as ``.cir``.

    Raises
    ------
    DesignError
        If a drawing is asked for in another dialect.
    """
    path = Path(path)
    drawn = path.suffix == DRAWING
    if drawn and dialect != "ltspice":
        raise DesignError(
            f"-o {path}: {DRAWING} is a drawing for LTspice; give --dialect ltspice, or another name"
        )
    text = deck_text(design, sample=sample, seed=seed, sampling=sampling, dialect=dialect)
    written = [write_text(path.with_suffix(".cir") if drawn else path, text)]
    if drawn:
        circuit = planned_circuit(design, seed=seed, index=sample, sampling=sampling)
        written.insert(0, write_text(path, drawing(circuit, text)))
    return written + _write_recording(design, path.parent)


def write_decks(
    design: Design,
    folder: Path | str,
    *,
    samples: range,
    seed: int = 0,
    sampling: Sampling = "random",
    dialect: Dialect = "ngspice",
) -> list[Path]:
    """Write a deck for every sample into a new folder; give the files.

    Raises
    ------
    DesignError
        If the folder exists and is not empty, or there are too many samples.
    """
    check_index(samples.start)
    check_index(samples.stop - 1)
    folder = Path(folder)
    if len(samples) > _MOST_DECKS:
        raise DesignError(f"{len(samples)} decks are more than {_MOST_DECKS}; give a shorter range")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DesignError(f"{folder} exists and is no empty folder; give another name")
    width = max(4, len(str(samples.stop)))
    with whole_folder(folder) as half:
        for k in samples:
            text = deck_text(design, sample=k, seed=seed, sampling=sampling, dialect=dialect)
            (half / f"sample-{k:0{width}d}{_SUFFIXES[dialect]}").write_text(text, "utf-8")
        _write_recording(design, half)
    return sorted(folder.iterdir(), key=lambda path: (path.suffix != _SUFFIXES[dialect], path.name))


def _write_recording(design: Design, folder: Path) -> list[Path]:
    if not needs_file(design.stimulus):
        return []
    lines = [f"{t!r} {v!r}" for t, v in np.asarray(recording_points(design.stimulus)).tolist()]
    return [write_text(folder / RECORDING_FILE, "\n".join(lines) + "\n")]


def sample_range(text: str) -> range:
    """Read ``A:B``, samples A to B-1."""
    first, colon, last = text.partition(":")
    numbers = first.isdecimal() and last.isdecimal() and max(len(first), len(last)) <= DIGITS
    if not colon or not numbers or int(first) >= int(last):
        raise DesignError(f"samples={shown(text)}: two rising numbers A:B are wanted, for example 0:100")
    return range(int(first), int(last))
