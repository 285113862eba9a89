"""What every way of training asks of its numbers."""

from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import check_seed


def check_schedule(*, epochs: int, batch: int, rate: float, seed: int) -> None:
    """Refuse numbers that no training can have.

    Parameters
    ----------
    epochs, batch : int
        Passes over the data, and samples a step.
    rate : float
        Learning rate.
    seed : int

    Raises
    ------
    DesignError
    """
    for name, given in (("epochs", epochs), ("batch", batch)):
        if given < 1:
            raise DesignError(f"{name} = {given}; a whole number from 1 up is wanted")
    if not 0.0 < rate < float("inf"):
        raise DesignError(f"learning rate {rate:g}; a finite number above 0 is wanted")
    check_seed(seed)
