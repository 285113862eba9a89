"""ngspice's input is compared with the signal after every run: a changed source is an error, not another result."""

import numpy as np
import pytest

from lmu_analog import Design, build
from lmu_analog.errors import SimulationError
from lmu_analog.simulation import ngspice_task
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, Transient, deck
from lmu_analog.spice.deckcheck import check_inputs
from lmu_analog.spice.netlist import MOST_PWL_POINTS, recording_points
from lmu_analog.spice.worker import Worker
from lmu_analog.stimulus import Recording, Stimulus, Tones

TONES = Tones(np.array([100.0, 200.0]), np.array([0.1, -0.2]), np.array([0.3, 0.0]))
POINTS = Recording(1e-4, np.array([0.3, -0.1, 0.5, 0.2]))
LONG = Recording(1e-6, np.linspace(0.3, -0.4, MOST_PWL_POINTS + 1))
CIRCUIT = build(Design(order=1, theta="1 ms"))


@pytest.mark.parametrize("stimulus", [TONES, POINTS, LONG])
def test_a_decks_sources_are_read_as_the_signal_that_they_stand_for(stimulus: Stimulus):
    text = deck(CIRCUIT, Transient(1e-2, 1e-6), stimulus)
    time = np.linspace(0.0, 1e-2, 1001)
    if isinstance(stimulus, Recording):
        points = recording_points(stimulus)
        u, recording = np.interp(time, *points.T), points
    else:
        u, recording = stimulus(time), None
    check_inputs(text, {"time": time, "v(u)": u}, recording=recording)
    with pytest.raises(
        SimulationError, match=r"input v\(u\) differs from the signal by .*e-06 V: something in"
    ):
        check_inputs(text, {"time": time, "v(u)": u + 2e-6}, recording=recording)
    with pytest.raises(SimulationError, match=r"input v\(u\) differs from the signal by nan V"):
        check_inputs(text, {"time": time, "v(u)": u * np.nan}, recording=recording)


def test_the_input_of_a_sweep_is_one():
    text = deck(CIRCUIT, Sweep(3, 1.0, 3.0))
    found = {"frequency": np.arange(1.0, 4.0), "v(u)": np.ones(3, complex)}
    check_inputs(text, found)
    with pytest.raises(SimulationError, match=r"input v\(u\) differs from the signal by 1 V"):
        check_inputs(text, {**found, "v(u)": np.zeros(3, complex)})


@pytest.mark.ngspice
def test_what_changes_a_source_is_an_error_and_untouched_signals_pass():
    with Worker() as worker:
        for stimulus in (TONES, POINTS, LONG):
            analysis, text, recording = ngspice_task(CIRCUIT, stimulus, settle=0.0)
            assert worker.call(ngspice.run_here, (text, analysis, recording), timeout=60.0)["time"].size > 100
        analysis, text, _ = ngspice_task(CIRCUIT, TONES, settle=0.0)
        changed = text.replace("\n.save", "\n.func sin(x) {0}\n.save")
        with pytest.raises(SimulationError, match=r"input v\(u\) differs from the signal"):
            worker.call(ngspice.run_here, (changed, analysis), timeout=60.0)
