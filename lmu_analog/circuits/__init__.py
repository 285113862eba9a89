"""Circuits as data: components, families, and nodal analysis back to a state space."""
