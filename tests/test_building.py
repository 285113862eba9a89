"""What a design builds in its place: at its temperature, with leaking capacitors, of its technology."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import with_twelve_digits, with_values
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.technology import technology
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.leakage import leaky
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.temperature import at_temperature
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.decks import deck_text
from lmu_analog.simulation import simulate

DESIGN = Design(order=3, theta="1 ms")
WARM = DESIGN.replace(temperature="87 C", technology="ihp-sg13g2")  # 60 K above nominal


def test_values_drift_as_the_technology_says():
    law = technology("ihp-sg13g2").drifts({})
    np.testing.assert_array_equal(build(WARM).values, at_temperature(build(DESIGN), law, 360.15))
    ratio = {c.name[0]: c.value / d.value for c, d in zip(build(WARM).components, build(DESIGN).components, strict=True)
             if isinstance(c, Resistor | Capacitor)}  # fmt: skip
    # 170 and 3.6 ppm/K, .4 and .002 ppm/K^2: circuits/devices/technologies.toml, IHP's resistor and MIM models.
    assert ratio == pytest.approx(
        {"R": 1 + 60 * 170e-6 + 3600 * 0.4e-6, "C": 1 + 60 * 3.6e-6 + 3600 * 2e-9}, rel=1e-12
    )


def test_a_device_or_a_coefficient_of_ones_own_goes_before_the_first_of_its_class():
    device = WARM.replace(mismatch={"resistor": {"device": "rhigh", "area": "100 um2"}})
    own = device.replace(drift={"resistor": {"tc1": "25 ppm", "tc2": "1 ppm"}})
    for design, factor in ((device, 1 - 60 * 2300e-6 + 3600 * 2.1e-6), (own, 1 + 60 * 25e-6 + 3600e-6)):
        drifted = build(design).values[0:] / build(DESIGN).values
        resistors = [p.classes == ("resistor",) for p in build(DESIGN).parameters]
        np.testing.assert_allclose(drifted[resistors], factor, rtol=1e-12)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "switched-capacitor"])
def test_every_family_warms_and_leaks(family):
    design = Design(order=2, theta="1 ms", family=family, capacitance="10 pF")
    placed = design.replace(temperature=360.15, drift={"capacitor": "100 ppm"}, leakage="0.5 s")
    expected = leaky(build(design), 0.5)
    drift = [1.006 if "capacitor" in p.classes else 1.0 for p in expected.parameters]
    expected = with_values(expected, expected.values * np.array(drift))
    assert [c.name for c in build(placed).components] == [c.name for c in expected.components]
    # Rounding of 60 K times 100 ppm, and of what a matrix makes of it.
    np.testing.assert_allclose(build(placed).values, expected.values, rtol=1e-15)
    warm, wanted = extract(build(placed)).A, extract(expected).A
    np.testing.assert_allclose(warm, wanted, rtol=1e-12, atol=1e-12 * np.abs(wanted).max())


def test_a_switched_capacitor_circuit_warms_but_has_no_leakage():
    design = DESIGN.replace(family="switched-capacitor", technology="cmos-65", temperature="85 C")
    assert len(build(design).values) == len(build(design.replace(temperature=None)).values)
    with pytest.raises(
        DesignError, match=r"^\[circuit\] leakage: charges of switched-capacitor are counted whole"
    ):
        build(design.replace(leakage=1.0))


def test_at_the_nominal_temperature_nothing_changes():
    assert build(WARM.replace(temperature="27 C")) == build(DESIGN)


@pytest.mark.ngspice
def test_both_engines_see_temperature_and_leakage():
    placed = WARM.replace(drift={"capacitor": "0.1 %"}, leakage="20 ms")
    exact, simulated = (simulate(placed, engine=e) for e in ("exact", "ngspice"))
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)  # ngspice's step error
    assert float(exact.window_nrmse) > 2.0 * float(simulate(DESIGN).window_nrmse)


def test_a_deck_says_at_which_temperature_its_values_are():
    assert "\n* temperature = 360.15 K, in the values\n" in deck_text(WARM)
    assert "temperature" not in deck_text(DESIGN)


def test_a_technology_gives_the_tolerances_of_areas():
    area = {"area": "100 um2"}
    design = WARM.replace(mismatch={"resistor": {**area, "scale": "units"}, "tau": "1 %"})
    # 2 % um over 10 um, three sigma; a lot of 10 %.
    assert design.tolerances["resistor"].tolerance == pytest.approx(0.006, rel=1e-12)
    assert design.tolerances["resistor"].lot == 0.1
    assert design.tolerances["resistor"].scale == "units"
    assert design.tolerances["tau"] == Tolerance(0.01)
    board = DESIGN.replace(technology="discrete", mismatch={"resistor": {"device": "thin-film"}})
    assert board.tolerances == {"resistor": Tolerance(0.004, "uniform", 0.006)}


@pytest.mark.parametrize(
    ("tolerance", "message"),
    [
        (
            {"device": "rhigh"},
            r"^\[mismatch\] resistor: rhigh of ihp-sg13g2 needs an area, for example area = '25",
        ),
        ({"device": "mim", "area": "1 um2"}, r"^\[mismatch\] resistor: mim is a capacitor, not a resistor$"),
        (
            {"device": "poly", "area": "1 um2"},
            r"^\[mismatch\] resistor: ihp-sg13g2 has no 'poly'; it has rppd",
        ),
        ({"area": "0.0001 um2"}, r"^\[mismatch\] resistor: rppd of 0\.0001 um\^2 deviates by 600 %"),
    ],
)
def test_what_a_technology_cannot_say_is_refused(tolerance, message):
    with pytest.raises(DesignError, match=message):
        WARM.replace(mismatch={"resistor": tolerance})


def test_a_temperature_without_coefficients_is_refused():
    with pytest.raises(DesignError, match=r"^\[circuit\] temperature: needs coefficients: \[circuit\] tech"):
        DESIGN.replace(temperature="85 C")


VALUES = """
import hashlib
import numpy as np
from lmu_analog import Design
from lmu_analog.building import build
from lmu_analog.circuits.families.registry import FAMILIES

digest = hashlib.sha256()
for name, family in FAMILIES.items():
    for realization in family.realizations:
        for order in (3, 12):
            circuit = build(Design(order=order, theta="1 ms", family=name, realization=realization))
            for c in filter(None, (circuit, circuit.small_signal)):
                digest.update(c.values.tobytes())
                digest.update(np.array([term.factor for terms in c.probes for term in terms]).tobytes())
print(digest.hexdigest())
"""


def test_nominal_values_have_the_same_bytes_with_plain_variants_of_numpy_lapack_and_the_c_library():
    umath = pytest.importorskip("numpy._core._multiarray_umath")
    plain = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(
            name for name in umath.__cpu_dispatch__ if umath.__cpu_features__[name]
        ),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
        "OPENBLAS_CORETYPE": "Prescott",
    }
    found = [
        subprocess.run(
            [sys.executable, "-c", VALUES],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=True,
            timeout=200,
        ).stdout
        for more in ({}, plain)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_nominal_values_have_twelve_digits(family):
    circuit = build(Design(order=3, theta="1 ms", family=family))
    for part in filter(None, (circuit, circuit.small_signal)):
        # Offsets and bandwidths of op-amps are a data sheet's, of fewer digits.
        assert [float(f"{x:.11e}") for x in part.values] == part.values.tolist()
        assert with_twelve_digits(part) == part
