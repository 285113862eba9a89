"""A deck is what it claims, or what was changed is named: from the deck alone, whoever edited it."""

import json
import random
import re

import numpy as np
import pytest
from scipy.special import eval_sh_legendre

from lmu_analog.analysis.certificate import certified, checked, deviation, state_space
from lmu_analog.building import build
from lmu_analog.circuits.circuit import reading_taps, with_values
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import LmuAnalogError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.proofs import PROOFS
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.output.checking import check_deck
from lmu_analog.output.decks import deck_text
from lmu_analog.output.text_tables import percent
from lmu_analog.simulation import simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.cards import read_deck
from lmu_analog.spice.deck import Sweep
from lmu_analog.spice.readback import circuit_of, read_edited

DESIGN = Design(order=3, theta="1 ms", opamp="OPA2192", mismatch={"resistor": "1 %", "capacitor": "1 %"})
REAL = {"gain": 1e4, "gbw": "1 MHz", "offset": "1 mV", "output_resistance": "50 Ohm", "bias": "1 nA"}
OTA = {"gain": 100, "parasitic": "10 fF", "pole": "50 MHz", "limit": "0.2 V"}
CASES = [
    *((family, realization, opamp) for family, row in FAMILIES.items() for realization in row.realizations
      for opamp in ("ideal", REAL)),
]  # fmt: skip


def found_in(text):
    return checked(read_edited(text))


def names(text):
    return [item.name for item in found_in(text).difference.changed]


@pytest.mark.parametrize(("family", "realization", "opamp"), CASES)
def test_a_circuit_that_was_read_back_is_the_one_that_was_written(family, realization, opamp):
    design = DESIGN.replace(family=family, realization=realization, opamp=opamp)
    design = design.replace(transconductor=OTA) if family == "gm-c" and opamp != "ideal" else design
    given, back = state_space(build(design)), state_space(circuit_of(read_deck(deck_text(design))))
    frequency = design.bandwidth * np.linspace(0.01, 1.0, 50)
    wanted = frequency_response(given, frequency)
    # All digits are in the deck; a transistor's and a transconductor's figures are products and quotients of them.
    np.testing.assert_allclose(frequency_response(back, frequency), wanted, atol=1e-12 * np.abs(wanted).max())
    offset = 0.0 if given.offset is None else given.offset
    np.testing.assert_allclose(back.offset, offset, atol=1e-11)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_deck_of_every_family_holds(family):
    found = found_in(deck_text(DESIGN.replace(family=family)))
    assert found.claim.proofs == PROOFS
    assert found.claim.design == DESIGN.replace(family=family).digest
    assert found.broken == ()


@pytest.mark.parametrize(("points", "wave"), [(100, "PWL("), (3000, "filesource")])
def test_recordings_drive_the_circuit_and_are_no_part_of_it(points, wave, tmp_path):
    (tmp_path / "u.csv").write_text("\n".join(f"{1e-5 * k},{np.cos(0.01 * k)}" for k in range(points)))
    text = deck_text(DESIGN.replace(file=tmp_path / "u.csv"))
    assert wave in text
    assert found_in(text).broken == ()


def test_taps_are_part_of_the_circuit_and_of_the_comment_block():
    text = deck_text(DESIGN.replace(taps=[0.5, 1.0]))
    assert found_in(text).broken == ()
    assert names(re.sub(r"^\* tap2 = \S+", "* tap2 = 2.0*v(tap2)", text, flags=re.MULTILINE)) == ["tap2"]
    net = re.search(r"^(R\S+) \S+ \S+tap1\S* (\S+)$", text, re.MULTILINE)
    assert names(text.replace(net[0], net[0].replace(net[2], "1k"))) == [net[1]]


def tap_distances(response, frequency, design, r):
    """Average over f as it stands: from the ideal memory's tap, and from the delayed input."""
    row = np.array([eval_sh_legendre(i, r) for i in range(design.order)])
    ideal = frequency_response(legendre(design.order, design.theta), frequency) @ row
    delayed = np.exp(-2j * np.pi * frequency * r * design.theta)
    squares = (np.abs(response - other) ** 2 for other in (ideal, delayed))
    return [np.sqrt(np.trapezoid(square, frequency) / frequency[-1]) for square in squares]


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential", "gm-c", "rc-synapse"])
def test_taps_are_read_back_and_measured(family):
    design = DESIGN.replace(family=family, taps=[0.5, {"r": 1.0, "gain": 2.0}], opamp="ideal")
    design = design.replace(outputs=[{"weights": [0.5, 0.0, -0.25]}])
    found, circuit = found_in(deck_text(design)), build(design)
    wanted = [(tap.name, tap.net, tap.gain, tap.terms, tap.of.r, tap.of.weights) for tap in circuit.taps]
    read = [tap.output for tap in found.taps]
    assert [(tap.name, tap.net, tap.gain, tap.terms, tap.of.r, tap.of.weights) for tap in read] == wanted
    # Ideal parts: the ideal memory, whose error against the delayed input is the truncation at that delay.
    frequency = np.linspace(0.0, found.bandwidth, 2001)
    ideal = frequency_response(legendre(3, design.theta), frequency)
    for tap, r in zip(found.taps, (0.5, 1.0), strict=False):
        row = [eval_sh_legendre(i, r) for i in range(3)]
        assert tap.nrmse == pytest.approx(tap_distances(ideal @ row, frequency, design, r)[1], rel=1e-5)
    assert [tap.deviation for tap in found.taps] == pytest.approx([0.0] * 3, abs=1e-7)
    assert found.taps[2].nrmse == pytest.approx(0.0, abs=1e-7)  # it is to show what the ideal memory holds


def test_a_changed_weight_of_a_tap_is_its_own_error_alone():
    design = DESIGN.replace(taps=[0.5, 1.0])
    circuit, text = build(design), deck_text(design)
    name = "Rtap1_2"
    at = [p.name for p in circuit.parameters].index(name)
    values = circuit.values.copy()
    values[at] *= 1.3
    text = re.sub(rf"^({name} \S+ \S+) \S+$", rf"\1 {float(values[at])!r}", text, flags=re.MULTILINE)
    before, found = found_in(deck_text(design)), found_in(text)
    frequency = np.linspace(0.0, found.bandwidth, 2001)
    changed = reading_taps(with_values(circuit, values))
    response = frequency_response(extract(changed), frequency)[:, 3]
    wanted = tap_distances(response, frequency, design, 0.5)
    assert [found.taps[0].deviation, found.taps[0].nrmse] == pytest.approx(wanted, rel=1e-4)
    assert found.taps[0].deviation > 50.0 * before.taps[0].deviation
    assert found.taps[1].nrmse == pytest.approx(before.taps[1].nrmse, rel=1e-9)
    assert found.deviation == pytest.approx(before.deviation, rel=1e-9)


def test_the_command_tells_and_prints_taps(tmp_path, capsys):
    (tmp_path / "c.cir").write_text(deck_text(DESIGN.replace(taps=[0.5, {"r": 1.0, "gain": 2.0}])))
    assert run_command(["check", str(tmp_path / "c.cir"), "--json"]) == 0
    one, two = json.loads(capsys.readouterr().out)["taps"]
    assert (one["name"], one["r"], one["gain"], two["net"], two["gain"]) == ("tap1", 0.5, 1.0, "tap2", 2.0)
    assert run_command(["check", str(tmp_path / "c.cir")]) == 0
    assert f"tap2      {percent(two['nrmse'])} of rms(u) from 2 u(t - 1 theta), " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1.0*v(tap1)", "tap1 = '1.0[*]v[(]tap1[)]': 1.0[*]v[(]tap1[)], 1.0 times u"),
        ("1.0*v(tap1), 0 times u(t - 0.5 theta)", "tap1 = .*: 1.0[*]v[(]tap1[)], 1.0 times u"),
        ("1.0*v(none), 1.0 times u(t - 0.5 theta)", "tap1: no net 'none' in the deck"),
        (
            "1.0*v(tap1), 1.0 times u(t - 1.5 theta)",
            "tap1: 'u[(]t - 1.5 theta[)]': u[(]t - 0.5 theta[)], or a sum",
        ),
        ("1.0*v(tap1), 1.0 times 1.0*m7", "tap1: '1.0[*]m7': u[(]t - 0.5 theta[)], or a sum of states"),
    ],
)
def test_a_tap_that_says_nothing_is_refused(line, message):
    text = deck_text(DESIGN.replace(taps=[0.5]))
    with pytest.raises(LmuAnalogError, match=message):
        found_in(re.sub(r"^\* tap1 = .*$", f"* tap1 = {line}", text, flags=re.MULTILINE))


def test_a_mismatch_sample_claims_its_own_distance():
    text = deck_text(DESIGN, sample=3, seed=1)
    found = found_in(text)
    assert found.broken == ()
    assert found.deviation > 5.0 * found_in(deck_text(DESIGN)).deviation


def window_distance(response, frequency, design, order):
    """Average the difference of two windows over r and f as it stands, by the trapezoidal rule."""
    ideal = frequency_response(legendre(order, design.theta), frequency)
    r = np.linspace(0.0, 1.0, 401)
    rows = np.stack([eval_sh_legendre(i, r) for i in range(order)], axis=-1)
    square = np.abs((response - ideal) @ rows.T) ** 2
    return np.sqrt(np.trapezoid(np.trapezoid(square, r, axis=1), frequency) / frequency[-1])


def test_a_clocked_circuit_is_measured_at_the_instants_of_its_clock():
    """As ``simulate`` does, whose reference error is that of its own ten tones; half a sample would be 0.4 %."""
    design = DESIGN.replace(
        family="switched-capacitor", realization="legendre", taps=[1.0], mismatch={}, opamp="ideal"
    )
    found, run = found_in(deck_text(design)), simulate(design)
    assert found.broken == ()
    assert found.deviation == pytest.approx(float(run.reference_nrmse), rel=0.3)
    assert found.taps[0].nrmse == pytest.approx(float(run.tap_nrmse[0]), rel=0.5)
    assert found.taps[0].deviation < 1e-4


@pytest.mark.parametrize("share", [0.9, 1.1, 2.0])
@pytest.mark.parametrize("name", ["Rb_0", "Cint_1", "Ra_2_1"])
def test_a_changed_value_is_named_and_the_memory_as_far_off_as_the_circuit_with_that_value(name, share):
    circuit = build(DESIGN)
    at = [p.name for p in circuit.parameters].index(name)
    values = circuit.values.copy()
    values[at] *= share
    text = re.sub(
        rf"^({name} \S+ \S+) \S+$", rf"\1 {float(values[at])!r}", deck_text(DESIGN), flags=re.MULTILINE
    )
    found = found_in(text)
    assert [item.name for item in found.difference.changed] == [name]
    frequency = np.linspace(0.0, DESIGN.bandwidth, 401)
    response = frequency_response(extract(with_values(circuit, values)), frequency)
    # The trapezoidal rule of 401 points is right to 1e-5.
    assert found.deviation == pytest.approx(window_distance(response, frequency, DESIGN, 3), rel=1e-4)
    assert found.broken[0] == f"changed: {name}"


@pytest.mark.ngspice
@pytest.mark.parametrize(("family", "edit"), [
    ("active-rc", ("Rb_0 un g0", "Rb_0 un g0 150e3")),
    ("active-rc-differential", ("Cint_0_p", None)),
    ("gm-c", ("Cint_1 x1 0", "Cint_1 x1 0 1.2e-9")),
    ("passive-rlc", ("L_0 u n0", "L_0 u n0 90.0")),
    ("rc-synapse", ("Rtau_1 x1 0", None)),
    ("dpi", (None, None)),
])  # fmt: skip
def test_ngspice_finds_the_distance_that_the_check_gives(family, edit):
    design = DESIGN.replace(family=family)
    text = deck_text(design)
    if edit[1]:
        text = re.sub(rf"^{edit[0]} \S+$", edit[1], text, flags=re.MULTILINE)
        assert edit[1] in text
    found = found_in(text)
    points = 41
    swept = re.sub(r"^\.tran .*$", f".ac lin {points} 1e-3 {design.bandwidth!r}", text, flags=re.MULTILINE)
    vectors = ngspice.run(swept, Sweep(points, 1e-3, design.bandwidth))
    probes = re.findall(r"^\* probe m\d+ = (.*)$", text, re.MULTILINE)
    term = r"(-?[0-9.e+-]+)\*([vi]\(\w+\))"
    states = [sum(float(f) * vectors[v] for f, v in re.findall(term, p.replace("- ", "-"))) for p in probes]
    frequency = np.linspace(1e-3, design.bandwidth, points)
    by_ngspice = window_distance(np.stack(states, axis=-1), frequency, design, 3)
    # 41 points are right to 1e-3; an ideal op-amp of ngspice has a gain of 1e8. Its operating point of transistors is
    # right to reltol: 1e-5 of 4.5 V over U_T = 26 mV is 2e-3 of a current in weak inversion.
    assert by_ngspice == pytest.approx(found.deviation, rel=5e-3, abs=2e-3 if family == "dpi" else 2e-6)


def test_every_card_of_the_circuit_is_named_when_its_value_changes():
    text = deck_text(DESIGN)
    lines = text.splitlines()
    within = ""
    tried = 0
    for k, line in enumerate(lines):
        word = line.split()[0]
        within = line.split()[1] if word == ".subckt" else "" if word == ".ends" else within
        if line[0] in "*." or word.startswith("Vin") or k == 0 or not re.search(r"\d\.\d+$|e-\d+$", line):
            continue
        changed = "\n".join([*lines[:k], f"{line.rpartition(' ')[0]} 0.12345", *lines[k + 1 :]]) + "\n"
        wanted = f"{within}.{word}" if within else word
        assert names(changed) == [wanted]
        tried += 1
    assert tried > 20


def test_what_drives_the_deck_and_what_is_analysed_may_be_changed():
    text = deck_text(DESIGN)
    text = re.sub(r"^\.tran .*$", ".tran 1u 5m\n.control\nrun\nplot v(x0)\n.endc", text, flags=re.MULTILINE)
    text = text.replace("SIN(0 ", "SIN(0.1 ").replace(".save ", ".save v(g0) ")
    found = found_in(text)
    assert found.broken == ()


def test_the_same_value_in_other_words_is_no_change():
    text = deck_text(DESIGN.replace(capacitance="2.2 nF"))
    edited = re.sub(
        r"^(Cint_\d) (\S+) (\S+) 2\.2e-09$", r"\1  \2 \3   2.2nF ; film", text, flags=re.MULTILINE
    )
    edited = edited.replace(" g0", " G0").replace("Xint_0 0 ", "Xint_0 GND ")
    assert edited.count("2.2nF") == 3
    assert found_in(edited).broken == ()


def test_parts_that_come_and_go_are_found():
    text = deck_text(DESIGN)
    added = found_in(text.replace(".options", "Rload x0 0 1k\n.options"))
    assert [item.name for item in added.difference.changed] == ["Rload"]
    assert added.difference.missing == 0
    assert added.broken[0] == "changed: Rload"
    gone = found_in(re.sub(r"^Cc_2_0 .*\n", "", text, flags=re.MULTILINE))
    assert (gone.difference.changed, gone.difference.missing) == ((), 1)
    assert gone.broken[0] == "missing: 1 of the elements or lines that it was written with"
    assert gone.deviation > 0.05


def test_a_changed_line_of_the_comment_block_is_named():
    text = deck_text(DESIGN)
    probe = re.sub(r"^\* probe m1 = .*$", "* probe m1 = 0.2*v(x1)", text, flags=re.MULTILINE)
    assert names(probe) == ["probe m1"]
    longer = found_in(text.replace("* theta = 0.001", "* theta = 0.002"))
    assert [item.name for item in longer.difference.changed] == ["theta"]
    assert longer.deviation > 0.1
    claimed = found_in(re.sub(r"deviation = \S+", "deviation = 1e-5", text))
    assert claimed.broken == ("another distance from the ideal memory than it claims",)
    proof = found_in(text.replace("proofs = pade", "proofs = riemann pade"))
    assert proof.broken == ("not proved: riemann",)


def test_an_unstable_circuit_is_no_memory():
    text = deck_text(DESIGN.replace(family="gm-c", realization="legendre"))
    edited = text.replace("Ga_0_0 0 x0 0 x0", "Ga_0_0 0 x0 x0 0")
    assert edited != text
    found = found_in(edited)
    assert found.deviation is None
    assert found.broken == ("changed: Ga_0_0", "the circuit is unstable")


def test_a_deck_without_a_certificate_is_measured_all_the_same(tmp_path, capsys):
    text = re.sub(r"^\* (design|proofs|deviation|checksums).*\n", "", deck_text(DESIGN), flags=re.MULTILINE)
    (tmp_path / "c.cir").write_text(text)
    assert run_command(["check", str(tmp_path / "c.cir"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["holds"] is None
    assert content["claimed"] == {"proofs": [], "deviation": None}
    assert content["deviation"] == pytest.approx(found_in(deck_text(DESIGN)).deviation)


def test_the_distance_of_a_theta_that_is_wrong_is_that_of_two_ideal_memories():
    """Two memories in closed form: the circuit's is the ideal one of another theta."""
    theta, other = 1e-3, 1.02e-3
    frequency = np.linspace(0.0, 300.0, 2001)
    wanted = window_distance(
        frequency_response(legendre(4, other), frequency), frequency, Design(order=4, theta=theta), 4
    )
    assert deviation(legendre(4, other), theta, 300.0) == pytest.approx(wanted, rel=1e-5)


def test_the_command_names_the_change_and_exits_with_one(tmp_path, capsys):
    (tmp_path / "d.toml").write_text('[memory]\norder = 3\ntheta = "1 ms"\n')
    path = tmp_path / "c.cir"
    assert run_command(["netlist", str(tmp_path / "d.toml"), "-o", str(path)]) == 0
    assert run_command(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "proved    pade hurwitz transform I1 I2 I3 I4; the deck names all of them" in out
    assert out.endswith("claims    holds\n")
    edited = re.sub(r"^(Ra_1_0 \S+ \S+) (\S+)$", r"\1 100k", path.read_text(), flags=re.MULTILINE)
    was = re.search(r"^Ra_1_0 \S+ \S+ (\S+)$", path.read_text(), re.MULTILINE)[1]
    path.write_text(edited)
    command = ["check", str(path), "--design", str(tmp_path / "d.toml"), "--json"]
    assert run_command(command) == 1
    said = capsys.readouterr()
    content = json.loads(said.out)
    assert content["changed"] == [{"name": "Ra_1_0", "value": "100k", "was": was}]
    assert content["holds"] is False
    assert re.search(
        r"c\.cir: changed: Ra_1_0; .*; the memory is [\d.]+ % of rms\(u\) from the ideal one, under", said.err
    )
    (tmp_path / "d.toml").write_text('[memory]\norder = 3\ntheta = "1 ms"\n[circuit]\nsupply = "3 V"\n')
    assert run_command(["check", str(path), "--design", str(tmp_path / "d.toml")]) == 1
    assert "made from another design than the one given" in capsys.readouterr().err


def test_a_sample_is_compared_with_the_same_sample_of_its_design(tmp_path):
    text = deck_text(DESIGN, sample=3, seed=1)
    was = re.search(r"^Rb_0 \S+ \S+ (\S+)$", text, re.MULTILINE)[1]
    (tmp_path / "c.cir").write_text(text.replace(was, "1k"))
    content = check_deck(tmp_path / "c.cir", DESIGN)
    assert [(item["name"], item["was"]) for item in content["changed"]] == [("Rb_0", was)]


HEAD = "t\n* family = a\n* realization = b\n* order = 1\n* theta = 1\n* input = v(u)\n* probe m0 = 1.0*v(x)\n"
BODY = "Vin u 0 DC 0 AC 1\nR1 u x 1\nC1 x 0 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the deck has no .end"),
        ("\0" * 10, "no deck: it has null characters"),
        (HEAD + BODY, "the deck has no .end: it was cut off"),
        (BODY + ".end\n", r"no line '\* order = ...' in the comment block"),
        (HEAD.replace("order = 1", "order = 99999") + BODY + ".end\n", "order = '99999': a whole number is wanted"),
        (HEAD.replace("order = 1", "order = 65") + BODY + ".end\n", "order 65 is outside 1 to 64"),
        (HEAD.replace("order = 1", "order = 2") + BODY + ".end\n", "order = 2, and 1 lines"),
        (HEAD.replace("theta = 1", "theta = inf") + BODY + ".end\n", "theta: 'inf' where a number above zero"),
        (HEAD.replace("theta = 1", "theta = 1e9") + BODY + ".end\n", "theta = 1e[+]09 s is outside"),
        (HEAD.replace("input = v(u)", "input = u") + BODY + ".end\n", "input = 'u': a net such as v"),
        (HEAD.replace("1.0*v(x)", "exp(v(x))") + BODY + ".end\n", "probe m0 = 'exp.*: a sum such as"),
        (HEAD.replace("1.0*v(x)", "1.0*v(y)") + BODY + ".end\n", "probe m0: no net 'y' in the deck"),
        (HEAD.replace("1.0*v(x)", "1.0*i(vx)") + BODY + ".end\n", "probe m0: no source or inductor 'vx'"),
        (HEAD + BODY.replace("R1 u x 1", "R1 u x") + ".end\n", "line 9: 'R1 u x': too few words"),
        (HEAD + BODY.replace("R1 u x 1", "R1 u x {R}") + ".end\n", "R1: '{R}' where a number above zero"),
        (HEAD + BODY.replace("R1 u x 1", "R1 u x -1") + ".end\n", "R1: '-1' where a number above zero"),
        (HEAD + BODY.replace("R1 u x 1", "R1 u x 1e999") + ".end\n", "R1: '1e999' where a number above zero"),
        (HEAD + BODY + "D1 x 0 dio\n.end\n", "line 11: 'D1 x 0 dio': no element of our decks"),
        (HEAD + BODY + "R1 x 0 1\n.end\n", "'r1' stands twice in the deck"),
        (HEAD + BODY + "X1 x 0 amp\n.end\n", "X1: no subcircuit 'amp' in the deck"),
        (HEAD + BODY + ".subckt amp a b\nR1 a b 1\n.ends\nX1 x 0 amp\n.end\n", "amp: no subcircuit of lmu-analog"),
        (HEAD + BODY + ".subckt amp a b\n.subckt b c d\n.ends\n.ends\n.end\n", "line 12: .*within another"),
        (HEAD + BODY + ".subckt amp a b\nR1 a b 1\n.end\n", "the deck has no .ends of 'amp'"),
        (HEAD + BODY + ".ends\n.end\n", "line 11: '.ends': no .subckt before it"),
        (HEAD + BODY + ".model m SW\n.end\n", "line 11: .*: a model is written NAME KIND"),
        (HEAD + BODY + ".include secret.lib\n.end\n", ".include: a deck is checked alone"),
        (HEAD + BODY + ".param r=1\n.end\n", ".param: a deck is checked alone"),
        (HEAD + BODY.replace("Vin u 0", "Vin u z") + ".end\n", "no voltage source, or a row of them, drives the input"),
        (HEAD + BODY + "B1 x 0 v=1\n.end\n", "B1: nodal analysis knows R, C"),
        (HEAD + BODY + "S1 x 0 clk3 0 sw\n.end\n", "S1: a switch that clk1 or clk2 closes"),
        (HEAD + BODY + "E1 z x z 0 1e8\n.end\n", "E1: an op-amp against ground is wanted, not against 'x'"),
        (HEAD + BODY + "V2 x 0 SIN(0 1 1)\n.end\n", "V2: a SIN source that does not drive the input"),
        (HEAD + "* dialect = xyce\n" + BODY + ".end\n", "a deck for 'xyce'; one for ngspice is wanted"),
        (HEAD + "* deviation = 3\n" + BODY + ".end\n", "deviation = ...: '0.35 % of rms"),
        (HEAD + BODY.replace("C1 x 0 1", "C1 x 0 1e-29\nC2 q r 1e29") + ".end\n", "."),
    ],
)  # fmt: skip
def test_what_is_no_deck_of_ours_gets_one_line_and_status_two(text, message, tmp_path, capsys):
    path = tmp_path / "c.cir"
    path.write_text(text)
    assert run_command(["check", str(path), "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith(f"lmu-analog: {path}: ")
    assert re.search(message, said.err)


def test_what_was_changed_is_named_even_where_the_circuit_cannot_be_analysed():
    text = deck_text(DESIGN).replace("Bout out 0 v=min(max(v(x),", "Bout out 0 v=min(max(2*v(x),")
    with pytest.raises(
        LmuAnalogError, match="its slope is not known; changed since it was written: op_OPA2192.Bout"
    ):
        found_in(text)


def test_files_that_are_no_text_are_refused(tmp_path, capsys):
    (tmp_path / "c.cir").write_bytes(b"\xff\xfe\x00deck")
    assert run_command(["check", str(tmp_path / "c.cir")]) == 2
    assert "is not UTF-8 text; give a deck" in capsys.readouterr().err
    assert run_command(["check", str(tmp_path / "none.cir")]) == 2
    assert "no such file; give a deck (lmu-analog netlist" in capsys.readouterr().err


@pytest.mark.parametrize("family", ["active-rc", "switched-capacitor", "dpi"])
def test_broken_decks_are_refused_or_measured_and_nothing_else(family):
    """Cut, swap, repeat and overwrite what stands in a deck, by seeded chance."""
    text = deck_text(DESIGN.replace(family=family, order=2))
    chance = random.Random(0)
    measured = 0
    for _ in range(150):
        lines = text.splitlines()
        for _ in range(chance.choice((1, 1, 2, 5))):
            k = chance.randrange(len(lines))
            match chance.randrange(5):
                case 0:
                    del lines[k]
                case 1:
                    lines.insert(k, chance.choice(lines))
                case 2:
                    words = lines[k].split(" ")
                    words[chance.randrange(len(words))] = chance.choice(
                        ("", "0", "-1", "1e40", "x0", "nan", "{", "\x1b", "é", "=" * 50)
                    )
                    lines[k] = " ".join(words)
                case 3:
                    at = chance.randrange(len(lines[k]) + 1)
                    lines[k] = lines[k][:at] + chance.choice("()*=.$;'\"% 0e") + lines[k][at:]
                case _:
                    lines[k] = lines[k][: chance.randrange(len(lines[k]) + 1)]
        try:
            found = found_in("\n".join(lines))
        except LmuAnalogError:
            continue
        measured += 1
        assert found.deviation is None or found.deviation >= 0.0
    assert measured > 20


def test_a_certificate_says_what_could_not_be_analysed():
    deck = read_deck(deck_text(DESIGN))
    bare = tuple(c for c in deck.comments if not c.startswith(("design", "proofs", "deviation", "checksums")))
    circuit = build(DESIGN.replace(family="gm-c"))
    open_circuit = type(circuit)(
        circuit.family, circuit.realization, 1e-3, circuit.components[:1], circuit.probes
    )
    found = certified(type(deck)(deck.title, bare, deck.cards), open_circuit, digest="0", bandwidth=1.0)
    assert any(line.startswith("deviation = not known: ") for line in found.comments)
