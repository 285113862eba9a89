"""Drawings of circuits: sheets as data, laid out by plain functions, painted in one place."""
