"""The design report: a table of sections, each a function of what is reported on, on one HTML page and as JSON."""
