"""From the equations of a circuit to the state space of its slow modes."""
