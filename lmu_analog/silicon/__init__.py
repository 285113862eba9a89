"""Circuits of an open process: its transistors and capacitors, their statistics, and what they make of a memory."""
