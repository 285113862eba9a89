"""A failure keeps its reason: a code that any run gives alike, and a text for people."""

import numpy as np
import pytest
import xarray as xr

from lmu_analog.errors import SimulationError
from lmu_analog.storage.reasons import CODES, REASONS, code_of, reasons


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("no answer within 600 s; the worker was stopped", "timeout"),
        ("the worker process died (signal SIGSEGV)", "crash"),
        ("its cluster worker was lost, also when the task ran alone", "lost"),
        ("ngspice: doAnalyses: TRAN:  Timestep too small; time = 1e-3", "no_convergence"),
        ("ngspice: tran simulation(s) aborted", "no_convergence"),
        ("ngspice stopped at 0.1 s, before 0.2 s", "incomplete"),
        ("ngspice gave values of v(x1) that are not finite", "not_finite"),
        ("ngspice: unknown subckt: x1 a b", "ngspice"),
        ("something new", "unknown"),
    ],
)
def test_an_error_has_the_code_of_its_reason(said, name):
    assert code_of(SimulationError(said)) == CODES[name]


def test_codes_are_those_of_stores_on_disk():
    # New reasons go to the end: a stored run keeps its meaning.
    stored = (
        "none unstable impossible unknown timeout crash lost no_convergence incomplete not_finite ngspice "
        "handed"
    )
    assert list(CODES)[: len(stored.split())] == stored.split()
    assert all(len(reason.name.split()) == 1 for reason in REASONS)


def test_reasons_are_counted_most_frequent_first():
    codes = [CODES[name] for name in ("none", "crash", "unstable", "unstable", "none")] + [len(REASONS)]
    run = xr.Dataset({"reason": ("sample", np.array(codes, np.int8))})
    assert list(reasons(run).items()) == [
        ("unstable: a pole in the right half-plane", 2),
        ("the worker process died", 1),
        ("a failure without a known reason", 1),  # a code of a later version
    ]
