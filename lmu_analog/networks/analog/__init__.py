"""The whole LMU cell as a circuit: memories of a circuit family, weights as arrays, tanh by a differential pair."""
