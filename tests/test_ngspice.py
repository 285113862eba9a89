"""ngspice is driven safely: every way in which it fails, loudly or silently, is an error here."""

import numpy as np
import pytest

from lmu_analog.errors import SimulationError, SimulatorMissing
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, Transient
from lmu_analog.spice.worker import Worker

ANALYSIS = Transient(1e-3, 1e-6)
HEAD = "title\nVin u 0 DC 0 AC 1 SIN(0 1 1000)\n"
TAIL = "\n.tran 1e-6 1e-3 0 1e-6\n.save v(u) v(x)\n.end\n"
GOOD = "R1 u x 1000.0\nC1 x 0 1e-9"


@pytest.fixture(scope="module")
def worker():
    with Worker() as shared:
        yield shared


def run(worker: Worker, body: str, *, tail: str = TAIL, analysis: Transient | Sweep = ANALYSIS) -> dict:
    return worker.call(ngspice.run_here, (HEAD + body + tail, analysis), timeout=60.0)


@pytest.mark.ngspice
def test_a_low_pass_follows_its_closed_form(worker):
    vectors = run(worker, GOOD)
    time, w = vectors["time"], 2e3 * np.pi
    tau = 1e-6
    steady = (np.sin(w * time) - w * tau * (np.cos(w * time) - np.exp(-time / tau))) / (1 + (w * tau) ** 2)
    # One step is one time constant here, so the first few are coarse; later the rule is exact to (w h)^2.
    np.testing.assert_allclose(vectors["v(x)"][time > 2e-5], steady[time > 2e-5], atol=1e-5)


@pytest.mark.ngspice
def test_an_ac_sweep_gives_complex_values(worker):
    tail = "\n.ac lin 3 1000.0 3000.0\n.save v(u) v(x)\n.end\n"
    vectors = run(worker, GOOD, tail=tail, analysis=Sweep(3, 1000.0, 3000.0))
    expected = 1 / (1 + 2j * np.pi * np.array([1e3, 2e3, 3e3]) * 1e-6)
    np.testing.assert_allclose(vectors["v(x)"], expected, rtol=1e-12)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("X1 u x nothing\nR1 x 0 1000.0", "unknown subckt"),
        (
            "D1 u x nothing\nR1 x 0 1000.0",
            "Error on line 3.*: d1 u x nothing: could not find a valid modelname",
        ),
        ("R1 u x 1000.0\nV2 x 0 1\nV3 x 0 2", "timestep too small"),
        ("B1 x 0 V=nothing(v(u))\nR1 x 0 1000.0", r"no such function 'nothing': b1 x 0 v="),
        ("B1 x 0 V=(v(u)&1)\nR1 x 0 1000.0", r"syntax error.*: & .*: b1 x 0 v="),
        ("D1 u x DX\nR1 x 0 1000.0\n.model DX D(ISX=1)", r"dx d\(isx=1\).*: unrecognized parameter \(isx\)"),
        ("B1 x 0 V=1/(v(u)-v(u))\nR1 x 0 1000.0", "not finite"),
        ("R1 u y 1000.0\nC1 y 0 1e-9", r"no vector v\(x\)"),
        ("R1 u x 1000.0\nR1 u x 1000.0\nC1 x 0 1e-9", "Error on line 4"),
        ("R1 u\nR2 u x 1.0", "positive value"),
    ],
)
def test_a_broken_deck_is_an_error_and_the_next_deck_runs(worker, body, message):
    with pytest.raises(SimulationError, match=message):
        run(worker, body)
    assert run(worker, GOOD)["time"][-1] == pytest.approx(1e-3)


@pytest.mark.ngspice
def test_a_deck_that_fails_to_load_never_repeats_the_previous_one(worker):
    run(worker, GOOD)
    with pytest.raises(SimulationError, match="unknown subckt") as caught:
        run(worker, "X1 u x nothing\nR1 x 0 1000.0")
    assert "nothing" in caught.value.deck
    assert "unknown subckt" in caught.value.log


def _threads() -> list[str]:
    library = ngspice.simulator()
    library.lines.clear()
    library.exec_command("echo threads $num_threads")
    return [line for line in library.lines if line.startswith("threads")]


@pytest.mark.ngspice
def test_a_simulation_has_one_thread_whatever_the_surroundings_say(worker):
    # Two, as ngspice takes where nothing says otherwise, turn while they wait for each other.
    assert worker.call(_threads, (), timeout=60.0) == ["threads 1"]


@pytest.mark.ngspice
def test_an_undefined_parameter_is_named_and_ends_the_library():
    with Worker() as own, pytest.raises(SimulationError, match=r"^ngspice: Undefined parameter \[nothing\]"):
        run(own, "B1 x 0 V={nothing}*v(u)\nR1 x 0 1000.0")


@pytest.mark.ngspice
def test_names_of_nodes_and_devices_are_no_messages(worker):
    cell = (
        ".subckt cell i o\nR-error i error 1k\nC1 error 0 1n\nR2 error missing 1k\nRfatal missing o 1\n.ends"
    )
    assert run(worker, f"X1 u x cell\n{cell}\nC1 x 0 1e-12")["time"][-1] == pytest.approx(1e-3)


@pytest.mark.ngspice
def test_a_detour_out_of_the_domain_of_a_function_is_no_failure_by_itself(worker):
    # Where the input rests, at 0 V, the logarithm has no value; with the offset it has, all the way.
    with pytest.raises(SimulationError, match="timestep too small: .* out of range for ln"):
        run(worker, "B1 x 0 V=ln(v(u)-2)\nR1 x 0 1000.0")
    assert run(worker, "B1 x 0 V=ln(v(u)+2)\nR1 x 0 1000.0")["v(x)"][0] == pytest.approx(np.log(2.0))
    assert (
        ngspice.fatal_line(["Trying gmin = 1.0E-03 Error: -1 out of range for ln", "in line b.x1.b1"]) is None
    )


@pytest.mark.ngspice
def test_ngspice_stays_within_its_memory(monkeypatch):
    # Python, NumPy and ngspice take 0.15 GB, 22 vectors of two hundred thousand steps 0.04 GB, and once more to grow.
    monkeypatch.setenv("LMU_ANALOG_NGSPICE_GB", "0.2")
    more = "".join(f"\nR_{k} u y{k} 1000.0\nC_{k} y{k} 0 1e-9" for k in range(20))
    saved = TAIL.replace("v(x)", " ".join(["v(x)", *(f"v(y{k})" for k in range(20))]))
    deck = HEAD + GOOD + more + saved.replace("1e-3 0", "2.0 0")
    with pytest.raises(SimulationError, match=r"needs more than 0\.2 GB of memory.*LMU_ANALOG_NGSPICE_GB"):
        ngspice.run(deck, Transient(2.0, 1e-6), timeout=120.0)


@pytest.mark.parametrize("given", ["", "much", "-1", "nan", "inf"])
def test_a_memory_limit_that_is_no_number_is_said(monkeypatch, given):
    monkeypatch.setenv("LMU_ANALOG_NGSPICE_GB", given)
    with pytest.raises(SimulationError, match=r"LMU_ANALOG_NGSPICE_GB=.* must be a number of gigabytes"):
        ngspice.memory_limit()


@pytest.mark.ngspice
def test_a_deck_without_an_analysis_is_an_error(worker):
    with pytest.raises(SimulationError, match="0 plots instead of one"):
        run(worker, GOOD, tail="\n.save v(u) v(x)\n.end\n")


@pytest.mark.ngspice
def test_a_run_that_stops_early_is_an_error(worker):
    with pytest.raises(SimulationError, match="stopped at 0.0005 s, before 0.001 s"):
        run(worker, GOOD, tail=TAIL.replace("1e-3 0", "5e-4 0"))


@pytest.mark.ngspice
def test_an_endless_run_is_stopped_in_time():
    deck = HEAD + GOOD + TAIL.replace("1e-3 0", "1e2 0")  # 1e8 steps, some minutes
    with pytest.raises(SimulationError, match="no answer within 1 s"):
        ngspice.run(deck, Transient(1e2, 1e-6), timeout=1.0)


@pytest.mark.ngspice
def test_the_program_and_the_library_give_the_same_numbers(worker):
    library, program = run(worker, GOOD), ngspice.run_batch(HEAD + GOOD + TAIL, ANALYSIS)
    assert library.keys() == program.keys()
    for name in library:
        np.testing.assert_array_equal(library[name], program[name])


@pytest.mark.ngspice
def test_the_program_is_checked_like_the_library():
    with pytest.raises(SimulationError, match="unknown subckt"):
        ngspice.run_batch(HEAD + "X1 u x nothing\nR1 x 0 1000.0" + TAIL, ANALYSIS)


def test_a_missing_library_says_how_to_install_it(monkeypatch):
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(SimulatorMissing, match="apt-get install ngspice libngspice0.*exact engine"):
        ngspice.run(HEAD + GOOD + TAIL, ANALYSIS)


def test_harmless_notes_are_no_errors():
    notes = [
        "Note: No compatibility mode selected!",
        "Using SPARSE 1.3 as Direct Linear Solver",
        "Warning: singular matrix: check node y",
        "Note: Starting dynamic gmin stepping",
    ]
    assert ngspice.fatal_line(notes) is None


def test_a_listing_of_voltages_is_passed_over_and_what_follows_it_is_read():
    listing = [
        "Initial Transient Solution",
        "Node                                   Voltage",
        "----                                   -------",
        "error                                        0",
        "x1.missing                            -1.5e-09",
        "vin#branch                                   0",
    ]
    assert ngspice.fatal_line(listing) is None
    assert ngspice.fatal_line([*listing, "Error: later"]) == "Error: later"


def test_the_first_fatal_line_is_named():
    assert (
        ngspice.fatal_line(["Note: x", "Error: unknown subckt: x1", "Fatal"]) == "Error: unknown subckt: x1"
    )


def test_vectors_are_named_as_decks_save_them():
    named = ngspice.named(
        {"time": np.zeros(1), "X0": np.zeros(1), "vin#branch": np.zeros(1), "v(y)": np.zeros(1)}
    )
    assert set(named) == {"time", "v(x0)", "i(vin)", "v(y)"}


@pytest.mark.ngspice
def test_one_process_serves_deck_after_deck_until_something_goes_wrong(monkeypatch):
    def run_now():
        return ngspice.run(HEAD + GOOD + TAIL, Transient(1e-3, 1e-6))

    def kept():
        return [worker.pid for _, worker in ngspice._IDLE]

    first, process = run_now(), kept()
    again = run_now()
    assert kept() == process != []
    for name, values in first.items():
        np.testing.assert_array_equal(again[name], values)
    with pytest.raises(SimulationError, match="stopped at 0.0005 s, before 0.001 s"):
        ngspice.run(HEAD + GOOD + TAIL.replace("1e-3 0", "5e-4 0"), Transient(1e-3, 1e-6))
    assert kept() == []
    run_now()
    process = kept()
    monkeypatch.setenv("SPICE_ASCIIRAWFILE", "1")  # what a process took over when it started has changed
    run_now()
    assert kept() != process
