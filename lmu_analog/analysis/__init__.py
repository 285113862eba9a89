"""Error budgets, figures of merit and calibration."""
