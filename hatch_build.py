"""Part of the build: compile the native player into the wheel where there is a C compiler.

Without one the wheel is of Python alone, and the NumPy player does the same, slower.
"""

import importlib.util
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ENGINE = Path("lmu_analog/engine")


def _compiling(root: Path) -> ModuleType:
    """Load the package's own file by its path: the package cannot be imported before its dependencies are there."""
    spec = importlib.util.spec_from_file_location("compiling", root / ENGINE / "compiling.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{root / ENGINE / 'compiling.py'} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NativePlayer(BuildHookInterface):
    """Compiles the player and marks the wheel as one of this system."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are gathered; a compiler that fails costs speed, not the installation."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        compiling = _compiling(root)
        if (wrong := compiling.compile_library(root / ENGINE)) is not None:
            self.app.display_warning(f"no native player: {wrong}")
            (root / ENGINE / compiling.library_name()).unlink(missing_ok=True)  # of another system, or stale
            return
        if version == "standard":
            build_data["artifacts"].append(f"/{ENGINE / compiling.library_name()}")
            build_data["pure_python"] = False
            # Loaded through ctypes: it depends on the system, not on the version of Python.
            system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{system}"
