"""Learning with JAX and optax, the optional extra ``learn``: networks around a memory, and baselines.

``data``, ``initial`` and ``tasks`` need NumPy alone; the other files need the extra.
"""
