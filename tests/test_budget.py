"""The error budget: its parts against formulas, theory and ngspice, and their sum against the whole."""

import json
import math

import numpy as np
import pytest

from lmu_analog import Design, simulate
from lmu_analog.analysis.budget import CONTRIBUTORS, budget
from lmu_analog.analysis.figures_of_merit import figures_of_merit
from lmu_analog.analysis.noise import noise
from lmu_analog.building import realization
from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.cli import run_command
from lmu_analog.errors import SimulationError
from lmu_analog.memory.structure import matrices, scaled
from lmu_analog.memory.window import QUADRATURE
from lmu_analog.output.budget import SINAD, as_json, budget_tables, text
from lmu_analog.theory.first_order import first_order
from lmu_analog.theory.opamp_needs import Need, error_added_by_opamps

LOOSE = {"resistor": "1 %", "capacitor": "1 %"}
# Three families, each with several contributors of like size.
DESIGNS = {
    "slow op-amps": Design(
        order=6, theta="1 ms", mismatch={**LOOSE, "opamp": "1 %"}, values="E96",
        opamp={"gain": "70 dB", "gbw": "3 MHz", "slew": "1 V/us", "offset_max": "1 mV", "noise": "40 nV/rtHz"},
    ),
    "predistorted, differential": Design(
        order=4, theta="100 us", family="active-rc-differential", opamp="TL072", mismatch=LOOSE, predistort="gbw",
    ),
    "transconductors": Design(
        order=4, theta="1 us", family="gm-c", realization="legendre", capacitance="1 pF",
        transconductor={"gain": "55 dB", "limit": "20 V", "parasitic": "5 fF", "pole": "1 GHz"},
        mismatch={"transconductor": "1 %", "capacitor": "1 %"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DESIGNS)
def test_the_contributors_add_up_to_the_whole(name: str):
    found = budget(DESIGNS[name], samples=60)
    assert found.cause.values.tolist() == list(CONTRIBUTORS)
    assert found.attrs["engine"] == "nonlinear"
    # The goal: what contributors do only together is below a tenth of the power. The draws are the same.
    assert abs(found.attrs["remainder_share"]) < 0.1
    whole = float(QUADRATURE.weight @ found.measured.values)
    total = float(found.mean_power.sum() + QUADRATURE.weight @ found.remainder.values)
    assert total == pytest.approx(whole, rel=1e-9)  # rounding: the remainder is stated
    assert math.sqrt(whole) == pytest.approx(found.attrs["measured_nrmse"], rel=1e-12)


@pytest.mark.parametrize(
    ("contributor", "figures"), [("gain", {"gain": 1e3}), ("speed", {"crossover": 2e6 * np.pi})]
)
def test_gain_and_bandwidth_cost_what_the_formula_says(contributor: str, figures: dict[str, float]):
    band = 2e3
    centres = (np.arange(40) + 0.5) / 40 * band
    design = Design(
        order=6,
        theta="1 ms",
        bandwidth=band,
        family="active-rc-differential",
        realization="legendre",
        opamp={"gain": 1e3, "gbw": "1 MHz", "rail": "100 V"},
        supply=0.8,
        headroom=0.5,
        tones=tuple((float(f), 0.01, 0.0) for f in centres),
    )
    found = budget(design)
    wanted = error_added_by_opamps(realization(design), Need(**figures), bandwidth=band)
    # Outputs swing as far as the input, as in the formula; forty tones in place of the integral over the band.
    assert float(found.mean_alone.sel(cause=contributor)) == pytest.approx(wanted, rel=0.01)


def test_equal_offsets_show_as_the_formula_says():
    design = Design(
        order=5, theta="1 ms", family="active-rc-differential", realization="legendre",
        opamp={"gain": "120 dB", "gbw": "100 MHz", "offset": "1 mV"},
    )  # fmt: skip
    found, built = budget(design), realization(design)
    scale = peak_scale(built.structure, design.bandwidth, amplitude=0.5, swing=3.5)
    _, F, G = matrices(scaled(built.structure, scale))
    # x_off = -A^-1 diag(g) V_os, the noise gain's g against the integrators' A.
    states = built.readout / scale @ np.linalg.solve(F, (np.abs(F).sum(axis=1) + np.abs(G[:, 0])) * 1e-3)
    # Half of it at each output; the states are read from the difference of outputs that swing as one would.
    wanted = 0.5 * math.sqrt(states**2 @ (1.0 / (2.0 * np.arange(5) + 1.0))) / design.stimulus.rms
    # A0 of 1e6 lets each offset through but for 1e-6 times the noise gain.
    assert float(found.mean_alone.sel(cause="offset")) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("bias", ["0 A", "20 uA"])  # which parts that deviate turn into offsets
def test_mismatch_is_what_first_order_theory_says(bias: str):
    opamp = {"gain": "120 dB", "gbw": "100 MHz", "bias": bias, "rail": "100 V"}
    design = Design(order=6, theta="1 ms", mismatch=LOOSE, opamp=opamp)
    found = budget(design, samples=300)
    # 300 samples: 3 % of an rms at one sigma, and second order at sigma = 0.33 %.
    assert float(found.mean_alone.sel(cause="mismatch")) == pytest.approx(
        first_order(design).predicted_rms, rel=0.1
    )


def test_noise_is_that_of_the_noise_analysis():
    design = Design(order=4, theta="1 ms", opamp="LM358")
    found = budget(design)
    wanted = math.sqrt(noise(design).attrs["window_mean_v2"]) / design.stimulus.rms
    assert float(found.mean_alone.sel(cause="noise")) == pytest.approx(wanted, rel=1e-9)  # the same figures


@pytest.mark.ngspice
def test_input_ranges_distort_as_in_ngspice():
    ota = {"gain": "60 dB", "limit": "8 V"}
    design = Design(order=3, theta="1 ms", family="gm-c", realization="legendre", transconductor=ota)
    found = budget(design)
    assert found.attrs["engine"] == "nonlinear"
    real = float(simulate(design, engine="ngspice").window_nrmse) ** 2
    straight = float(simulate(design).window_nrmse) ** 2
    part = float(found.mean_power.sel(cause="distortion"))
    assert part > 0.01 * straight  # there is something to see
    # ngspice's steps leave 1e-5 of full scale, beside a difference of mean squares.
    assert part == pytest.approx(real - straight, rel=0.01)


@pytest.mark.ngspice
def test_what_balance_cannot_do_is_done_by_ngspice():
    opamp = {"gain": "80 dB", "gbw": "1 MHz", "rail": "2 V"}
    found = budget(Design(order=1, theta="1 ms", opamp=opamp, supply=2.5, headroom="0 %", signal="sine"))
    assert found.attrs["engine"] == "ngspice"  # a sine up to the rail itself
    assert 0.0 < float(found.mean_alone.sel(cause="distortion")) < 0.1
    assert abs(found.attrs["remainder_share"]) < 1e-3  # nothing is measured apart then


def test_rounded_values_are_a_contributor_of_their_own():
    design = Design(order=4, theta="1 ms", values="E24")
    found = budget(design)
    wanted = float(simulate(design).window_nrmse) ** 2 - float(simulate(design).truncation_nrmse) ** 2
    assert float(found.mean_power.sel(cause="values")) == pytest.approx(
        wanted, rel=1e-6
    )  # time against phasors
    for contributor in ("gain", "speed", "offset", "mismatch", "distortion"):
        assert float(found.mean_alone.sel(cause=contributor)) < 1e-12  # rounding


def test_an_unstable_circuit_has_no_budget():
    with pytest.raises(
        SimulationError, match=r"^the nominal circuit is unstable: it has no steady state to sp"
    ):
        budget(Design(order=12, theta="1 us", opamp={"gain": "60 dB", "gbw": "1 MHz"}))


def test_the_command_gives_one_object_and_a_figure(tmp_path, capsys):
    path, figure = tmp_path / "d.toml", tmp_path / "b.svg"
    path.write_text(
        '[memory]\norder = 3\n[circuit]\nfamily = "active-rc"\nopamp = "TL072"\n[mismatch]\nresistor = "1 %"\n'
    )
    assert run_command(["budget", str(path), "-n", "10", "--json", "--plot", str(figure)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [c["cause"] for c in found["causes"]] == list(CONTRIBUTORS)
    assert sum(c["share"] for c in found["causes"]) + found["remainder_share"] == pytest.approx(1.0, rel=1e-9)
    assert [p["r"] for p in found["places"]] == [0.0, 0.5, 1.0]
    assert found["merits"]["headroom"] == pytest.approx(
        0.3, abs=0.01
    )  # the design's own, but for the op-amps
    assert figure.read_text().startswith("<?xml")
    assert run_command(["budget", str(path), "-n", "10"]) == 0
    assert "truncation of the order" in capsys.readouterr().out
    assert run_command(["budget", str(path), "--plot", "x.doc"]) == 2


def test_sinad_and_its_bits_say_what_they_leave_out():
    # Op-amps of little gain: the window is wrong by percents, and the bits do not tell.
    opamp = {"gain": "40 dB", "gbw": "100 MHz", "noise": "40 nV/rtHz"}
    design = Design(order=2, theta="1 ms", bandwidth="200 Hz", opamp=opamp)
    found = budget(design, samples=1)
    content = as_json(found, figures_of_merit(design))
    assert content["merits"]["joint_error"] == content["merits"]["worst_corner"]
    assert set(content["sinad_leaves_out"]) == set(CONTRIBUTORS) - {"noise", "distortion"}
    counted = np.sqrt((found.alone.sel(cause=["noise", "distortion"]) ** 2).sum("cause").values)
    place = content["places"][1]
    middle = float(np.interp(0.5, found.delay.values, counted))
    assert place["sinad_db"] == pytest.approx(-20.0 * math.log10(middle), abs=0.01)  # between two points
    assert place["window_db"] < place["sinad_db"] - 20.0
    assert " ".join(text(content).split()).count(SINAD) == 1
    assert SINAD in budget_tables(content)[1].caption
