"""The command line: one command, one call."""

from lmu_analog.cli.app import app, main, run_command

__all__ = ["app", "main", "run_command"]
