"""What people look at and take away: plots, schematics, exports and the report."""
