"""The main job: from a design to decks, simulations, a mismatch ensemble and the report, in one folder."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from lmu_analog.advice import design_warnings
from lmu_analog.building import build
from lmu_analog.circuits.devices.modelfile import files_of
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import check_numbers
from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes, real
from lmu_analog.files_out import write_bytes, write_text
from lmu_analog.memory.symbolic import derive
from lmu_analog.mismatch.law import Mismatch, check_seed, columns
from lmu_analog.output import derivation, summary
from lmu_analog.output.decks import deck_text, write_deck
from lmu_analog.output.design_text import commented
from lmu_analog.output.jobs import stored_ensemble
from lmu_analog.output.progress import shares
from lmu_analog.output.report.page import report
from lmu_analog.output.report.sections import SECTIONS
from lmu_analog.output.report.subject import LARGE, Settings, Subject
from lmu_analog.output.to_try import nominal_fails, relax
from lmu_analog.recording import MOST_WAV_BYTES
from lmu_analog.simulation import ENGINES, engines_apart, simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.netlist import RECORDING_FILE
from lmu_analog.storage.store import open_run

MARK = "lmu-analog.json"  # says whose folder it is, so that a second run may go on in it
_MODELS = Path("model")  # folder of a model with its includes
# Names that no file of the user's can have in the folder.
_OURS = (
    "design.toml", "derivation.txt", "circuit.cir", RECORDING_FILE, "run.zarr", "run.zarr.lock", "result.json",
    "report.html", MARK, str(_MODELS),
)  # fmt: skip
_LARGEST_MARK = 10_000  # bytes
_STEP = 20  # what one of the other steps counts on the progress bar, in samples
_SECTION = 5  # what a section of the report counts
_SLOW = ("calibration",)  # sections that the report of the main job leaves out at large orders


def steps(samples: int) -> int:
    """Length of the progress bar: the samples, four other steps, and the sections of the report."""
    return samples + 4 * _STEP + len(SECTIONS) * _SECTION


def run(
    design: Design,
    folder: Path | str,
    *,
    samples: int = 200,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Do the main job.

    Leaves ``design.toml``, ``derivation.txt``, ``circuit.cir``, ``run.zarr``, ``result.json`` and
    ``report.html`` (and a copy of a recording). A folder of the same design and seed is taken over with
    the samples that are complete.

    Parameters
    ----------
    design : Design
    folder : Path
        New, empty, or of an earlier run of the same design and seed.
    samples : int
        Mismatch samples in the exact engine.
    seed : int
    workers : int, optional
    progress : callable, optional

    Returns
    -------
    dict
        ``design``, ``simulate`` (engine to object), ``montecarlo``, ``impedance``, ``relax`` and ``relax_note`` (what
        to try where a limit is missed), ``warnings`` (of the circuit, and
        where the engines differ), ``files``.

    Raises
    ------
    DesignError
        If the folder holds anything else.
    SimulatorMissing
        Without ngspice, before anything is written.
    """
    folder = Path(folder)
    advance = progress or (lambda _: None)
    check_numbers(samples, workers)
    ngspice.require()
    circuit = build(design)
    # Refuse what no deck can serve, and a choice of mismatch that the circuit does not have.
    columns(circuit, Mismatch.of(design))
    deck_text(design)
    _claim(folder, {"design": design.digest, "seed": check_seed(seed)})
    files = write_design(design, folder)
    advance(_STEP)
    files += [write_text(folder / "derivation.txt", derivation.as_text(derive(design.order)))]
    files += write_deck(design, folder / "circuit.cir")
    advance(_STEP)
    results = {}
    for engine in ENGINES:
        moved = shares(advance, _STEP)
        results[engine] = simulate(design, engine=engine, progress=moved)
        moved(1.0)
    store = folder / "run.zarr"
    ensemble = stored_ensemble(
        design,
        store,
        samples=samples,
        seed=seed,
        engine="exact",
        workers=workers,
        resumed=store.exists(),
        progress=advance,
    )
    apart = engines_apart(results)
    warned = (*design_warnings(design, circuit), *([apart] if apart else []))
    missed = ensemble["relax_note"] is not None or any(nominal_fails(r, design) for r in results.values())
    content = {
        "design": design.provenance,
        "simulate": {engine: summary.simulation(result) for engine, result in results.items()},
        "montecarlo": ensemble,
        "impedance": summary.impedance(design, circuit),
        "readout": summary.readout(design),
        **relax(design, fails=missed),
        "warnings": list(warned),
    }
    settings = Settings(skipped=_SLOW if design.order > LARGE else (), seed=seed)
    subject = Subject(design, circuit, results, open_run(store), warnings=warned, settings=settings)
    page, _ = report(subject, lambda _: advance(_SECTION))
    write_text(folder / "report.html", page)
    write_text(folder / "result.json", summary.dumps(content) + "\n")
    files += [store, folder / "result.json", folder / "report.html"]
    return {**content, "files": [str(path) for path in files]}


def _claim(folder: Path, owner: dict[str, Any]) -> None:
    """Take a folder that is new, empty, or ours already."""
    mark = folder / MARK
    try:
        if mark.is_file():
            if json.loads(read_bytes(mark, most=_LARGEST_MARK, wanted="a mark of ours")) == owner:
                return
            raise DesignError(f"{folder} holds a run of another design or seed; give another folder")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DesignError(f"{folder} exists and is no empty folder; give another name")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "its mark is no JSON"
        raise DesignError(f"{folder} cannot be used: {why}") from error
    try:
        write_text(mark, json.dumps(owner))
    except DesignError:
        folder.rmdir()
        raise


def write_design(design: Design, folder: Path) -> list[Path]:
    """Write the design with all that it reads, so that it can be loaded from this folder alone."""
    inputs = _inputs(design)
    names = {key: name for key, (_, name) in inputs.items() if key in ("file", "parts", "model")}
    written = [write_text(folder / "design.toml", commented(design, names))]
    for given, name in inputs.values():
        copy = folder / name
        if real(copy) != real(given):
            copy.parent.mkdir(exist_ok=True, parents=True)
            write_bytes(copy, read_bytes(given, most=MOST_WAV_BYTES, wanted="what the design reads"))
        written.append(copy)
    return written


def _inputs(design: Design) -> dict[str, tuple[Path, str]]:
    """Name the copies of all files that a design reads, from the folder of results.

    They keep their names where nothing else has them. A model that includes files, which it names from its own
    folder, gets a folder with all of them.
    """
    taken = {name.lower() for name in _OURS}
    found: dict[str, tuple[Path, str]] = {}
    for key, path, other in (("file", design.file, "recording"), ("parts", design.parts, "parts")):
        if path is not None:
            name = path.name
            if name.lower() in taken or not name.isprintable():
                others = (f"{other}{f'-{k}' if k > 1 else ''}{path.suffix}" for k in count(1))
                name = next(n for n in others if n not in taken)
            taken.add(name.lower())
            found[key] = (path, name)
    if isinstance(design.opamp, dict) and "model" in design.opamp:
        model = Path(str(design.opamp["model"]))
        files = files_of(model)
        alone = len(files) == 1 and model.name.lower() not in taken
        for k, file in enumerate(files):
            inside = real(file).relative_to(real(model).parent) if k else Path(model.name)
            found["model" if k == 0 else f"include {k}"] = (file, str(inside if alone else _MODELS / inside))
    return found
