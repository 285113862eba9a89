"""Many circuits at once: draws, runs in both engines, stores, statistics."""
