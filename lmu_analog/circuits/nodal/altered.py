"""Exact responses of a circuit with one or two elements altered, from open to short: one solve a frequency for all.

An element's value enters the node equations M v = b as a matrix of rank one, so that an altered element sends
what it sees through two vectors that the nominal circuit has: with its admittance (a resistor's conductance, a
capacitance, an inductance, a transconductance) times 1 + D, the outputs change by

    O M^-1 a D x,   x = w / (1 - D z),   w = r^T v,   z = r^T M^-1 a

(Sherman and Morrison, Ann. Math. Statist. 21, 1950), whatever D is; several elements solve a system of that size.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from lmu_analog.circuits.circuit import Circuit, numbered
from lmu_analog.circuits.components import Capacitor, Inductor, Resistor
from lmu_analog.circuits.nodal.adjoint import EquationSlopes
from lmu_analog.circuits.nodal.extract import probe_rows
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index

_ONE_RANK = 1e-9  # of the largest singular value: the others are rounding


@dataclass(frozen=True, eq=False)
class Altered:
    """A circuit at complex frequencies s, and what its e parameters of rank one do to it.

    Attributes
    ----------
    parameter : (e,) int array
        Places in ``circuit.parameters``: values of R, L, C and transconductors, gains and poles of op-amps.
    is_element : (e,) bool array
        Whether it is the value of a component, not a figure of an amplifier.
    is_reciprocal : (e,) bool array
        Whether the admittance is one over the value: of resistors.
    storing : (s,) int array
        Capacitors and inductors, whose initial charge or flux the circuit remembers; places in ``parameter``.
    nominal : (f, p) complex array
        Outputs for an input of 1 V.
    moved : (f, N, e) complex array
        M^-1 a: unknowns for a unit on the right of the element's equations.
    shown : (f, p, e) complex array
        The same at the outputs.
    seen : (f, e) complex array
        w: what the element sees, for an input of 1 V.
    reads : (f, e, N) complex array
        r, without the input.
    """

    parameter: np.ndarray
    is_element: np.ndarray
    is_reciprocal: np.ndarray
    storing: np.ndarray
    nominal: Complex[np.ndarray, "f p"]
    moved: Complex[np.ndarray, "f N e"]
    shown: Complex[np.ndarray, "f p e"]
    seen: Complex[np.ndarray, "f e"]
    reads: Complex[np.ndarray, "f e N"]

    def slopes(
        self,
        drive: Complex[np.ndarray, " f"],
        impulse: Complex[np.ndarray, " f"],
        charges: Float[np.ndarray, " c"],
    ) -> Complex[np.ndarray, "f p e"]:
        """Differentiate the outputs by the logarithm of every admittance.

        Parameters
        ----------
        drive : (f,) complex array
            Spectrum of the input.
        impulse : (f,) complex array
            Spectrum of what acts at every storing element,
        charges : (c,) array
            and how much of it.
        """
        seen = self.seen * drive[:, None]
        if charges.any():
            every = list(range(len(self.parameter)))
            seen = seen + self._coupling(every, self.storing) @ charges * impulse[:, None]
        return self.shown * seen[:, None, :]

    def responses(
        self, elements: tuple[int, ...], change: Float[np.ndarray, " k"]
    ) -> Complex[np.ndarray, "f p c"]:
        """Give outputs for an input of 1 V, and then for a unit impulse at every storing element.

        Parameters
        ----------
        elements : tuple of int
            Places in ``parameter`` of what is altered.
        change : (k,) array
            D: admittance over the nominal one, less one; -1 is none at all.
        """
        outputs = np.concatenate([self.nominal[:, :, None], self.shown[:, :, self.storing]], axis=2)
        chosen = list(elements)
        seen = np.concatenate([self.seen[:, chosen, None], self._coupling(chosen, self.storing)], axis=2)
        own = self._coupling(chosen, np.array(chosen, int))
        match len(chosen):
            case 0:
                return outputs
            case 1:
                flow = change * seen / (1.0 - change * own)
                return outputs + self.shown[:, :, chosen] * flow
            case _:
                flow = change[:, None] * np.linalg.solve(np.eye(len(chosen)) - own * change, seen)
                return outputs + self.shown[:, :, chosen] @ flow

    def driven(
        self, pairs: Int[np.ndarray, "k 2"], change: Float[np.ndarray, "k 2"]
    ) -> Complex[np.ndarray, "f p k"]:
        """Give outputs for an input of 1 V, each with the two elements of a pair altered."""
        a, b = pairs.T
        z = [
            [np.einsum("fkn,fnk->fk", self.reads[:, i], self.moved[:, :, j]) for j in (a, b)] for i in (a, b)
        ]
        p, q = change.T
        one, two = 1.0 - p * z[0][0], 1.0 - q * z[1][1]
        across, back = q * z[0][1], p * z[1][0]
        determinant = one * two - across * back
        first = p * (two * self.seen[:, a] + across * self.seen[:, b]) / determinant
        second = q * (one * self.seen[:, b] + back * self.seen[:, a]) / determinant
        shown = self.shown[:, :, a] * first[:, None] + self.shown[:, :, b] * second[:, None]
        return self.nominal[:, :, None] + shown

    def _coupling(self, to: list[int], of: np.ndarray) -> np.ndarray:
        """Give what elements see of a unit on the right of others' equations, (f, to, of)."""
        return self.reads[:, to] @ self.moved[:, :, of]


def altered(
    circuit: Circuit, s: Complex[np.ndarray, " f"], rows: Float[np.ndarray, "p d"] | None = None
) -> Altered:
    """Solve a linear circuit in continuous time for all that its elements may do.

    Parameters
    ----------
    circuit : Circuit
    s : (f,) complex array, 1/s
    rows : (p, d) array, optional
        What is looked at, of the Legendre states; these themselves unless given.

    Raises
    ------
    CircuitError
        If the circuit is not linear.
    """
    index = Index(circuit)
    equations = stamp(circuit, index, circuit.values[None])
    E, F, drive = equations.E[0], equations.F[0], equations.drive[0]
    output, feedthrough = probe_rows(circuit, index)
    if rows is not None:
        output, feedthrough = rows @ output, rows @ feedthrough
    parameter, into, out_of, is_storing = _rank_one(circuit, index)
    s = np.asarray(s, complex)
    matrix = s[:, None, None] * E - F
    balance = 1.0 / np.abs(matrix).max(axis=2)  # laws in siemens beside equations in volts
    right = np.concatenate(
        [(drive[:, 0] - s[:, None] * drive[:, 1])[:, :, None], np.broadcast_to(into, (len(s), *into.shape))],
        axis=2,
    )
    solved = np.linalg.solve(balance[:, :, None] * matrix, balance[:, :, None] * right)
    unknowns, moved = solved[:, :, 0], solved[:, :, 1:]
    factor = np.where(is_storing, s[:, None], 1.0)
    seen = factor * (unknowns @ out_of[:, : index.size].T + out_of[:, index.size])
    owners = {c.name: c for c in circuit.components}
    names = [circuit.parameters[k] for k in parameter]
    return Altered(
        parameter,
        np.array(["." not in p.name for p in names], bool),
        np.array([isinstance(owners[p.component], Resistor) for p in names], bool),
        np.array(
            [k for k, p in enumerate(names) if isinstance(owners[p.component], Capacitor | Inductor)], int
        ),
        unknowns @ output.T + feedthrough[:, 0],
        moved,
        output @ moved,
        seen,
        factor[:, :, None] * out_of[:, : index.size],
    )


def _rank_one(circuit: Circuit, index: Index) -> tuple[np.ndarray, ...]:
    """Factor d(b - M v) / d ln(admittance) = a r^T of every parameter where it has rank one.

    Gives their places (e,), a (N, e), r (e, N + 1) over the unknowns and the input, and whether r is to be taken
    times s. Offsets drive by themselves and are left out, as is what acts at two places.
    """
    slopes = EquationSlopes.of(circuit, index)
    weight = circuit.values.copy()  # d ln(1/R) = -dR/R
    for c, at in numbered(circuit):
        if isinstance(c, Resistor):
            weight[at] *= -1.0
    size = index.size
    # The derivative of the input acts in the columns of the input, times s.
    column = np.minimum(slopes.column, size)
    matter = slopes.column != size + 2
    kept: list[tuple[int, np.ndarray, np.ndarray, bool]] = []
    for k in np.unique(slopes.parameter):
        mine = (slopes.parameter == k) & matter
        parts = np.zeros((2, size, size + 1))
        where = slopes.row[mine], column[mine]
        np.add.at(parts[0], where, weight[k] * slopes.direct[mine])
        np.add.at(parts[1], where, -weight[k] * slopes.storing[mine])
        if not parts.any() or (parts[0].any() and parts[1].any()):
            continue
        is_storing = bool(parts[1].any())
        whole = parts[int(is_storing)]
        lines = np.flatnonzero(whole.any(axis=1))
        left, singular, right = np.linalg.svd(whole[lines], full_matrices=False)
        if singular[1:].max(initial=0.0) > _ONE_RANK * singular[0]:
            continue
        into = np.zeros(size)
        into[lines] = left[:, 0] * singular[0]
        kept.append((int(k), into, right[0], is_storing))
    places = np.array([k for k, *_ in kept], int)
    into = np.array([a for _, a, *_ in kept]).reshape(-1, size).T
    out_of = np.array([r for *_, r, _ in kept]).reshape(-1, size + 1)
    return places, into, out_of, np.array([storing for *_, storing in kept], bool)
