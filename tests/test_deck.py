"""Decks keep the conventions that other people's scripts rely on."""

import re

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Term
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError
from lmu_analog.spice.deck import Sweep, Transient, deck, expression, transient
from lmu_analog.spice.deckcheck import inspect
from lmu_analog.stimulus import Recording, multitone

DESIGN = Design(order=3, theta="1 ms", bandwidth="1 kHz")


def example(design: Design = DESIGN) -> str:
    circuit = build(design)
    return deck(
        circuit,
        transient(circuit, design.stimulus, settle=5e-3),
        design.stimulus,
        notes=("seed = 1", "sample = 2"),
    )


def test_the_first_line_is_a_title_and_the_header_names_the_circuit():
    lines = example().splitlines()
    assert lines[0].startswith("Legendre memory, active-rc cap-feedforward, order 3")
    for expected in (
        "* family = active-rc",
        "* realization = cap-feedforward",
        "* order = 3",
        "* theta = 0.001",
        "* seed = 1",
        "* sample = 2",
        "* input = v(u)",
    ):
        assert expected in lines


@pytest.mark.parametrize("family", ["active-rc", "rc-synapse"])
def test_every_state_has_a_probe_whose_vectors_are_saved(family):
    text = example(DESIGN.replace(family=family))
    probes = re.findall(r"^\* probe m(\d+) = (.*)$", text, re.MULTILINE)
    assert [int(k) for k, _ in probes] == [0, 1, 2]
    saved = re.search(r"^\.save (.*)$", text, re.MULTILINE)[1].split()
    for _, probe in probes:
        assert set(re.findall(r"[vi]\(\w+\)", probe)) <= set(saved)


def test_a_deck_has_no_control_include_or_path_and_ends():
    text = example(DESIGN.replace(opamp="OPA2192"))
    assert not re.search(r"^\.(control|include|lib)", text, re.MULTILINE | re.IGNORECASE)
    # A slash may only divide, as in the limiters' tanh((v(x)-min(max(v(x),-4.75),4.75))/0.25).
    assert all(re.search(r"tanh\(\(.*\)/[0-9.e-]+\)$", line) for line in text.splitlines() if "/" in line)
    assert text.endswith(".end\n")


def test_values_are_plain_numbers_without_suffixes():
    for line in example().splitlines():
        if line[0] in "RC":
            assert re.fullmatch(r"\w+ \w+ \w+ [0-9.]+(e[+-]?[0-9]+)?", line)


def test_the_transient_has_a_largest_step_and_runs_a_period_and_theta_past_settling():
    circuit, tones = build(DESIGN), multitone(1e3, 0.5)
    analysis = transient(circuit, tones, settle=5e-3)
    assert analysis.stop >= 5e-3 + tones.period + circuit.theta
    fields = re.search(r"^\.tran (.*)$", deck(circuit, analysis, tones), re.MULTILINE)[1].split()
    assert float(fields[3]) == analysis.step


def test_a_recording_runs_to_its_end():
    circuit, recording = build(DESIGN), Recording(1e-4, np.sin(np.arange(100.0)))
    assert transient(circuit, recording, settle=1.0).stop == pytest.approx(recording.duration)


def test_an_ac_sweep_asks_for_its_frequencies():
    assert ".ac lin 10 100.0 1000.0" in deck(build(DESIGN), Sweep(10, 100.0, 1000.0))


def test_a_probe_is_a_linear_expression_with_signs():
    assert expression((Term("i", "vs3", -7e4), Term("v", "X1", 0.5))) == "-70000.0*i(vs3) + 0.5*v(x1)"
    assert expression((Term("v", "x1", 0.5), Term("v", "x2", -2.0))) == "0.5*v(x1) - 2.0*v(x2)"


def test_a_note_cannot_add_a_line():
    text = deck(build(DESIGN), Transient(1.0, 0.1), notes=("seed\n.control\nshell rm",))
    assert "\n.control" not in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("R1 a", r"line 2: 'R1 a' is no name, two nodes and a positive value"),
        ("R1 a b 0", r"line 2: 'R1 a b 0' is no name"),
        ("R1 a b 4k7", r"line 2: 'R1 a b 4k7' is no name"),
        ("C1 a b -1e-9", r"line 2: .* is no name"),
        ("L1 a b nan", r"line 2: .* is no name"),
        (".control", r"line 2: .control is not allowed"),
        (".INCLUDE x", r"line 2: .INCLUDE is not allowed"),
    ],
)
def test_what_ngspice_would_swallow_is_refused(line, message):
    with pytest.raises(SimulationError, match=message):
        inspect(f"title\n{line}\n.end\n")


def test_a_deck_that_was_cut_short_is_refused():
    with pytest.raises(SimulationError, match="cut short"):
        inspect("title\nR1 a b 1.0\n")


def test_a_sound_deck_passes_inspection_unchanged():
    assert inspect(example()) == example()
