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
from lmu_analog.codesign.structures import OF_A_REFERENCE, Bank, Made, Promise
from lmu_analog.errors import DesignError
from lmu_analog.files_out import write_bytes

_FORMAT = "lmu-analog search, 3"
_REFERENCE = ("name", *OF_A_REFERENCE)


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
        banks.append(_plain(bank, str(k), arrays))
    content = {"banks": banks, "least": value.least, "pruned": value.pruned, "unfit": value.unfit}
    if isinstance(value, MadeOnChip):
        return "chip", content, arrays
    promise = None if value.promise is None else _plain(value.promise, "promise", arrays)
    return "board", content | {"promise": promise}, arrays


def _plain(of: Bank | ChipBank | Promise, label: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Give the fields of what has values and traces, which go to arrays with its label."""
    plain = {f.name: getattr(of, f.name) for f in fields(of)}
    large = {"values": plain.pop("values")} | vars(plain.pop("traces"))
    arrays |= {f"{label} {name}": np.asarray(x) for name, x in large.items()}
    if not isinstance(of, ChipBank):
        plain["reference"] = {name: getattr(of.reference, name) for name in _REFERENCE}
    return plain


def _read(kind: str, content: Any, arrays: dict[str, np.ndarray]) -> Any:
    if kind == "reason":
        return content
    if kind == "verified":
        return Verified(**content)
    made: Any = MadeOnChip if kind == "chip" else Made
    of: Any = ChipBank if kind == "chip" else Bank
    banks = [of(**_filled(plain, str(k), arrays)) for k, plain in enumerate(content.pop("banks"))]
    if (promise := content.get("promise")) is not None:
        content["promise"] = Promise(**_filled(promise, "promise", arrays))
    return made(tuple(banks), **content)


def _filled(plain: dict[str, Any], label: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Give the fields that ``_plain`` wrote, as they were."""
    found = {f.name: arrays[f"{label} {f.name}"] for f in fields(Traces)}
    given = {name: tuple(x) if isinstance(x, list) else x for name, x in plain.items()}
    if isinstance(given["reference"], dict):
        given["reference"] = OpAmpModel(**given["reference"])
    return given | {"values": arrays[f"{label} values"], "traces": Traces(float(found.pop("rest")), **found)}
