"""The mathematics of the Legendre memory: no circuit and no SPICE in this room."""
