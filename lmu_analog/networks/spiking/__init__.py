"""The memory implemented by spiking neurons, by silicon with its mismatch, and by integers."""
