"""The table of formats that a design's circuit is exported to."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lmu_analog.analysis.calibration_file import Correction, correction_of, method_of, opened
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.devices.prices import Price
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import Sampling, planned_circuit
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_out import whole_folder, write_text
from lmu_analog.output.decks import deck_text
from lmu_analog.output.design_text import commented
from lmu_analog.output.export.kicad import write_kicad
from lmu_analog.output.export.lists import bom, components_json, kicad_bom, lcsc_bom, mouser_bom
from lmu_analog.output.export.readout import POINTS, readout, write_readout
from lmu_analog.output.export.testplan import write_testplan
from lmu_analog.output.export.veriloga import verilog_a
from lmu_analog.output.schematic import as_svg

Writer = Callable[[Design, Circuit, Path], Path]


def _as_text(text: Callable[[Design, Circuit], str]) -> Writer:
    """Write what is one text to a file."""
    return lambda design, circuit, path: write_text(path, text(design, circuit))


# Bills of materials, which take a price list: for people, and with the columns of importers.
BOMS: dict[str, Callable[..., str]] = {
    "bom": bom,
    "bom-kicad": kicad_bom,
    "bom-mouser": mouser_bom,
    "bom-lcsc": lcsc_bom,
}
# Format to its suffix, which the receiving program insists on (none where any will do), and its writer.
FORMATS: dict[str, tuple[str, Writer]] = {
    **{name: ("", _as_text(write)) for name, write in BOMS.items()},
    "json": ("", _as_text(components_json)),
    "verilog-a": ("", _as_text(verilog_a)),
    "kicad": (".kicad_sch", write_kicad),
    "svg": (".svg", _as_text(lambda _, circuit: as_svg(circuit))),
}
READOUT = "readout"  # in files of four kinds, as their names say
TESTPLAN = "testplan"  # a page, and its numbers beside it
BOARD = "board"  # a folder with all of these that a board needs
# What no mismatch sample changes, and why.
_FOR_ALL = {
    READOUT: "the readout of every mismatch sample is the nominal one",
    TESTPLAN: "a test plan is for every board",
    BOARD: "its readout and test plan are for every board",
}


def export(
    design: Design,
    to: str,
    path: Path | str,
    *,
    sample: int | None = None,
    seed: int = 0,
    sampling: Sampling = "random",
    points: Sequence[float] | None = None,
    full_scale: float | None = None,
    prices: Mapping[str, Price] | None = None,
    design_file: Path | str = "design.toml",
    calibration: Path | str | None = None,
    method: str | None = None,
) -> Path:
    """Write a design's circuit, or one of its mismatch samples, for another tool.

    Parameters
    ----------
    design : Design
    to : str
        A format of the table.
    path : Path
        File to write.
    sample, seed, sampling : int or None, int, str
        Mismatch sample in place of the nominal circuit.
    points, full_scale : sequence of float, float or None, V
        Of ``readout`` alone: delays r, and what a converter's full scale is.
    prices : dict, optional
        Of bills of materials alone: part or class to price, from ``read_prices``.
    design_file : Path or str
        The design as commands on a test plan name it.
    calibration, method : Path, str or None
        Of ``readout`` alone: what ``calibrate`` kept, and which of its methods; ``sample`` is one of its circuits.

    Raises
    ------
    DesignError
        If the format is unknown, the file's name does not suit it, or the circuit has no such form.
    """
    path = Path(path)
    alone = {"points": points, "full_scale": full_scale, "calibration": calibration, "method": method}
    # A calibration of a sample is its own, whose readout is that of no other.
    fixed = sample if calibration is None else None
    _check(to, fixed, prices, [name for name, given in alone.items() if given is not None])
    if to == READOUT:
        correction = _correction(design, calibration, method, sample=sample, seed=seed, sampling=sampling)
        circuit, places = build(design), POINTS if points is None else points
        found = readout(design, circuit, places, full_scale=full_scale, correction=correction)
        return write_readout(design, circuit, path, found=found)
    if to == TESTPLAN:
        return write_testplan(design, path, design_file=str(design_file))
    if to == BOARD:
        return write_board(design, path, prices=prices)
    suffix, write = FORMATS[to]
    if suffix and path.suffix != suffix:
        raise DesignError(f"-o {path}: {to} files end in {suffix}; give such a name")
    circuit = planned_circuit(design, seed=seed, index=sample, sampling=sampling)
    if prices is None:
        return write(design, circuit, path)
    return write_text(path, BOMS[to](design, circuit, prices))


def _correction(
    design: Design,
    calibration: Path | str | None,
    method: str | None,
    *,
    sample: int | None,
    seed: int,
    sampling: Sampling,
) -> Correction | None:
    """Give the readout that a calibration found, if one is given."""
    if calibration is None:
        if method is not None:
            raise DesignError("method=: of which calibration? give calibration= too")
        return None
    known = opened(calibration, design, seed=seed, sampling=sampling)
    return correction_of(known, method_of(known, method, sample=sample, read=True), sample)


def _check(to: str, sample: int | None, prices: object, only_readout: Sequence[str]) -> None:
    """Refuse formats that there are not, and what a format does not take."""
    if to not in (*FORMATS, READOUT, TESTPLAN, BOARD):
        known = ", ".join([*FORMATS, READOUT, TESTPLAN, BOARD])
        raise DesignError(f"unknown format {shown(to)}; known are {known}")
    if prices is not None and to not in (*BOMS, BOARD):
        raise DesignError(f"prices=: only {', '.join((*BOMS, BOARD))} take them; leave them out")
    if sample is not None and to in _FOR_ALL:
        raise DesignError(f"sample=: {_FOR_ALL[to]}; leave it out")
    if only_readout and to != READOUT:
        raise DesignError(f"{only_readout[0]}=: only readout takes it; leave it out")


def write_board(design: Design, path: Path, *, prices: Mapping[str, Price] | None = None) -> Path:
    """Write a folder with all that a board needs, or nothing: design, deck, KiCad, parts list, readout and test plan.

    Parameters
    ----------
    design : Design
    path : Path
        Folder to make.
    prices : dict, optional
        Of the parts list.

    Raises
    ------
    DesignError
        If something is in the way, or the circuit has no such form.
    """
    circuit = build(design)
    with whole_folder(path) as folder:
        write_text(folder / "design.toml", commented(design))
        write_text(folder / "circuit.cir", deck_text(design))
        write_kicad(design, circuit, folder / "board.kicad_sch")
        for name, write in BOMS.items():
            write_text(folder / f"{name}.csv", write(design, circuit, prices or {}))
        found = readout(design, circuit, POINTS, full_scale=None)
        for name in ("readout.h", "readout.csv"):
            write_readout(design, circuit, folder / name, found=found)
        write_testplan(design, folder / "testplan.html")
    return path
