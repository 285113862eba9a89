"""Processor time of what ngspice does for a chip: in a module of its own, which worker processes can load."""

import resource
import time

import numpy as np

from lmu_analog.silicon.draws import Deviations, spread
from lmu_analog.silicon.samples import Bench, alter_chip, model_values, probe_rows
from lmu_analog.spice.session import Session


def processes_took() -> float:
    """Give the processor time of all processes that have ended, s."""
    took = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took.ru_utime + took.ru_stime


def analyses_take(bench: Bench, sample: Deviations) -> float:
    """Give the processor time of ``op`` and ``ac`` of a chip, s, without reading and altering: in a ``Worker``."""
    nets, found = probe_rows(bench.here)[0], spread(bench.here, bench.installed.pdk)
    took: list[float] = []
    with Session(bench.lines) as session:
        values = model_values(session, bench, found)
        for k in range(len(sample)):
            alter_chip(session, bench, sample.of(slice(k, k + 1)), found=found, values=values)
            before = time.process_time()
            session.point(nets, frequency=bench.frequency)
            took.append(time.process_time() - before)
    return float(np.median(took))
