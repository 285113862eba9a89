"""The report of a search from a requirement: one page first, details behind."""
