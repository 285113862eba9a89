"""The law of mismatch, and its draws."""
