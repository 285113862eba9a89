"""Training on series of hundreds of steps, in NumPy with gradients of its own: memories in blocks, and checkpoints.

A scan in JAX multiplies with A at every step, and takes a minute or two to compile where it is unrolled. Here the
memory goes a block of steps at a time, weights get their gradients in one product over all steps, and nothing is
compiled.
"""
