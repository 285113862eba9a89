"""Modified nodal analysis: stamps, unknowns, and what follows from the equations of a circuit."""
