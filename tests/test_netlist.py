"""PySpice netlists say what the circuit says."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.design import Design
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.spice.cards import Source
from lmu_analog.spice.elements import opamp_subcircuit
from lmu_analog.spice.netlist import lead, needs_file, netlist, recording_points
from lmu_analog.stimulus import Recording, multitone


def lines_of(text: object) -> list[str]:
    return str(text).splitlines()


@pytest.mark.parametrize("family", ["active-rc", "rc-synapse"])
def test_every_component_is_one_line_named_alike(family):
    circuit = build(Design(order=4, theta="1 ms", family=family))
    written = [line.split()[0] for line in lines_of(netlist(circuit)) if not line.startswith((".", "Vin"))]
    # An ideal op-amp U... is written as an E source of the same name.
    assert sorted(written) == sorted(
        c.name.replace("U", "E", 1) if c.name[0] == "U" else c.name for c in circuit.components
    )


def test_real_opamps_are_subcircuits_without_parameters():
    circuit = build(Design(order=3, theta="1 ms", opamp="OPA2192"))
    text = lines_of(netlist(circuit))
    assert [line for line in text if line.startswith(".subckt")] == [".subckt op_OPA2192 p n out"]
    calls = [line.split() for line in text if line.startswith("X")]
    assert len(calls) == sum(c.name[0] == "U" for c in circuit.components)
    assert all(len(call) == 5 and call[-1] == "op_OPA2192" for call in calls)


def test_opamps_that_differ_get_models_of_their_own():
    design = Design(order=2, theta="1 ms", opamp="OPA2192", mismatch={"opamp": "10 %"})
    mismatched = sample_circuit(design, seed=0, index=0)
    subcircuits = [line for line in lines_of(netlist(mismatched)) if line.startswith(".subckt")]
    assert len(set(subcircuits)) == sum(c.name[0] == "U" for c in mismatched.components)


def test_an_opamp_without_rails_and_slew_has_no_behavioural_source():
    cards = opamp_subcircuit(OpAmpModel("plain", gain=1e5, gbw=1e6), "plain").cards
    assert "B" not in {card.name[0] for card in cards}


def test_an_offset_stands_as_a_source_at_the_plus_input():
    cards = opamp_subcircuit(OpAmpModel("plain", gain=1e5, gbw=1e6, offset=2e-3), "plain").cards
    assert Source("Vos", ("q", "p"), "0.002") in cards
    design = Design(order=1, theta="1 ms", opamp={"gain": 1e5, "gbw": "1 MHz", "offset": "2 mV"})
    assert "Vos q p 0.002" in lines_of(netlist(build(design)))


def test_tones_become_series_sources_of_which_one_has_ac():
    sources = [
        line for line in lines_of(netlist(build(Design(order=2)), multitone(1.0, 0.5))) if line[0] == "V"
    ]
    assert len(sources) == 10
    assert sum("AC 1" in line for line in sources) == 1


def test_a_recording_that_jumps_at_its_start_gets_a_ramp_from_rest():
    points = recording_points(Recording(0.1, np.array([1.0, 2.0, 0.0])))
    assert points[0].tolist() == [0.0, 0.0]
    assert points[1, 1] == 0.0
    assert points[2].tolist() == [lead(Recording(0.1, np.array([1.0, 2.0, 0.0]))), 1.0]


def test_a_recording_that_starts_at_zero_keeps_its_clock():
    recording = Recording(0.1, np.array([0.0, 2.0, 1.0]))
    assert lead(recording) == 0.0
    assert recording_points(recording)[:, 0].tolist() == recording.time.tolist()


def test_long_recordings_are_read_from_a_file_beside_the_deck():
    recording = Recording(1e-4, np.array([0.0, *([0.1, -0.1] * 2000)]))
    assert needs_file(recording)
    text = str(netlist(build(Design(order=2)), recording))
    assert 'filesource (file="input.txt"' in text
    assert "/" not in text.split("file=")[1].split('"')[1]
