"""Folders that look like those of a PDK: sections and devices by name, without any model."""

from pathlib import Path

import pytest

from lmu_analog.circuits.devices.pdk import find_pdk, pdk
from lmu_analog.errors import DesignError


def fake_models(folder: Path, *, without: str = "\0", name: str = "gf180mcu") -> Path:
    """Write files with all sections and devices of a kit, but for the one that is left out."""
    kit = pdk(name)
    sections = [section for kind in kit.corners.values() for section in kind] + list(kit.statistical.values())
    text = "".join(f".LIB {section}\n.ENDL\n" for section in sections if section != without)
    text += "".join(f".subckt {device} 1 2\n.ends\n" for device in kit.devices if device != without)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / kit.files["settings"]).write_text("* settings\n")
    (folder / kit.files["models"]).write_text(text)
    return folder


def _missing() -> str:
    try:
        find_pdk("gf180mcu")
    except DesignError as error:
        return str(error)
    return ""


MISSING = _missing()  # why the real models cannot be used; empty where they can
needs_gf180 = pytest.mark.skipif(bool(MISSING), reason=f"needs the models of GF180MCU: {MISSING}")
