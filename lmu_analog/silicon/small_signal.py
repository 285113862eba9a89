"""The exact engine of transistor circuits: operating points and responses of many samples, without a simulator.

Every transistor follows its law near the nominal operating point (``laws``). A sample's operating point is found by
Newton steps with the nominal circuit's slopes; there the nets inside each cell are eliminated, and what is left is a
state space between the nets that cells share, with the phase that the inner nets add to third order in frequency.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float, Int

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import Pdk
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.altering import capacitance, deviated_resistance, shared_capacitance
from lmu_analog.silicon.devices import Current, SiliconCircuit, Voltage
from lmu_analog.silicon.draws import Deviations, Spread, nominal
from lmu_analog.silicon.laws import DEGREE, SHIFT_DEGREE, Laws, exponents, monomials, slopes
from lmu_analog.silicon.samples import Measured, probe_rows

ROUNDS = 40
SETTLED = 1e-8  # V: a millionth of the signals
LARGEST_STEP = 0.05  # V, of one round: within the box of the laws
BEYOND = 1.6  # of the box: a sample that leaves it so far is none that the laws know
TERMS = 4  # of the series in frequency: G, C and the two that the inner nets add
NOT_SURE = -1  # in place of ngspice's rung: the sample is one for ngspice
EXACT = -2  # the same: found by this engine
BATCH = 64  # samples at a time: what they need stays in a processor's caches


@dataclass(frozen=True, eq=False)
class _Cell:
    """Cells of one shape: inner nets of each, and the shared nets that each touches."""

    inner: Int[np.ndarray, "c n"]
    outer: Int[np.ndarray, "c m"]


@dataclass(frozen=True, eq=False)
class Engine:
    """A circuit with the laws of its transistors, ready for samples.

    Attributes
    ----------
    circuit : SiliconCircuit
    pdk : Pdk
    found : Spread
    laws : Laws
    volts : dict
        Of all nets at the nominal operating point.
    resistance : (r,) array, Ohm
        Of all resistors at the temperature of the laws.
    """

    circuit: SiliconCircuit
    pdk: Pdk
    found: Spread
    laws: Laws
    volts: dict[str, float]
    resistance: Float[np.ndarray, " r"] = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def fixed(self) -> dict[str, float]:
        """Nets that voltage sources hold, and the input's: volts of each."""
        known = {GROUND: 0.0}
        waiting = [s for s in self.circuit.sources if isinstance(s, Voltage)]
        while waiting:
            ready = [s for s in waiting if s.a in known or s.b in known]
            if not ready:
                raise CircuitError(f"{waiting[0].name}: a voltage source that no other ties to ground")
            for s in ready:
                known.setdefault(s.a, known.get(s.b, 0.0) + s.value)
                known.setdefault(s.b, known[s.a] - s.value)
            waiting = [s for s in waiting if s not in ready]
        return known

    @cached_property
    def nets(self) -> tuple[str, ...]:
        """Nets whose voltages are sought."""
        return tuple(net for net in self.circuit.nets if net not in self.fixed)

    @cached_property
    def place(self) -> dict[str, int]:
        """Place of every net: those that are sought, then those that are held."""
        return {net: k for k, net in enumerate((*self.nets, *self.fixed))}

    @cached_property
    def ends(self) -> Int[np.ndarray, "n 4"]:
        """Places of drain, gate, source and bulk."""
        return np.array([[self.place[net] for net in x.nets] for x in self.circuit.transistors])

    @cached_property
    def quiescent(self) -> Float[np.ndarray, " v"]:
        """Voltages of all nets at the nominal operating point."""
        return np.array([self.volts.get(net, self.fixed.get(net, 0.0)) for net in self.place])

    @cached_property
    def driven(self) -> Float[np.ndarray, " v"]:
        """What every held net moves by when the input moves by one volt."""
        drive = next(s for s in self.circuit.sources if s.name == self.circuit.drive)
        found = np.zeros(len(self.place))
        found[self.place[drive.a]] = 1.0
        return found

    def samples(
        self,
        sample: Deviations,
        frequency: Float[np.ndarray, " k"],
        *,
        trim: Float[np.ndarray, " s"] | None = None,
    ) -> Measured:
        """Give what ngspice would measure on some samples; those that are not sure have NaN and ``NOT_SURE``.

        Parameters
        ----------
        sample : Deviations
        frequency : (k,) array, Hz
        trim : (s,) array, optional
            Factor of the common bias.
        """
        parts = [
            self._samples(
                sample.of(slice(k, k + BATCH)), frequency, None if trim is None else trim[k : k + BATCH]
            )
            for k in range(0, len(sample), BATCH)
        ]
        return Measured(
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("offset", "states", "current", "rung")
            )
        )

    def _samples(self, sample: Deviations, frequency: np.ndarray, trim: np.ndarray | None) -> Measured:
        factor = np.ones(len(sample)) if trim is None else trim
        volts, sure = self.operating_point(sample, factor)
        strips = self.strips(sample, factor)
        current, g = self.conductances(volts, sample)
        response = self._response(g, sample, frequency, strips)
        nets, rows = probe_rows(self.circuit)
        at = [self.place[net] for net in nets]
        supply = self._supply_current(current, factor, self.drops(volts) * strips)
        offset = (volts[:, at] - self.circuit.quiescent) @ rows.T
        states = response[:, :, at] @ rows.T
        offset[~sure], states[~sure], supply[~sure] = np.nan, np.nan, np.nan
        return Measured(offset, states, supply, np.where(sure, EXACT, NOT_SURE))

    # --- the operating point

    @cached_property
    def pushed(self) -> tuple[Float[np.ndarray, " v"], Float[np.ndarray, " v"]]:
        """Currents that sources push into every net: those that a trim scales, and the others."""
        found = np.zeros((2, len(self.place)))
        for s in self.circuit.sources:
            if isinstance(s, Current):
                row = 0 if s.name in self.circuit.trim else 1
                found[row, self.place[s.a]] -= s.value
                found[row, self.place[s.b]] += s.value
        return found[0], found[1]

    @property
    def bias(self) -> tuple[Float[np.ndarray, " u"], Float[np.ndarray, " u"]]:
        """The same of the sought nets."""
        scaled, constant = self.pushed
        return scaled[: len(self.nets)], constant[: len(self.nets)]

    @cached_property
    def _slopes(self) -> Float[np.ndarray, "v v"]:
        """Inverse of the nominal slopes of currents out of the sought nets."""
        undeviated = nominal(self.circuit, self.found)
        _, g = self.conductances(self.quiescent[None], undeviated)
        size = len(self.nets)
        strips = self.strips(undeviated, np.ones(1))
        return np.linalg.inv(self.matrix(g, strips)[0, :size, :size])

    @cached_property
    def _incidence(self) -> Float[np.ndarray, "n v"]:
        """Currents of channels, drain to source, out of every sought net."""
        found = np.zeros((len(self.ends), len(self.place)))
        rows = np.arange(len(self.ends))
        np.add.at(found, (rows, self.ends[:, 0]), self.laws.polarity)
        np.add.at(found, (rows, self.ends[:, 2]), -self.laws.polarity)
        return found[:, : len(self.nets)]

    # --- resistors

    @cached_property
    def _across(self) -> Float[np.ndarray, "r v"]:
        """Voltages across the resistors from those of all nets; its transpose has their currents out of the nets."""
        found = np.zeros((len(self.circuit.resistors), len(self.place)))
        rows = np.arange(len(found))
        ends = np.array([[self.place[net] for net in x.nets] for x in self.circuit.resistors], int)
        np.add.at(found, (rows, ends.reshape(-1, 2)[:, 0]), 1.0)
        np.add.at(found, (rows, ends.reshape(-1, 2)[:, 1]), -1.0)
        return found

    def drops(self, volts: Float[np.ndarray, "s v"]) -> Float[np.ndarray, "s r"]:
        """Give the voltages across the resistors."""
        return volts @ self._across.T

    def strips(self, sample: Deviations, factor: np.ndarray) -> Float[np.ndarray, "s r"]:
        """Give the conductances of the resistors, S; a trim scales those that it names."""
        ratio = deviated_resistance(self.circuit, self.pdk, sample, found=self.found)
        named = np.array([x.name in self.circuit.trim for x in self.circuit.resistors], bool)
        return np.where(named, factor[:, None], 1.0) / (self.resistance * ratio)

    @cached_property
    def imbalance(self) -> Float[np.ndarray, " v"]:
        """What the laws miss of Kirchhoff's law at the nominal operating point: their fit, and ngspice's tolerance."""
        undeviated = nominal(self.circuit, self.found)
        current = self._currents(self.quiescent[None], self._coefficients(undeviated), undeviated)
        strips = self.strips(undeviated, np.ones(1))
        return (self._leaving(self.quiescent[None], current, strips) - sum(self.bias))[0]

    def _leaving(
        self, volts: Float[np.ndarray, "s v"], current: Float[np.ndarray, "s n"], strips: np.ndarray
    ) -> Float[np.ndarray, "s u"]:
        """Give the currents of channels and resistors out of every sought net."""
        flows = self.drops(volts) * strips
        return current @ self._incidence + flows @ self._across[:, : len(self.nets)]

    def operating_point(
        self, sample: Deviations, factor: np.ndarray
    ) -> tuple[Float[np.ndarray, "s v"], np.ndarray]:
        """Find the voltages of all nets, and say which samples are sure."""
        coefficients = self._coefficients(sample)
        scaled, constant = self.bias
        bias = factor[:, None] * scaled + constant + self.imbalance
        volts = np.repeat(self.quiescent[None], len(sample), axis=0)
        size, strips = len(self.nets), self.strips(sample, factor)
        largest = np.full(len(sample), np.inf)
        for _ in range(ROUNDS):
            residual = self._leaving(volts, self._currents(volts, coefficients, sample), strips) - bias
            step = residual @ self._slopes.T
            largest = np.abs(step).max(axis=1)
            step *= np.minimum(1.0, LARGEST_STEP / np.maximum(largest, 1e-300))[:, None]
            volts[:, :size] -= step
            if (largest < SETTLED).all() or not np.isfinite(largest).any():
                break
        moved = np.abs(self._moved(volts, sample)) / self.laws.box
        sure = (largest < SETTLED) & (moved.max(axis=(1, 2)) < BEYOND)
        return np.where(sure[:, None], volts, self.quiescent), sure

    def _moved(self, volts: np.ndarray, sample: Deviations) -> Float[np.ndarray, "s n 3"]:
        """Give how far gate, drain and bulk have moved against the source, V; the threshold is taken off the gate."""
        d, g, s, b = (volts[:, self.ends[:, k]] for k in range(4))
        p = self.laws.polarity
        found = np.stack([p * (g - s), p * (d - s), p * (b - s)], axis=-1) - self.laws.quiescent
        found[..., 0] -= np.einsum("qsn,qn->sn", self._amounts(sample), self.laws.gate)
        return found

    def _amounts(self, sample: Deviations) -> Float[np.ndarray, "q s n"]:
        """Give by how much all sets of parameters are moved, the threshold first."""
        found = np.einsum("sp,qpn->qsn", sample.process, self.laws.share)
        # A model's own sign: what is added to the threshold of a p-channel device makes it easier to turn on.
        found[0] += sample.threshold * self.laws.polarity
        return found

    def _coefficients(self, sample: Deviations) -> Float[np.ndarray, "s n k"]:
        """Give what is added to the first coefficients of every law: process, threshold and current factor."""
        amounts = self._amounts(sample)
        found = np.einsum("qsn,qnk->snk", amounts, self.laws.shift)
        found += np.einsum("qsn,qnk->snk", amounts**2, self.laws.curvature)
        # The law of a channel that is off is of the current itself, of which a fraction would be nothing.
        found[..., 0] += np.where(self.laws.is_log, self.laws.factor * np.log1p(sample.mobility), 0.0)
        return found

    def _exponent(
        self, x: Float[np.ndarray, "s n 3"], added: Float[np.ndarray, "s n k"]
    ) -> Float[np.ndarray, "s n"]:
        scaled = x / self.laws.box
        powers = monomials(scaled, DEGREE)
        first = len(exponents(SHIFT_DEGREE))
        return np.einsum("snm,nm->sn", powers, self.laws.current) + np.einsum(
            "snk,snk->sn", powers[..., :first], added
        )

    def _currents(self, volts: np.ndarray, added: np.ndarray, sample: Deviations) -> Float[np.ndarray, "s n"]:
        x = self._moved(volts, sample)
        exponent = self._exponent(x, added)
        drain = self.laws.quiescent[:, 1] + x[..., 1]
        triode = -np.expm1(-drain / self.laws.thermal)
        return np.where(self.laws.is_log, triode * np.exp(exponent), exponent)

    # --- slopes there

    def conductances(
        self, volts: np.ndarray, sample: Deviations
    ) -> tuple[Float[np.ndarray, "s n"], Float[np.ndarray, "s n 3"]]:
        """Give currents, and their slopes against gate, drain and bulk, S."""
        x = self._moved(volts, sample)
        added = self._coefficients(sample)
        exponent = self._exponent(x, added)
        drain = self.laws.quiescent[:, 1] + x[..., 1]
        decay = np.exp(-drain / self.laws.thermal)
        size = np.where(self.laws.is_log, np.exp(exponent), 1.0)
        triode = np.where(self.laws.is_log, 1.0 - decay, 1.0)
        first = len(exponents(SHIFT_DEGREE))
        scaled = x / self.laws.box
        found = np.empty((*x.shape[:2], 3))
        for k in range(3):
            by = slopes(scaled, DEGREE, k)
            along = np.einsum("snm,nm->sn", by, self.laws.current) + np.einsum(
                "snk,snk->sn", by[..., :first], added
            )
            found[..., k] = size * triode * along / self.laws.box[:, k]
        found[..., 1] += np.where(self.laws.is_log, size * decay / self.laws.thermal, 0.0)
        current = np.where(self.laws.is_log, size * triode, exponent)
        return current, found

    @cached_property
    def _stamps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column and sign of every entry that a slope has in the matrix: (n, 3, 4)."""
        d, g, s, b = self.ends.T
        rows = np.stack([np.stack([d, d, s, s], -1)] * 3, axis=1)
        columns = np.stack([np.stack([end, s, end, s], -1) for end in (g, d, b)], axis=1)
        signs = np.broadcast_to(np.array([1.0, -1.0, -1.0, 1.0]), rows.shape)
        return rows, columns, signs

    def matrix(
        self, g: Float[np.ndarray, "s n 3"], strips: Float[np.ndarray, "s r"]
    ) -> Float[np.ndarray, "s v v"]:
        """Give the slopes of currents out of all nets against all voltages."""
        size = len(self.place)
        found = np.zeros((len(g), size * size))
        order, starts, flat, sign = self._summed
        entries = (g[..., None] * sign).reshape(len(g), -1)[:, order]
        found[:, flat] = np.add.reduceat(entries, starts, axis=1)
        placed = np.einsum("rv,sr,rw->svw", self._across, strips, self._across)
        return found.reshape(len(g), size, size) + placed

    @cached_property
    def _summed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """How entries of one place in the matrix are summed: their order, where each place begins, the places."""
        rows, columns, sign = self._stamps
        flat = (rows * len(self.place) + columns).ravel()
        order = np.argsort(flat, kind="stable")
        places, starts = np.unique(flat[order], return_index=True)
        return order, starts, places, sign

    @cached_property
    def charges(self) -> Float[np.ndarray, "v v"]:
        """Capacitances between all nets, F: of transistors, and of nominal capacitors."""
        plates = (capacitance(x, self.pdk) * self._plates[k] for k, x in enumerate(self.circuit.capacitors))
        return self._placed(self.laws.charge) + sum(plates, start=np.zeros((len(self.place),) * 2))

    @cached_property
    def _charge_shifts(self) -> Float[np.ndarray, "p v v"]:
        """What one standard deviation of every process variable adds to them."""
        own = np.einsum("qpn,qnij->pnij", self.laws.share, self.laws.charge_shift)
        size = len(self.place)
        return np.array([self._placed(x) for x in own]).reshape(-1, size, size)

    def _placed(self, charge: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "v v"]:
        found = np.zeros((len(self.place), len(self.place)))
        for places, own in zip(self.ends, charge, strict=True):
            np.add.at(found, np.ix_(places, places), own)
        return found

    @cached_property
    def _plates(self) -> Float[np.ndarray, "c v v"]:
        found = np.zeros((len(self.circuit.capacitors), len(self.place), len(self.place)))
        for k, x in enumerate(self.circuit.capacitors):
            a, b = self.place[x.a], self.place[x.b]
            for row, column, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
                found[k, row, column] += sign
        return found

    # --- responses

    @cached_property
    def _partition(self) -> tuple[np.ndarray, list[_Cell]]:
        """Nets that cells share, and the nets inside cells, those of one shape together."""
        owners: dict[str, set[str]] = {}
        for x in (*self.circuit.transistors, *self.circuit.resistors):
            for net in x.nets:
                owners.setdefault(net, set()).add(x.name.partition(".")[0])
        plates = {net for x in self.circuit.capacitors for net in x.nets}
        read = {term.of for probe in self.circuit.probes for term in probe}
        shared = [net for net in self.nets if len(owners.get(net, set())) != 1 or net in plates | read]
        inside: dict[str, list[int]] = {}
        for net in self.nets:
            if net not in shared:
                inside.setdefault(next(iter(owners[net])), []).append(self.place[net])
        at = np.array([self.place[net] for net in shared], int)
        touched = self.pattern
        shapes: dict[tuple[int, int], list[tuple[list[int], list[int]]]] = {}
        for nets in inside.values():
            near = np.any(touched[nets], axis=0) | np.any(touched[:, nets], axis=1)
            outer = [k for k in range(len(self.place)) if near[k] and k not in nets]
            shapes.setdefault((len(nets), len(outer)), []).append((nets, outer))
        cells = [
            _Cell(np.array([i for i, _ in group]), np.array([o for _, o in group]))
            for group in shapes.values()
        ]
        return at, cells

    @cached_property
    def pattern(self) -> np.ndarray:
        """Where the matrices have entries."""
        size = len(self.place)
        found = np.zeros((size, size), bool)
        for places in self.ends:
            found[np.ix_(places, places)] = True
        return found | (np.abs(self._across.T) @ np.abs(self._across) > 0.0)

    def _response(
        self,
        g: Float[np.ndarray, "s n 3"],
        sample: Deviations,
        frequency: Float[np.ndarray, " k"],
        strips: Float[np.ndarray, "s r"],
    ) -> Complex[np.ndarray, "s k v"]:
        """Give the response of all nets that cells share; of inner nets zero."""
        series = self._series(self.matrix(g, strips), sample)
        at, _ = self._partition
        s = 2j * np.pi * frequency
        given = np.flatnonzero(self.driven)
        found = np.zeros((len(g), len(frequency), len(self.place)), complex)
        powers = s[:, None] ** np.arange(TERMS)
        matrix = np.einsum("kt,stij->skij", powers, series[:, :, at[:, None], at[None, :]])
        right = -np.einsum("kt,stig->skig", powers, series[:, :, at[:, None], given[None, :]]).sum(axis=-1)
        found[:, :, at] = np.linalg.solve(matrix, right[..., None])[..., 0]
        found[:, :, given] = 1.0
        return found

    def _series(self, matrix: Float[np.ndarray, "s v v"], sample: Deviations) -> Float[np.ndarray, "s t v v"]:
        """Give currents out of shared nets as a series in s = j w, nets inside cells eliminated."""
        deviating = (1.0 + sample.capacitance) * (
            1.0 + shared_capacitance(self.circuit, self.pdk, sample, found=self.found)
        ) - 1.0
        nominal = np.array([capacitance(x, self.pdk) for x in self.circuit.capacitors])
        extra = np.tensordot(deviating * nominal, self._plates, 1)
        series = np.zeros((len(matrix), TERMS, *matrix.shape[1:]))
        charges = self.charges + np.tensordot(sample.process, self._charge_shifts, 1)
        series[:, 0], series[:, 1] = matrix, charges + extra
        for cell in self._partition[1]:
            inner, outer = cell.inner, cell.outer
            gii = matrix[:, inner[:, :, None], inner[:, None, :]]
            gio = matrix[:, inner[:, :, None], outer[:, None, :]]
            goi = matrix[:, outer[:, :, None], inner[:, None, :]]
            cii, cio, coi = (
                charges[:, a[:, :, None], b[:, None, :]]
                for a, b in ((inner, inner), (inner, outer), (outer, inner))
            )
            inverse = np.linalg.inv(gii)
            x = inverse @ gio
            terms = [goi @ x]
            for power in range(1, TERMS):
                before, pushed = x, (cio if power == 1 else 0.0)
                x = inverse @ (pushed - cii @ before)
                terms.append(goi @ x + coi @ before)
            block = np.stack(terms, axis=1)
            for c in range(len(inner)):
                series[:, :, outer[c][:, None], outer[c][None, :]] -= block[:, :, c]
        return series

    def _supply_current(
        self, current: Float[np.ndarray, "s n"], factor: np.ndarray, flows: Float[np.ndarray, "s r"]
    ) -> Float[np.ndarray, " s"]:
        """Give the current from the supply's net, A: of transistors and resistors that end there, and of sources."""
        net = next(s.a for s in self.circuit.sources if s.name == self.circuit.supply)
        at, p = self.place[net], self.laws.polarity
        leaves = p * ((self.ends[:, 0] == at).astype(float) - (self.ends[:, 2] == at).astype(float))
        drawn = current @ leaves + flows @ self._across[:, at]
        for s in self.circuit.sources:
            if isinstance(s, Current):
                pushed = s.value * (float(s.a == net) - float(s.b == net))
                drawn = drawn + pushed * (factor if s.name in self.circuit.trim else 1.0)
        return drawn
