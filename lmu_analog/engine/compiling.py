"""How the player in C becomes a library: by the package's build, or here in a checkout.

Only the standard library is used: the build loads this file by its path, before anything is installed.
"""

import hashlib
import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UNITS = ("player.c", "transistors.c")  # each compiled by itself
SOURCES = (*UNITS, "elementary.h")
# Contraction would fuse multiply and add into one rounding where a processor can: other bits than elsewhere.
FLAGS = (
    "-std=gnu11",
    "-O3",
    "-fPIC",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fvisibility=default",
    "-Wno-psabi",
)
VARIANTS = {
    "generic": (),
    "avx2": ("-mavx2",),
    "avx512": ("-mavx512f", "-mavx512dq", "-mprefer-vector-width=512"),
}
SECONDS = 120.0  # for one call of the compiler, which takes one or two


def library_name() -> str:
    """Give the file name of the library on this system."""
    return "player.dylib" if sys.platform == "darwin" else "player.so"


def variants() -> tuple[str, ...]:
    """Give the instruction sets that are compiled for on this kind of processor, the narrowest first."""
    return tuple(VARIANTS) if platform.machine().lower() in ("x86_64", "amd64") else ("generic",)


def digest(folder: Path) -> str:
    """Give the digest of the sources in a folder and of how they are compiled."""
    found = hashlib.sha256(repr((FLAGS, variants(), [VARIANTS[v] for v in variants()])).encode())
    for name in SOURCES:
        found.update((folder / name).read_bytes())
    return found.hexdigest()


def compiler() -> str | None:
    """Find a C compiler: $CC, or cc, gcc, clang; None where there is none, or on Windows (vectors are GNU C)."""
    if os.name == "nt":
        return None
    names = (os.environ.get("CC"), "cc", "gcc", "clang")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def compile_library(folder: Path) -> str | None:
    """Make the library of the sources in a folder beside them, whole or not at all; what went wrong, or None."""
    folder = folder.resolve()  # the compiler runs in it
    cc = compiler()
    if cc is None:
        return "there is no C compiler"
    try:
        return _compile(folder, cc)
    except OSError as error:  # a folder that cannot be written
        return str(error)


def _compile(folder: Path, cc: str) -> str | None:
    wanted = digest(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".player-") as made:
        objects = []
        for unit, variant in itertools.product(UNITS, variants()):
            first = (f'-DDIGEST="{wanted}"',) if (unit, variant) == (UNITS[0], "generic") else ()
            target = Path(made) / f"{unit}-{variant}.o"
            call = [
                cc,
                *FLAGS,
                *VARIANTS[variant],
                f"-DVARIANT={variant}",
                *first,
                "-c",
                unit,
                "-o",
                str(target),
            ]
            if (wrong := _run(call, folder)) is not None:
                return wrong
            objects.append(str(target))
        linked = Path(made) / library_name()
        if (wrong := _run([cc, "-shared", *objects, "-o", str(linked)], folder)) is not None:
            return wrong
        linked.replace(folder / library_name())
    return None


def _run(call: list[str], folder: Path) -> str | None:
    try:
        done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{call[0]}: {error}"
    return (
        None if done.returncode == 0 else f"{call[0]}: {(done.stderr.strip().splitlines() or ['failed'])[0]}"
    )
