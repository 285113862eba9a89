"""A first design file, from a few figures or from a recording."""

from pathlib import Path

from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.files_in import real
from lmu_analog.files_out import write_text
from lmu_analog.output.design_text import commented
from lmu_analog.recording import WAV_SUFFIXES, read
from lmu_analog.stimulus import occupied_bandwidth

_OCCUPIED = 0.999  # of a recording's power lies below its bandwidth: the rest is an error of 3 %
FIRST_ORDER = 6
_FIRST_MISMATCH = {"resistor": "1 %", "capacitor": "1 %", "transconductor": "1 %", "tau": "1 %"}
_FIRST_LIMIT = "10 %"


def new_design(
    asked: dict[str, object],
    path: Path | str,
    *,
    recording: Path | str | None = None,
    column: str | None = None,
    channel: int | None = None,
) -> Design:
    """Write a commented design file.

    Parameters
    ----------
    asked : dict
        Fields of the design that are given.
    path : Path
        File to write; it must not exist.
    recording : Path, optional
        A recording that becomes the signal; its occupied bandwidth and peak are measured unless given.
        The amplitude of a WAV stays what its full scale means.
    column, channel : str, int, optional
        What of a recording with several channels.

    Raises
    ------
    DesignError
        If a figure is wrong, or the file exists or cannot be written.
    """
    recording = None if recording is None else Path(recording)
    path = Path(path)
    if path.exists():
        raise DesignError(f"{path} exists; give another name, or remove it first")
    if recording is None and (column, channel) != (None, None):
        raise DesignError("column= and channel= choose from input=, and there is none; give it")
    fields = {"mismatch": _FIRST_MISMATCH, "nrmse": _FIRST_LIMIT, **asked}
    if recording is not None:
        amplitude = float(Design(order=1).amplitude)
        heard = read(recording, amplitude=amplitude, column=column, channel=channel)
        band = occupied_bandwidth(heard, _OCCUPIED)
        scaled = recording.suffix.lower() in WAV_SUFFIXES
        measured = {"file": recording, "amplitude": amplitude if scaled else heard.peak, "bandwidth": band}
        measured |= {"column": column, "channel": channel}
        if not band and asked.get("bandwidth") is None:
            raise DesignError(f"{recording} is constant, so it has no bandwidth; give bandwidth=")
        fields = {**measured, **fields}
    if "error" in fields and "order" in fields:
        raise DesignError("both order= and error= are given; the error chooses the order, give one of them")
    if "error" not in fields:
        fields = {"order": FIRST_ORDER, **fields}
    design = Design(**fields)  # type: ignore[arg-type]
    if "bandwidth" not in fields:  # chosen by the order: three digits are enough for people
        design = design.replace(bandwidth=float(f"{design.bandwidth:.3g}"))
    if recording is not None and real(recording).parent != real(path).parent:
        raise DesignError(f"{recording} must lie in the folder of {path}, which names it; copy it there")
    write_text(path, commented(design))
    return design
