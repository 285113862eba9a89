"""The version of the package, which every stored result has."""

__version__ = "0.4.0"
