"""Trained networks with circuits in place of their memories; NumPy alone, and ngspice where it is asked for."""
