"""A circuit's state space with the sources of its nonlinear laws as further inputs, many samples at once."""

import numpy as np

from lmu_analog.circuits.nodal.extract import Forced, Split, eliminated
from lmu_analog.circuits.nodal.saturation import Limits
from lmu_analog.circuits.nodal.stamps import Equations
from lmu_analog.errors import CircuitError


def forced(plan: Split, equations: Equations, limited: Limits) -> Forced:
    """Solve the algebraic unknowns of E v' + E_u u' = F v + G u + h + push w.

    As ``extract`` does, x + q u is the state where a capacitor couples the input in, so that there is no u'.

    Parameters
    ----------
    plan : Split
    equations : Equations
        Of s samples.
    limited : Limits
        The nonlinear laws, of the same samples.

    Raises
    ------
    CircuitError
        If the equations of a sample are singular.
    """
    try:
        return eliminated(plan, equations, limited)
    except np.linalg.LinAlgError as error:
        raise CircuitError("the node equations of a sample are singular: a part floats") from error
