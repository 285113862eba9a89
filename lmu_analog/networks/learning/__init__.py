"""Learning with JAX and optax, the optional extra ``learn``: networks around a memory, and baselines.

``specification`` and ``initial`` need NumPy alone; the other files need the extra.
"""
