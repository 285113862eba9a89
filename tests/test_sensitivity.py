"""First-order theory agrees with Monte Carlo and names the culprits."""

import numpy as np
import pytest

from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.simulation import simulate
from lmu_analog.theory.sensitivity import elements

DESIGN = Design(order=6, theta="1 ms", bandwidth="1 kHz", mismatch={"resistor": "1 %", "capacitor": "1 %"})


@pytest.mark.parametrize("family", ["active-rc", "rc-synapse"])
def test_the_prediction_is_the_rms_error_added_in_an_ensemble(family):
    design = DESIGN.replace(
        family=family, mismatch={"resistor": "1 %", "capacitor": "1 %", "transconductor": "1 %"}
    )
    run = monte_carlo(design, 2000, seed=0)
    nominal = float(simulate(design).window_nrmse)
    # Mean square errors add, the nominal one and the added one, to first order: uncorrelated with z.
    added = np.sqrt(np.mean(run.window_nrmse.values**2) - nominal**2)
    # An rms of 2000 samples is right to about 2 %; the second order adds 1 % at sigma .33 %.
    assert elements(design).attrs["predicted_rms"] == pytest.approx(added, rel=0.06)


def test_shares_add_up_and_fall():
    share = elements(DESIGN).share.values
    assert share.sum() == pytest.approx(1.0)
    assert (np.diff(share) <= 0.0).all()


def test_the_added_error_scales_with_the_tolerance():
    double = DESIGN.replace(mismatch={"resistor": "2 %", "capacitor": "2 %"})
    ratio = elements(double).attrs["predicted_rms"] / elements(DESIGN).attrs["predicted_rms"]
    assert ratio == pytest.approx(2.0, rel=1e-4)  # the quotient's own second order


def test_a_lot_shows_as_itself_and_dominates():
    lot = DESIGN.replace(mismatch={"capacitor": {"tolerance": "1 %", "lot": "10 %"}})
    assert str(elements(lot).element.values[0]) == "lot of capacitor"


def test_without_mismatch_nothing_matters():
    assert elements(DESIGN.replace(mismatch={})).attrs["predicted_rms"] == 0.0
    assert elements(DESIGN.replace(mismatch={})).sizes["element"] == 0


def test_names_are_those_of_the_deck():
    named = {str(name) for name in elements(DESIGN).element.values}
    assert {"Cint_0", "Ra_1_0", "Cc_2_0"} <= named
