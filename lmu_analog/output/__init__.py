"""Output for people: plots, schematics, exports and the report."""
