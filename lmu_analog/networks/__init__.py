"""Networks that the memory serves: the LMU layer, its training, and its analog circuit."""
