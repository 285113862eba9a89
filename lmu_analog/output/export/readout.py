"""The digital readout: the matrix that turns sampled voltages of a memory into the window, for a micro-controller.

An analog-to-digital converter (ADC) sees what the circuit's probes read: voltages of nets, differences of two nets, or
currents through ammeters. The matrix W joins the probes, m = P v, with the readout of the window, u(t - r theta) =
P_i(2r - 1) m_i, so that window = W v + offset.

Fixed point with B bits: codes c of B bits, signed, whose full scale F is at 2^(B-1), so that v = F c / 2^(B-1), and
whole numbers w of B bits near W F 2^s / 2^(B-1). The sum of w c is the window in units of 2^-s V. What is stated as its
error is the bound of the roundings that are there: those of the weights, known one by one, times the largest code;
half a code of the ADC times each weight; and the bits that are cut off where the sum is longer than 32 bits.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.analysis.calibration_file import Correction
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.interface import REFERENCE
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_out import write_bytes, write_text
from lmu_analog.memory import window
from lmu_analog.memory.statespace import frequency_response

POINTS = tuple(k / 10 for k in range(11))  # delays r that are read unless others are asked for
BITS = (12, 16)  # of the fixed-point variants
_MOST_POINTS = 10_000
_HIGHEST = 1e6  # V, of a full scale
_SUFFIXES = (".csv", ".npy", ".npz", ".h")
_FREQUENCIES = 200  # at which the largest current in the band is looked for
_SUM = 31  # bits of a sum besides its sign
_UNIT_ROUNDOFF = 2.0**-24  # of a float in C


@dataclass(frozen=True, eq=False)
class Readout:
    """What reads the window off sampled vectors v: window = matrix v + offset.

    Attributes
    ----------
    r : (q,) array
        Delays, 0 now, 1 oldest.
    matrix : (q, d) array, V/V or V/A
    offset : (q,) array, V
        Zero but for a calibrated readout.
    channels : tuple of str
        What is sampled: ``v(x0)``, ``v(x0p,x0n)`` for a difference, ``i(v_1)`` for a current.
    units : tuple of str
        V or A.
    full_scale : (d,) array, V or A
        Where the signed code of a converter would be 2^(bits - 1).
    """

    r: Float[np.ndarray, " q"]
    matrix: Float[np.ndarray, "q d"]
    offset: Float[np.ndarray, " q"]
    channels: tuple[str, ...]
    units: tuple[str, ...]
    full_scale: Float[np.ndarray, " d"]

    @property
    def float_error(self) -> float:
        """Bound, V, of the error of sums in C's float over all vectors within full scale.

        Every weight and every vector is rounded once, and a sum of d products d times (Higham, Accuracy and Stability
        of Numerical Algorithms, 2002, section 3.1).
        """
        count = (self.matrix.shape[1] + 3) * _UNIT_ROUNDOFF
        size = np.abs(self.matrix) @ self.full_scale + np.abs(self.offset)
        return float(np.max(size, initial=0.0)) * count / (1.0 - count)


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """A readout in whole numbers: window = (matrix c + offset) / 2^cut, in units of ``unit`` V, rounded to zero.

    Attributes
    ----------
    bits : int
        Of codes and weights, the sign included.
    matrix : (q, d) array of int
    offset : (q,) array of int
    cut : int
        Low bits of the sum that are dropped, so that it has 32.
    unit : float, V
        Of the result, a power of two.
    code_error : (q,) array, V
        Bound of the distance from what the exact matrix makes of the same codes.
    error : (q,) array, V
        Bound of the distance from what it makes of the volts, for a converter that errs by half a code.
    """

    bits: int
    matrix: Int[np.ndarray, "q d"]
    offset: Int[np.ndarray, " q"]
    cut: int
    unit: float
    code_error: Float[np.ndarray, " q"]
    error: Float[np.ndarray, " q"]


def read_points(text: str) -> tuple[float, ...]:
    """Read delays r with commas between them: numbers from 0 (now) to 1 (oldest)."""
    try:
        points = tuple(float(word) for word in text.split(","))
    except ValueError:
        points = (np.nan,)
    if not all(0.0 <= r <= 1.0 for r in points):
        raise DesignError(
            f"points={shown(text)}: numbers from 0 to 1 with commas are wanted, such as 0,0.5,1"
        )
    if len(points) > _MOST_POINTS:
        raise DesignError(f"points=: {len(points)} delays; at most {_MOST_POINTS} are accepted")
    return points


def readout(
    design: Design,
    circuit: Circuit,
    points: Sequence[float] = POINTS,
    *,
    full_scale: float | None = None,
    correction: Correction | None = None,
) -> Readout:
    """Give the matrix from what a circuit's probes read to the window.

    Parameters
    ----------
    design : Design
        Its supply is the full scale of a net unless one is given, of a difference of two nets twice that. A current's
        is that of the worst sine of the band, with the design's headroom.
    circuit : Circuit
    points : sequence of float
        Delays r.
    full_scale : float, V, optional
        Of a net.
    correction : Correction, optional
        A calibrated readout in place of the nominal one.

    Raises
    ------
    DesignError
        If the full scale is none.
    """
    if full_scale is not None and not 0.0 < full_scale <= _HIGHEST:
        raise DesignError(f"full_scale={full_scale:g} V: above 0 and at most {_HIGHEST:g} V are accepted")
    r = np.array(points, float)
    channels, P = _channels(circuit)
    rows, offset = window.readout(circuit.order, r), np.zeros(len(r))
    if correction is not None:
        rows = window.readout(len(correction.coefficients), r) @ correction.coefficients
        offset = -rows @ correction.offset
    rows = rows @ P
    volts = design.rail if full_scale is None else full_scale
    scales = _full_scales(design, circuit, channels, P, volts=volts)
    names = tuple(_name(terms) for terms in channels)
    units = tuple("V" if terms[0].kind == "v" else "A" for terms in channels)
    return Readout(r, rows, offset, names, units, scales)


def _channels(circuit: Circuit) -> tuple[list[tuple[Term, ...]], np.ndarray]:
    """List what is sampled, one term or the two of a difference, and give m = P v, (order, channels).

    With a single supply all is sampled against its reference.
    """
    found: dict[tuple[Literal["v", "i"], str], np.ndarray] = {}
    for i, probe in enumerate(circuit.probes):
        for term in probe:
            column = found.setdefault((term.kind, term.of), np.zeros(circuit.order))
            column[i] += term.factor
    channels: list[tuple[Term, ...]] = []
    columns: list[np.ndarray] = []
    reference = found.pop(("v", REFERENCE), None)
    names = list(found)
    while names:
        kind, net = first = names.pop(0)
        if kind == "v" and reference is not None:
            channels.append((Term("v", net, 1.0), Term("v", REFERENCE, -1.0)))
            columns.append(found[first])
            continue
        # Two nets that all probes read with opposite factors are one difference, which converters take as it is.
        other = next(
            (n for n in names if kind == n[0] == "v" and np.array_equal(found[n], -found[first])), None
        )
        terms = (Term(first[0], net, 1.0),)
        if other is not None:
            names.remove(other)
            terms = (*terms, Term("v", other[1], -1.0))
        channels.append(terms)
        columns.append(found[first])
    return channels, np.stack(columns, axis=1)


def _name(terms: tuple[Term, ...]) -> str:
    return f"{terms[0].kind}({','.join(t.of.lower() for t in terms)})"


def _full_scales(
    design: Design, circuit: Circuit, channels: list[tuple[Term, ...]], P: np.ndarray, *, volts: float
) -> np.ndarray:
    """Give the full scale of every channel, V or A."""
    # Of a difference each net has the volts, but the reference rests.
    scales = np.array([volts * sum(t.of != REFERENCE for t in terms) for terms in channels])
    currents = [k for k, terms in enumerate(channels) if terms[0].kind == "i"]
    if currents:  # no rail bounds them: what the worst sine of the band gives, from the states that they make
        frequency = np.linspace(0.0, design.bandwidth, _FREQUENCIES)
        largest = np.abs(frequency_response(extract(circuit), frequency) @ np.linalg.pinv(P).T).max(axis=0)
        for k in currents:
            scales[k] = float(f"{design.full_scale * largest[k] / (1.0 - design.headroom):.1e}") or 1.0
    return scales


def fixed_point(found: Readout, bits: int) -> FixedPoint:
    """Round a readout to whole numbers of so many bits, and bound what that costs."""
    top = 2 ** (bits - 1)
    volts_a_code = found.matrix * found.full_scale / top
    largest = float(np.abs(volts_a_code).max(initial=0.0)) or 1.0
    power = int(np.floor(np.log2((top - 1) / largest)))
    whole = np.rint(np.ldexp(volts_a_code, power)).astype(np.int64)
    if np.abs(whole).max(initial=0) > top - 1:  # the largest may be rounded up, out of range
        power -= 1
        whole = np.rint(np.ldexp(volts_a_code, power)).astype(np.int64)
    start = np.rint(np.ldexp(found.offset, power)).astype(np.int64)
    largest_sum = int(np.max(top * np.abs(whole).sum(axis=1) + np.abs(start), initial=1))
    cut = max(0, largest_sum.bit_length() - _SUM)
    missed = np.abs(volts_a_code - np.ldexp(whole.astype(float), -power))
    code_error = top * missed.sum(axis=1) + np.abs(found.offset - np.ldexp(start.astype(float), -power))
    code_error = code_error + float(np.ldexp(2.0**cut - 1.0, -power))
    error = code_error + 0.5 * np.abs(volts_a_code).sum(axis=1)
    return FixedPoint(bits, whole, start, cut, float(np.ldexp(1.0, cut - power)), code_error, error)


def write_readout(design: Design, circuit: Circuit, path: Path | str, *, found: Readout) -> Path:
    """Write a readout as its file's name says: .csv, .npy (the matrix alone), .npz, or .h.

    Raises
    ------
    DesignError
        If the name has another ending.
    """
    path = Path(path)
    match path.suffix:
        case ".csv":
            return write_text(path, _as_csv(found))
        case ".npy":
            if found.offset.any():
                raise DesignError(
                    f"-o {path}: this readout has an offset, and .npy the matrix alone; give .npz"
                )
            content = io.BytesIO()
            np.save(content, found.matrix)
            return write_bytes(path, content.getvalue())
        case ".npz":
            content = io.BytesIO()
            np.savez(
                content,
                r=found.r,
                matrix=found.matrix,
                offset=found.offset,
                channels=np.array(found.channels),
                units=np.array(found.units),
                full_scale=found.full_scale,
                theta=np.array(design.theta),
                design=np.array(design.digest),
            )
            return write_bytes(path, content.getvalue())
        case ".h":
            return write_text(path, header(design, circuit, found))
        case _:
            raise DesignError(f"-o {path}: readout files end in {', '.join(_SUFFIXES)}; give such a name")


def _as_csv(found: Readout) -> str:
    """Write a row for every delay: r, the weight of every channel, and an offset if there is one."""
    calibrated = bool(found.offset.any())
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["r", *found.channels, *(["offset"] if calibrated else [])])
    for r, row, offset in zip(found.r.tolist(), found.matrix.tolist(), found.offset.tolist(), strict=True):
        rows.writerow([repr(x) for x in (r, *row, *([offset] if calibrated else []))])
    return written.getvalue()


_HEADER = """\
/* Legendre memory, {family} {realization}, order {order}, theta = {theta!r} s: from sampled states to the window.
 * Written by lmu-analog {version}; design = {design}
 * window[k] estimates u(t - lmu_readout_r[k] theta), in V, from what is sampled at one time t:
{channels}
 */
#ifndef LMU_READOUT_H
#define LMU_READOUT_H

#include <stdint.h>

#define LMU_READOUT_STATES {states}
#define LMU_READOUT_POINTS {points}

static const float lmu_readout_r[LMU_READOUT_POINTS] = {{{r}}};
static const float lmu_readout_matrix[LMU_READOUT_POINTS][LMU_READOUT_STATES] = {{
{matrix}}};
{offset}
/* In float; rounding errs by at most {error:.3g} V while states are within full scale. */
static inline void lmu_readout(const float *state, float *window)
{{
    for (int k = 0; k < LMU_READOUT_POINTS; k++) {{
        float sum = {start};
        for (int j = 0; j < LMU_READOUT_STATES; j++)
            sum += lmu_readout_matrix[k][j] * state[j];
        window[k] = sum;
    }}
}}
"""

_FIXED = """
/* Fixed point, {bits} bits: state[j] is the signed code of the ADC, {low} to {high}, and window[k] is in units of
 * LMU_READOUT_Q{bits}_UNIT V. At every code it is at most {code_error:.3g} V from the exact matrix times the codes;
 * with an ADC that errs by half a code at most {error:.3g} V from the exact matrix times the states, which are at most
 * full scale and half a code short of its upper end.
 */
#define LMU_READOUT_Q{bits}_UNIT {unit!r}
static const int16_t lmu_readout_q{bits}_matrix[LMU_READOUT_POINTS][LMU_READOUT_STATES] = {{
{matrix}}};
{offset}static inline void lmu_readout_q{bits}(const int16_t *state, int32_t *window)
{{
    for (int k = 0; k < LMU_READOUT_POINTS; k++) {{
        {sum} sum = {start};
        for (int j = 0; j < LMU_READOUT_STATES; j++)
            sum += ({sum})lmu_readout_q{bits}_matrix[k][j] * state[j];
        window[k] = {result};
    }}
}}
"""


def header(design: Design, circuit: Circuit, found: Readout) -> str:
    """Write a readout as a C header: a function in float, and one in fixed point for every number of bits."""
    places = zip(found.channels, found.full_scale.tolist(), found.units, strict=True)
    channels = [
        f" *   state[{j}] {name}, full scale +-{scale:g} {unit}"
        for j, (name, scale, unit) in enumerate(places)
    ]
    if circuit.clock is not None:
        channels.append(f" * States are valid at multiples of 1/{circuit.clock!r} s.")
    points = len(found.r)
    calibrated = bool(found.offset.any())
    offset = f"static const float lmu_readout_offset[LMU_READOUT_POINTS] = {{{_floats(found.offset)}}};\n"
    text = _HEADER.format(
        family=circuit.family,
        realization=circuit.realization,
        order=circuit.order,
        theta=circuit.theta,
        version=design.provenance["version"],
        design=design.digest,
        channels="\n".join(channels),
        states=len(found.channels),
        points=points,
        r=_floats(found.r),
        matrix="".join(f"    {{{_floats(row)}}},\n" for row in found.matrix),
        offset=offset if calibrated else "",
        error=found.float_error,
        start="lmu_readout_offset[k]" if calibrated else "0.0f",
    )
    for bits in BITS:
        text += _fixed_text(fixed_point(found, bits), calibrated=calibrated)
    return f"{text}\n#endif\n"


def _fixed_text(fixed: FixedPoint, *, calibrated: bool) -> str:
    bits, top = fixed.bits, 2 ** (fixed.bits - 1)
    sum_type = "int64_t" if fixed.cut else "int32_t"
    offset = (
        f"static const {sum_type} lmu_readout_q{bits}_offset[LMU_READOUT_POINTS] = {{"
        f"{', '.join(map(str, fixed.offset.tolist()))}}};\n"
    )
    return _FIXED.format(
        bits=bits,
        low=-top,
        high=top - 1,
        code_error=_upwards(fixed.code_error),
        error=_upwards(fixed.error),
        unit=fixed.unit,
        matrix="".join(f"    {{{', '.join(map(str, row))}}},\n" for row in fixed.matrix.tolist()),
        offset=offset if calibrated else "",
        sum=sum_type,
        start=f"lmu_readout_q{bits}_offset[k]" if calibrated else "0",
        result=f"(int32_t)(sum / {2**fixed.cut})" if fixed.cut else "sum",
    )


def _upwards(bounds: np.ndarray) -> float:
    """Give the largest bound so that three digits of it are not below it."""
    largest = float(np.max(bounds, initial=0.0))
    return largest if float(f"{largest:.3g}") >= largest else largest * 1.005


def _floats(row: np.ndarray) -> str:
    """Write numbers as literals of C's float, with all their digits."""
    return ", ".join(f"{_point(str(np.float32(x)))}f" for x in row)


def _point(text: str) -> str:
    """Give a literal its point: ``1f`` is none in C."""
    return text if "." in text or "e" in text else f"{text}.0"
