"""Many linear circuits at many frequencies at once: order of elimination, plan, solution, stability."""
