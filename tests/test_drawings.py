"""Drawings show what the circuit is, and nothing on them covers anything else."""

import itertools
import xml.etree.ElementTree as ElementTree
from collections import defaultdict

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from lmu_analog import cli
from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, Inductor, OpAmp, Resistor, Transconductor
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.flow import signal_flow
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.drawings.flow import short
from lmu_analog.output.drawings.links import network
from lmu_analog.output.drawings.sheet import Arc, Area, Label, Sheet, Wire
from lmu_analog.output.schematic import as_svg, draw_circuit, drawing_figure, sheets, write_drawing

PAIRS = [(family, name) for family, row in FAMILIES.items() for name in row.realizations]
SHOWN = [
    ("active-rc", "cap-feedforward", 3, {}),
    ("active-rc", "cap-feedforward", 6, {"opamp": "OPA2192"}),
    ("active-rc", "bus-ladder", 12, {}),
    ("active-rc", "legendre", 24, {}),
    ("active-rc", "cap-feedforward", 3, {"values": "E24", "pairs": "0.1 %"}),
    ("active-rc-differential", "ladder", 6, {}),
    ("gm-c", "rlc-ladder", 6, {}),
    ("gm-c", "cap-feedforward", 3, {"level": "transistor"}),
    ("rc-synapse", "unit-weight", 6, {}),
    ("passive-rlc", "rlc-ladder", 24, {}),
    ("passive-rlc", "rlc-ladder", 6, {"variant": "gyrator", "taps": [1.0]}),
    ("passive-rlc", "rlc-ladder", 3, {"taps": [{"r": 1.0, "gain": 0.5}]}),  # all its amplifiers are followers
    ("dpi", "unit-weight", 6, {}),
    ("switched-capacitor", "cap-feedforward", 6, {}),
    ("switched-capacitor", "legendre", 3, {"taps": [1.0]}),
    ("crossbar", "unit-weight", 6, {}),
    ("crossbar", "unit-weight", 6, {"crossbar": {"wire": "2 Ohm"}}),
]


def circuit(family, realization, order, more):
    return build(Design(order=order, theta="1 ms", family=family, realization=realization, **more))


def labels(sheet: Sheet) -> list[str]:
    return [item.text for item in sheet.items if isinstance(item, Label)]


@pytest.mark.parametrize(("family", "realization", "order", "more"), SHOWN)
def test_no_text_covers_another_or_leaves_the_paper(family, realization, order, more):
    canvas = draw_circuit(circuit(family, realization, order, more))
    paper = canvas.bbox
    renderer = FigureCanvasAgg(canvas).get_renderer()  # without one, each text makes one of its own
    for ax in canvas.axes:
        texts = [t for t in ax.findobj(Text) if t.get_text().strip()]
        boxes = [
            t.get_window_extent(renderer).padded(-1.0) for t in texts
        ]  # a pixel: anti-aliasing may touch
        x0, y0, x1, y1 = np.array([box.extents for box in boxes]).T
        apart = (x0[:, None] >= x1) | (x0 >= x1[:, None]) | (y0[:, None] >= y1) | (y0 >= y1[:, None])
        covered = [(texts[i], texts[j]) for i, j in np.argwhere(~apart) if i < j]
        assert covered == []
        assert x0.min() >= paper.x0
        assert y0.min() >= paper.y0
        assert x1.max() <= paper.x1
        assert y1.max() <= paper.y1


@pytest.mark.parametrize(("family", "realization"), PAIRS)
def test_every_pair_of_the_table_can_be_drawn(family, realization):
    cell, blocks, flow = sheets(circuit(family, realization, 4, {}))
    assert labels(cell)
    assert labels(blocks)
    assert sum(isinstance(item, Arc | Area) for item in flow.items) > 4


def test_an_integrator_shows_all_its_parts_with_their_values():
    drawn = circuit("active-rc", "cap-feedforward", 6, {})
    (cell,) = sheets(drawn, "cell")
    shown = {text.split("  ")[0]: text.split("  ")[1] for text in labels(cell) if "  " in text}
    assert "x2" in labels(cell)
    parts = [c for c in drawn.components if isinstance(c, Resistor | Capacitor) and "g2" in (c.a, c.b)]
    assert {c.name for c in parts} <= shown.keys()
    assert shown["Cint_2"] == "1 nF"


def test_the_ladder_is_drawn_whole():
    for more in ({}, {"taps": [1.0]}):
        drawn = circuit("passive-rlc", "rlc-ladder", 24, more)
        (cell,) = sheets(drawn, "cell")
        parts = {c.name for c in drawn.components if isinstance(c, Resistor | Capacitor | Inductor)}
        assert {name for name in parts if not name.startswith(("Rcur", "Rvol", "Rtap"))} <= set(labels(cell))
    assert {"Ucur_22", "Uvol_24", "Utap1"} <= set(labels(cell))  # of amplifiers, one of every kind
    # What is drawn of states does not depend on real op-amps, whose fast poles are none of theirs.
    real = circuit("passive-rlc", "rlc-ladder", 4, {"taps": [1.0], "opamp": "TL072"})
    assert [block.name for block in network(real).blocks] == ["z0", "z1", "z2", "z3"]


@pytest.mark.parametrize("realization", ["legendre", "ladder"])
def test_the_links_of_a_gm_c_network_are_its_state_space(realization):
    drawn = circuit("gm-c", realization, 5, {})
    found, system = network(drawn), extract(drawn)
    A, B = np.zeros_like(system.A), np.zeros_like(system.B)
    for link in found.links:
        gain = link.sign * link.weight / 1e-9  # F: the capacitance of every state
        row = int(link.target[1:])
        if link.source == "u":
            B[row, 0] += gain
        else:
            A[row, int(link.source[1:])] += gain
    np.testing.assert_allclose(A, system.A, rtol=1e-9, atol=1e-9 * abs(system.A).max())
    np.testing.assert_allclose(B, system.B, rtol=1e-9, atol=1e-9 * abs(system.B).max())


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential"])
def test_signs_of_op_amp_links_make_the_loops_of_the_ideal_memory(family):
    drawn = circuit(family, "legendre", 5, {})
    sign = np.zeros((5, 5))
    for link in network(drawn).links:
        if link.source != "u":
            sign[int(link.target[1:]), int(link.source[1:])] = link.sign
    ideal = np.sign(extract(circuit("gm-c", "legendre", 5, {})).A)
    # States may be inverted: only the signs around loops are fixed.
    np.testing.assert_array_equal(sign * sign.T, ideal * ideal.T)


def test_the_cells_of_a_crossbar_are_the_weights():
    found = network(circuit("crossbar", "unit-weight", 6, {"crossbar": {"wire": "2 Ohm"}}))
    weights = [
        c for c in circuit("rc-synapse", "unit-weight", 6, {}).components if isinstance(c, Transconductor)
    ]
    theirs = {(c.out, c.minus if c.plus == "0" else c.plus, 1 if c.minus == "0" else -1) for c in weights}
    assert {(link.target, link.source, link.sign) for link in found.links} == theirs


def test_vertical_wires_of_a_block_diagram_never_lie_on_one_another():
    (blocks,) = sheets(circuit("active-rc", "cap-feedforward", 12, {}), "network")
    tracks = defaultdict(list)
    for item in blocks.items:
        if isinstance(item, Wire) and len(item.points) == 2 and item.points[0][0] == item.points[1][0]:
            y = sorted(p[1] for p in item.points)
            tracks[round(item.points[0][0], 3)].append(y)
    assert len(tracks) > 3
    for spans in tracks.values():
        assert all(a[1] < b[0] for a, b in itertools.pairwise(sorted(spans)))


def test_every_gain_is_an_arc_and_real_op_amps_add_none():
    drawn = circuit("active-rc", "cap-feedforward", 4, {"opamp": "TL072"})
    ideal = circuit("active-rc", "cap-feedforward", 4, {})
    (flow,) = sheets(drawn, "flow")
    assert any(isinstance(c, OpAmp) and not c.model.ideal for c in drawn.components)
    assert sum(isinstance(item, Arc) for item in flow.items) == signal_flow(ideal).number_of_edges()


def test_up_to_forty_gains_are_arcs_and_more_are_the_matrix():
    few = circuit("active-rc", "legendre", 5, {})  # 25 + 5
    (graph,) = sheets(few, "flow")
    assert sum(isinstance(item, Arc) for item in graph.items) == 30
    many = circuit("active-rc", "legendre", 6, {})
    (flow,) = sheets(many, "flow")
    assert not any(isinstance(item, Arc) for item in flow.items)
    system = extract(many)
    gains = many.theta * np.hstack([system.B, system.A])
    # A number a cell, d*d of the states and d of the input, each beside its neighbour as in the matrix.
    texts = [item for item in flow.items if isinstance(item, Label)]
    numbers = [t for t in texts if t.at[1] < 0.0 and t.at[0] > 0.0][: gains.size]
    rows = sorted(numbers, key=lambda t: (-t.at[1], t.at[0]))
    assert [t.text for t in rows] == [short(gain) for gain in gains.flat]
    # Colours alone do not tell the sign, which a black and white print loses.
    assert [t.text.startswith("−") for t in rows] == [gain < 0.0 for gain in gains.flat]
    assert {"u", *(f"z{k}" for k in range(6))} <= {t.text for t in texts}


def test_a_matrix_without_room_for_numbers_strikes_what_is_negative():
    many = circuit("gm-c", "legendre", 16, {})
    (flow,) = sheets(many, "flow")
    system = extract(many)
    gains = np.hstack([system.B, system.A])
    strokes = [w for w in flow.items if isinstance(w, Wire) and w.points[0][0] != w.points[1][0]
               and w.points[0][1] != w.points[1][1]]  # fmt: skip
    in_key = 3
    assert len(strokes) == (gains < 0.0).sum() + in_key
    assert (
        sum(isinstance(item, Area) and item.fill is not None for item in flow.items) == 16 * 17 + 2 * in_key
    )


@pytest.mark.parametrize(
    ("gain", "text"),
    [(285.4, "285"), (-12.34, "−12.3"), (0.456, "0.46"), (-3.2e-4, "−3e-4"), (9.999, "10.0"), (2.6e5, "3e5")],
)
def test_gains_are_short(gain, text):
    assert short(gain) == text


def test_an_svg_is_well_formed_repeatable_and_takes_its_ink_from_the_reader():
    drawn = circuit("active-rc", "cap-feedforward", 3, {})
    text = as_svg(drawn)
    assert text == as_svg(drawn)
    assert "#000000" not in text
    assert "var(--" not in text
    assert "prefers-color-scheme:dark" in text
    ids = [e.get("id") for e in ElementTree.fromstring(text).iter() if e.get("id")]
    assert all(name.startswith("all-of-") for name in ids)
    assert len(ids) == len(set(ids))


def test_the_report_gets_a_figure_with_its_table():
    figure = drawing_figure(circuit("active-rc", "ladder", 3, {}), "network")
    assert str(figure.picture).startswith('<svg role="img"')
    assert figure.table.columns == ("into", "from", "sign", "part", "value")
    # 2(d-1) off-diagonals, one damping, one input.
    assert len(figure.table.rows) == 6


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<svg "), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")])
def test_the_command_writes_what_the_ending_says(tmp_path, name, start):
    (tmp_path / "d.toml").write_text("[memory]\norder = 3\n")
    arguments = ["draw", str(tmp_path / "d.toml"), "-o", str(tmp_path / name), "--what", "cell"]
    assert cli.run_command(arguments) == 0
    written = (tmp_path / name).read_bytes()
    assert written.startswith(start)
    assert cli.run_command(arguments) == 0
    assert (tmp_path / name).read_bytes() == written
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, "d.toml"]


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(DesignError, match=r"a\.gif: drawings are \.svg, \.png, \.pdf; give one of these"):
        write_drawing(circuit("active-rc", "ladder", 2, {}), tmp_path / "a.gif")
