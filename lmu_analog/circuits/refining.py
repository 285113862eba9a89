"""Standard values refined: the quadratic model taken anew at every choice, where second orders decide.

``fitting`` chooses by the first order about the exact values, and corrects its constant by the true error. Where a
readout is fitted to the choice afterwards, that takes nearly all of the first order away; then the slope, too, has to
be that of the circuit as it is chosen (Gauss-Newton over standard values).
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.fitting import Choice, Model

PATIENCE = 2  # rounds in which nothing better is found
DESCENTS = (
    3_000_000  # in all rounds, over the square of the number of values: one takes longer the more there are
)
FEWEST_DESCENTS, MOST_DESCENTS = 50, 500
SHARE = 0.1  # of them, that go into one round: half from beside the choice, half from nodes moved at random
RANKED = 48  # choices that the true error ranks in a round
_BETTER = 1.0 - 1e-6  # of an error: less is not worth a round


def refined(
    model: Model,
    model_at: Callable[[Float[np.ndarray, " m"]], Model],
    true_errors: Callable[[Float[np.ndarray, "s m"]], Float[np.ndarray, "s e"]],
    *,
    choice: Choice,
) -> Choice:
    """Improve a choice of levels and roundings by models about itself, while the true error falls.

    Parameters
    ----------
    model : Model
        That the choice is from.
    model_at : callable
        Values (m,) to the same model with the slopes of the circuit that has them.
    true_errors : callable
        As in ``fit_jointly``.
    choice : Choice
    """
    random, patience = np.random.default_rng(0), PATIENCE
    error = true_errors(model.values(choice)[None])[0]
    allowed = min(max(FEWEST_DESCENTS, DESCENTS // len(model.vector(choice)) ** 2), MOST_DESCENTS)
    count = max(4, int(0.5 * SHARE * allowed))
    for _ in range(round(1.0 / SHARE)):
        if patience == PATIENCE:
            model = model_at(model.values(choice))
            model.centre_at(error, choice)
        elif not patience:
            break
        beside = sorted(model.beside(choice), key=model.size)
        tried = [
            *map(model.descend, beside[:count]),
            *beside[count:],
            *_kicked(model, choice, random, count=count),
        ]
        errors = true_errors(np.stack([model.values(each) for each in tried]))
        sizes = (errors**2).sum(axis=1)
        best = int(sizes.argmin())
        if sizes[best] < float(error @ error) * _BETTER:
            choice, error, patience = tried[best], errors[best], PATIENCE
        else:
            patience -= 1
    return choice


def _kicked(model: Model, choice: Choice, random: np.random.Generator, *, count: int) -> list[Choice]:
    """Descend from the choice, and from pairs of nodes moved to other levels; the best by the model, all different."""
    best = model.descend(choice)
    found = {_key(model, best): best}
    nodes = len(model.nodes)
    for _ in range(count):
        moved = best.copy()
        for k in random.choice(nodes, min(2, nodes), replace=False).tolist():
            level = int(random.integers(len(model.nodes[k].levels)))
            moved.level[k], moved.rounding[k] = level, model.options[k].near[level].copy()
        moved = model.descend(moved)
        found.setdefault(_key(model, moved), moved)
        if model.size(moved) < model.size(best):
            best = moved
    return sorted(found.values(), key=model.size)[:RANKED]


def _key(model: Model, choice: Choice) -> bytes:
    return np.round(model.vector(choice), 9).tobytes()
