"""The EKV model read both ways, for sizing: currents, inversion, gate drive and transconductance.

Enz, Krummenacher and Vittoz, Analog Integrated Circuits and Signal Processing 8, 1995; the current in
saturation is I = I_s ln^2(1 + e^(v/(2 n U_T))) with v = V_GB - V_T - n V_SB, and i = I/I_s is the inversion
coefficient: weak below about 0.1.
"""

import numpy as np

from lmu_analog.circuits.devices.models import EkvModel

# Generic thick-oxide devices: a threshold that keeps a diode-connected device saturated deep in weak
# inversion, and one slope, because a log-domain loop must climb as steeply as it falls.
NMOS = EkvModel("n", threshold=0.7, transconductance=100e-6)
PMOS = EkvModel("p", threshold=0.7, transconductance=35e-6)


def specific_current(model: EkvModel, ratio: float = 1.0) -> float:
    """I_s = 2 n k_p (W/L) U_T^2, A, of a device with W/L = ``ratio``."""
    return 2.0 * model.slope * model.transconductance * ratio * model.thermal**2


def ratio_for(model: EkvModel, current: float, *, inversion: float) -> float:
    """W/L that carries ``current``, A, at an inversion coefficient."""
    return current / (inversion * specific_current(model))


def gate_drive(model: EkvModel, inversion: float) -> float:
    """V = V_GB - V_T - n V_SB, V, of a saturated device at an inversion coefficient."""
    return 2.0 * model.slope * model.thermal * float(np.log(np.expm1(np.sqrt(inversion))))


def transconductance(model: EkvModel, current: float, specific: float) -> float:
    """dI/dV_GB, S, of a saturated device that carries ``current``, A: I/(n U_T) (1 - e^-sqrt(i))/sqrt(i)."""
    root = np.sqrt(current / specific)
    return float(-np.expm1(-root) / root * current / (model.slope * model.thermal))


def drain_current(model: EkvModel, ratio: float, volts: tuple[float, float, float]) -> float:
    """Drain current, A, of a device with W/L = ``ratio``; ``volts`` are V_GB, V_SB and V_DB.

    A p-channel device takes them as V_BG, V_BS and V_BD and gives the current from source to drain.
    """
    gate, source, drain = volts
    unit = 2.0 * model.slope * model.thermal
    over = [(gate - model.threshold - model.slope * pin) / unit for pin in (source, drain)]
    forward, reverse = (np.logaddexp(0.0, x) ** 2 for x in over)
    return float(specific_current(model, ratio) * (forward - reverse))
