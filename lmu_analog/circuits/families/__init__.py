"""The circuit families: one file each, and the registry of them all."""
