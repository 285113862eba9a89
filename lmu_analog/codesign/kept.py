"""Finished work of a search on disk, so that a search that was stopped goes on where it was.

A file for each structure and each verification, whole or not there, named by its key. Arrays and JSON alone: reading a
folder of somebody else's runs nothing.
"""

import hashlib
import io
import json
import zlib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.codesign.chip import ChipBank, MadeOnChip
from lmu_analog.codesign.law import Traces
from lmu_analog.codesign.search import Kept, Verified
from lmu_analog.codesign.structures import Bank, Made
from lmu_analog.errors import DesignError
from lmu_analog.files_out import write_bytes

_FORMAT = "lmu-analog search, 2"
# The figures of the op-amp that a structure was linearised with, see ``structures``; all others are those of any.
_OF_A_REFERENCE = ("name", "gain", "gbw", "rail", "offset_max")


def kept_in(folder: Path) -> Kept:
    """Keep work in a folder, which must exist."""

    def path_of(key: str) -> Path:
        return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"

    def load(key: str) -> Any:
        path = path_of(key)
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                told = json.loads(str(arrays["told"]))
                if told["format"] != _FORMAT or told["key"] != key:
                    return None
                return _read(told["kind"], told["content"], dict(arrays))
        except (OSError, EOFError, BadZipFile, zlib.error, ValueError, KeyError, TypeError) as error:
            raise DesignError(f"{path} cannot be read; remove it, and it is made again: {error}") from error

    def save(key: str, value: Any) -> None:
        kind, content, arrays = _written(value)
        told = json.dumps({"format": _FORMAT, "key": key, "kind": kind, "content": content})
        target = io.BytesIO()
        np.savez(target, allow_pickle=False, told=np.array(told), **arrays)
        write_bytes(path_of(key), target.getvalue())

    return Kept(load, save)


def _written(value: Any) -> tuple[str, Any, dict[str, np.ndarray]]:
    if isinstance(value, str):
        return "reason", value, {}
    if isinstance(value, Verified):
        return "verified", asdict(value), {}
    arrays: dict[str, np.ndarray] = {}
    banks = []
    for k, bank in enumerate(value.banks):
        plain = {f.name: getattr(bank, f.name) for f in fields(bank)}
        for name, x in ({"values": plain.pop("values")} | vars(plain.pop("traces"))).items():
            arrays[f"{k} {name}"] = np.asarray(x)
        if isinstance(bank, Bank):
            of = plain.pop("reference")
            plain["reference"] = {name: getattr(of, name) for name in _OF_A_REFERENCE}
        banks.append(plain)
    kind = "chip" if isinstance(value, MadeOnChip) else "board"
    return kind, {"banks": banks, "least": value.least, "pruned": value.pruned, "unfit": value.unfit}, arrays


def _read(kind: str, content: Any, arrays: dict[str, np.ndarray]) -> Any:
    if kind == "reason":
        return content
    if kind == "verified":
        return Verified(**content)
    made: Any = MadeOnChip if kind == "chip" else Made
    of: Any = ChipBank if kind == "chip" else Bank
    banks = []
    for k, plain in enumerate(content.pop("banks")):
        found = {f.name: arrays[f"{k} {f.name}"] for f in fields(Traces)}
        given = {name: tuple(x) if isinstance(x, list) else x for name, x in plain.items()}
        if isinstance(given["reference"], dict):
            given["reference"] = OpAmpModel(**given["reference"])
        traces = Traces(float(found.pop("rest")), **found)
        banks.append(of(values=arrays[f"{k} values"], traces=traces, **given))
    return made(tuple(banks), **content)
