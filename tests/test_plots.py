"""Plots show the numbers they are given, say their units, and compute nothing else."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot
from matplotlib.axes import Axes

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.output import plots
from lmu_analog.output.figures import bode
from lmu_analog.simulation import simulate

DESIGN = Design(order=6, theta="1 ms", bandwidth="1 kHz", opamp="OPA2192", mismatch={"resistor": "1 %"})


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return simulate(DESIGN)


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    return monte_carlo(DESIGN, 40, workers=1)


def ensemble(errors: list[float]) -> xr.Dataset:
    values = np.array(errors)
    status = np.where(np.isnan(values), 2, np.where(np.isinf(values), 1, 0))
    return xr.Dataset({"window_nrmse": ("sample", values), "status": ("sample", status)})


def sensitivity(count: int) -> xr.Dataset:
    share = np.arange(count, 0.0, -1.0) / np.arange(1, count + 1).sum()
    names = np.array([f"Ra_{k}_0" for k in range(count)], dtype=object)
    return xr.Dataset(
        {"share": ("element", share), "excess": ("element", 0.01 * np.sqrt(share))}, {"element": names}
    )


def labels(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = [drawn for drawn in ax.get_lines() if drawn.get_label() == label]
    return np.asarray(found.get_ydata(), float)


def test_the_window_is_drawn_at_the_instant_asked_for(result: xr.Dataset):
    ax = plots.plot_window(result, at=2e-3)
    at = result.sel(time=2e-3, method="nearest")
    np.testing.assert_array_equal(line(ax, "ideal window u(t − rθ)"), at.window)
    assert ax.get_xlabel().startswith("Delay r (θ)")
    assert ax.get_ylabel() == "Input u (V)"


def test_the_window_is_drawn_where_it_holds_most_unless_told(result: xr.Dataset):
    loudest = (result.window**2).sum("delay").max()
    drawn = line(plots.plot_window(result), "ideal window u(t − rθ)")
    assert float((drawn**2).sum()) == pytest.approx(float(loudest), rel=1e-12)  # the order of summing


def test_the_curve_of_the_window_runs_through_the_estimate(result: xr.Dataset):
    ax = plots.plot_window(result, at=0.0)
    curve = np.interp(result.delay, np.linspace(0.0, 1.0, 301), line(ax, "circuit (exact)"))
    # 301 points, drawn straight between: h^2/8 of the second derivative, about 5e-5 of the amplitude.
    np.testing.assert_allclose(curve, result.estimate[0], atol=2e-4)


def test_traces_keep_their_volts_and_are_set_apart(result: xr.Dataset):
    ax = plots.plot_traces(result, delays=(0.0, 1.0))
    ideal, _, lower, _ = (np.asarray(drawn.get_ydata(), float) for drawn in ax.get_lines())
    np.testing.assert_array_equal(ideal, result.window[:, 0])
    assert lower.max() < ideal.min()
    assert np.ptp(lower) == pytest.approx(
        np.ptp(result.window.values[:, -1]), rel=1e-12
    )  # shifted, not scaled
    assert ax.get_xlabel() == "Time (ms)"
    assert [text.get_text() for text in ax.texts] == ["r = 0.00", "r = 1.00"]


def test_a_profile_has_every_engine_the_truncation_and_the_band(result: xr.Dataset, run: xr.Dataset):
    ax = plots.plot_profile({"exact": result, "ngspice": result, "mismatch": run})
    assert labels(ax) == [
        "ideal memory (truncation)",
        "circuit (exact)",
        "circuit (ngspice)",
        "mismatch, p05 to p95",
        "mismatch, median",
    ]
    np.testing.assert_array_equal(line(ax, "circuit (exact)"), 100.0 * result.profile)
    median = 100.0 * np.median(run.profile, axis=0)
    np.testing.assert_allclose(line(ax, "mismatch, median"), median, rtol=1e-12)  # rounding
    assert ax.get_ylabel() == "NRMSE (% of rms(u))"


def test_a_single_result_and_a_single_run_have_a_profile(result: xr.Dataset, run: xr.Dataset):
    assert "circuit (exact)" in labels(plots.plot_profile(result))
    assert labels(plots.plot_profile(run)) == ["mismatch, p05 to p95", "mismatch, median"]


def test_a_histogram_counts_every_finite_sample_and_names_the_others():
    errors = [*np.linspace(0.01, 0.06, 50), np.inf, np.inf, np.nan]
    ax = plots.plot_histogram(ensemble(errors), limit=0.05, nominal=0.01)
    assert sum(bar.get_height() for bar in ax.patches) == 50
    assert ax.get_title("left") == "53 circuits: 2 unstable, 1 failed"
    assert labels(ax) == ["nominal  1 %", "median  3.5 %", "p95  5.75 %", "limit  5 %"]


def test_bars_beyond_the_limit_are_hatched_and_hold_exactly_the_bad_samples():
    errors = [*np.linspace(0.01, 0.06, 51)]
    ax = plots.plot_histogram(ensemble(errors), limit=0.0455)
    bad = sum(bar.get_height() for bar in ax.patches if bar.get_hatch())
    assert bad == sum(error > 0.0455 for error in errors)


@pytest.mark.parametrize("errors", [[0.02], [0.02] * 5, [0.0, 0.0], [np.inf, np.nan], [0.01] * 50 + [9.0]])
def test_a_histogram_bears_few_equal_absent_and_far_samples(errors: list[float]):
    ax = plots.plot_histogram(ensemble(errors), limit=0.05)
    far = sum(error > 1.0 for error in errors if np.isfinite(error))
    assert sum(bar.get_height() for bar in ax.patches) == np.isfinite(errors).sum() - far
    assert ("1 beyond the axis" in ax.get_title("left")) == bool(far)


@pytest.mark.parametrize("order", [1, 6, 24])
def test_a_bode_plot_has_every_state_and_a_legend_that_stays_short(order: int):
    response = bode(build(Design(order=order, theta="1 ms", bandwidth="1 kHz")), bandwidth=1e3)
    ax = plots.plot_bode(response)
    assert len(ax.get_lines()) == 2 * order
    assert len(labels(ax)) == min(order, 6) + 1
    assert ax.get_ylabel() == "Legendre states: |m/u| (dB)"
    assert plots.plot_bode(response, of="tap", quantity="phase").get_ylabel() == "Window taps: phase (°)"


def test_the_oldest_tap_is_a_delay_of_theta_inside_the_band():
    response = bode(build(Design(order=8, theta="1 ms", bandwidth="1 kHz")), bandwidth=1e3).sel(delay=1.0)
    inside = response.frequency < 1e3
    delay = -360.0 * 1e-3 * response.frequency[inside]
    # The Padé approximation behind the memory (Voelker et al., 2019): below 0.1 degrees at this order.
    np.testing.assert_allclose(response.tap_phase[inside], delay, atol=0.1)
    np.testing.assert_allclose(response.tap_phase, response.ideal_tap_phase, atol=1e-3)  # ideal op-amps


def test_elements_are_bars_in_order_with_a_note_on_the_others():
    ax = plots.plot_elements(sensitivity(20), count=5)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [f"Ra_{k}_0" for k in range(5)]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], 100.0 * sensitivity(20).share[:5])
    assert ax.get_title("right") == "15 others: 57.1 % of the variance"
    assert "(%)" in ax.get_xlabel()


@pytest.mark.parametrize("plot", [plots.plot_window, plots.plot_traces, plots.plot_profile])
def test_axes_that_are_given_are_used(plot: Callable[[xr.Dataset, Axes], Axes], result: xr.Dataset):
    _, ax = pyplot.subplots()
    assert plot(result, ax) is ax


def test_importing_plots_and_report_loads_no_matplotlib():
    modules = "lmu_analog.output.plots, lmu_analog.output.report.page"
    code = f"import sys; import {modules}; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
