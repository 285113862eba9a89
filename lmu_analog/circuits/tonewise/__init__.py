"""Sparse circuits solved tone by tone: the order of elimination, the plan, the solution, and it compiled."""
