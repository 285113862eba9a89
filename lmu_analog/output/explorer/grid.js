// All candidates, in the order of codesign/grid.py: banks, op-amps, decades, resistors' and capacitors' tolerances.
import { causes, cumulants, deviationsOf, lawAt, quantile, unpackTraces, within } from "./law.js";

export const AXES = ["order", "family", "realization", "series", "calibration", "opamp", "resistor", "capacitor", "decade"];
export const LIMITS = ["nrmse", "cost", "power", "parts", "noise"];
export const OBJECTIVES = ["p95", "cost", "power", "parts"];
const CLOUD = 512; // dominated candidates that a chart shows at most
const NEAR = 1.5; // times a limit: what is shown where nothing keeps them
const KNOWN = 1 << LIMITS.length; // bit of a candidate whose price or current is not known, or part not sold

const orNaN = (value) => (value === null ? NaN : value);

export function makeGrid(content) {
  const banks = content.banks.map((bank) => {
    const structure = content.structures[bank.structure];
    const law = unpackTraces(bank.law, bank.rest, content.classes.length, content.terms.length);
    return { ...bank, of: structure, traces: law };
  });
  const each = content.resistor.length * content.capacitor.length;
  // A block is a bank with an op-amp at a decade: what its rows share.
  const blocks = [];
  banks.forEach((bank, b) => {
    bank.opamps.forEach((o) => bank.decades.forEach((decade, d) => blocks.push(block(content, bank, b, o, decade, d))));
  });
  const count = blocks.length * each;
  const column = () => new Float64Array(count);
  const grid = { content, banks, blocks, each, count, mean: column(), deviation: column(), skewness: column(),
    p95: column(), cost: column(), power: column(), parts: column(), noise: column() };
  grid.axes = axesOf(content, banks);
  for (const one of blocks) {
    const { of, series, calibration } = banks[one.bank];
    const values = { ...of, series, calibration, opamp: one.opamp, decade: one.decade };
    one.places = AXES.map((axis) => grid.axes[axis].indexOf(values[axis])); // no place for tolerances, which rows have
  }
  const of95 = deviationsOf(0.95);
  const found = [0, 0, 0];
  let row = 0;
  for (const one of blocks) {
    for (let r = 0; r < content.resistor.length; r += 1) {
      for (let c = 0; c < content.capacitor.length; c += 1, row += 1) {
        cumulants(one.law, [content.resistor[r], content.capacitor[c], ...one.spreads], found);
        grid.mean[row] = found[0];
        grid.deviation[row] = Math.sqrt(found[1]);
        grid.skewness[row] = found[1] > 0 ? found[2] / (found[1] * grid.deviation[row]) : 0;
        grid.p95[row] = kept(grid, row, of95);
        grid.cost[row] = one.packageCost + (orNaN(one.resistorCost[r]) + orNaN(one.capacitorCost[c]));
        grid.power[row] = one.power;
        grid.parts[row] = one.parts;
        grid.noise[row] = one.noise;
      }
    }
  }
  return grid;
}

function block(content, bank, b, o, decade, d) {
  const opamp = content.opamps[o];
  const slow = opamp.per_gbw - 1 / bank.gbw;
  const amounts = [
    1, slow, slow * slow, slow ** 3, opamp.per_gain - bank.per_gain,
    opamp.offset / content.unit_offset, opamp.bias / content.unit_bias / 10 ** decade,
  ];
  // Over the rms of a full-scale sine; nothing where no limit of it is asked for.
  const [resistors, white, flicker, current] = bank.noise ?? [0, 0, 0, 0];
  const power = resistors / 10 ** decade + opamp.noise ** 2 * (white + opamp.noise_corner * flicker)
    + opamp.current_noise ** 2 * current / 100 ** decade;
  const packages = Math.ceil(bank.of.amplifiers / opamp.amplifiers);
  return {
    bank: b, opamp: o, decade,
    law: lawAt(bank.traces, amounts),
    spreads: [content.bandwidth_tolerance * bank.gbw * opamp.per_gbw, opamp.offset_max / content.unit_offset],
    packages,
    packageCost: packages * orNaN(opamp.price),
    resistorCost: bank.resistor_cost[d],
    capacitorCost: bank.capacitor_cost[d],
    power: packages * opamp.amplifiers * orNaN(opamp.current) * content.supply_voltage + bank.load * 10 ** decade,
    parts: bank.values.length + bank.others + packages,
    noise: Math.sqrt(power / (0.5 * content.full_scale ** 2)),
  };
}

// The values that occur on every axis, and which of them each block, or row, has.
function axesOf(content, banks) {
  const some = (values) => [...new Set(values)];
  const used = new Set(banks.flatMap((bank) => bank.opamps));
  return {
    order: some(banks.map((bank) => bank.of.order)).sort((a, b) => a - b),
    family: some(banks.map((bank) => bank.of.family)),
    realization: some(banks.map((bank) => bank.of.realization)),
    series: some(banks.map((bank) => bank.series)),
    calibration: some(banks.map((bank) => bank.calibration)),
    opamp: content.opamps.map((_, k) => k).filter((k) => used.has(k)),
    resistor: content.resistor.map((_, k) => k),
    capacitor: content.capacitor.map((_, k) => k),
    decade: some(banks.flatMap((bank) => bank.decades)).sort((a, b) => a - b),
  };
}

export function valueOn(grid, axis, row) {
  const one = grid.blocks[Math.floor(row / grid.each)];
  const within = row % grid.each;
  const capacitors = grid.content.capacitor.length;
  switch (axis) {
    case "series":
    case "calibration": return grid.banks[one.bank][axis];
    case "opamp": return one.opamp;
    case "decade": return one.decade;
    case "resistor": return Math.floor(within / capacitors);
    case "capacitor": return within % capacitors;
    default: return grid.banks[one.bank].of[axis];
  }
}

const kept = (grid, row, deviations) =>
  Math.sqrt(Math.max(grid.mean[row] + grid.deviation[row] * deviations(grid.skewness[row]), 0));

// For limits: NRMSE that the wanted share keeps, and which limits a row misses, a bit each. Kept from call to call where
// nothing that it depends on has changed.
export function judged(grid, limits, good) {
  let before = grid.judged;
  if (!before || before.good !== good) {
    const deviations = deviationsOf(good);
    let nrmse = grid.p95;
    if (good !== 0.95) {
      nrmse = new Float64Array(grid.count);
      for (let row = 0; row < grid.count; row += 1) nrmse[row] = kept(grid, row, deviations);
    }
    before = { good, nrmse, key: null, missed: new Uint8Array(grid.count) };
    grid.judged = before;
  }
  const key = LIMITS.map((name) => limits[name]).join();
  if (before.key === key) return before;
  before.key = key;
  const columns = LIMITS.map((name) => (name === "nrmse" ? before.nrmse : grid[name]));
  const most = LIMITS.map((name) => limits[name] ?? Infinity);
  for (let row = 0; row < grid.count; row += 1) {
    let bits = Number.isFinite(grid.cost[row]) && Number.isFinite(grid.power[row]) ? 0 : KNOWN;
    for (let k = 0; k < columns.length; k += 1) if (columns[k][row] > most[k]) bits |= 1 << k;
    before.missed[row] = bits;
  }
  return before;
}

// The state of the controls: `chosen` is an axis to a set of the values that are allowed.
//
// Finds the front of what is allowed and keeps all limits, and at what each value of an axis starts if it alone were
// allowed beside the choices on the other axes. Where nothing is left it finds what is closest, and how far each limit
// alone would have to go.
export function explore(grid, { chosen, limits, good, minimise }) {
  const { nrmse, missed } = judged(grid, limits, good);
  const wanted = grid[minimise];
  const isIn = AXES.map((axis) => grid.axes[axis].map((value) => chosen[axis].has(value)));
  const starts = AXES.map((axis) => new Float64Array(grid.axes[axis].length).fill(Infinity));
  const archive = new Archive(OBJECTIVES.map((name) => grid[name]));
  const cloud = new Sample(CLOUD);
  let allowed = 0;
  let keeping = 0;
  eachRow(grid, isIn, 1, (row, at, only) => {
    if (only < 0) allowed += 1;
    if (missed[row] !== 0) return;
    const value = wanted[row];
    if (only >= 0) {
      if (value < starts[only][at[only]]) starts[only][at[only]] = value;
      return;
    }
    keeping += 1;
    for (let k = 0; k < at.length; k += 1) if (value < starts[k][at[k]]) starts[k][at[k]] = value;
    archive.add(row);
    cloud.add(row);
  });
  const front = archive.rows.sort((a, b) => grid.p95[a] - grid.p95[b] || a - b);
  const order = (a, b) => wanted[a] - wanted[b] || grid.p95[a] - grid.p95[b] || a - b;
  return {
    front, allowed, keeping, cloud: cloud.rows,
    winner: front.length ? front.reduce((a, b) => (order(a, b) <= 0 ? a : b)) : -1,
    starts: Object.fromEntries(AXES.map((axis, k) => [axis, starts[k]])),
    ...(keeping ? { closest: -1, near: [], reach: {} } : missing(grid, isIn, limits, nrmse, missed)),
  };
}

// What comes closest to limits that nothing keeps, the front of what misses none of them by more than half as much
// again, and the least of each figure of candidates that miss no other limit.
function missing(grid, isIn, limits, nrmse, missed) {
  const columns = LIMITS.map((name) => (name === "nrmse" ? nrmse : grid[name]));
  const most = LIMITS.map((name) => limits[name] ?? Infinity);
  const reach = new Float64Array(LIMITS.length).fill(Infinity);
  const archive = new Archive(OBJECTIVES.map((name) => grid[name]));
  let closest = -1;
  let least = Infinity;
  eachRow(grid, isIn, 0, (row) => {
    const bits = missed[row];
    if (bits & KNOWN) return;
    let by = 0;
    for (let k = 0; k < columns.length; k += 1) {
      if (!(bits & (1 << k))) continue;
      const figure = columns[k][row];
      by = Math.max(by, figure / most[k]);
      if (bits === 1 << k && figure < reach[k]) reach[k] = figure;
    }
    if (by < least) [closest, least] = [row, by];
    if (by <= NEAR) archive.add(row);
  });
  const near = archive.rows.includes(closest) || closest < 0 ? archive.rows : [...archive.rows, closest];
  return { closest, near, reach: Object.fromEntries(LIMITS.map((name, k) => [name, reach[k]])) };
}

// Visit rows that are outside the choices on at most so many axes, 0 or 1, with their places on all axes and the axis
// on which they are outside, or -1.
function eachRow(grid, isIn, outside, visit) {
  const R = AXES.indexOf("resistor");
  const C = AXES.indexOf("capacitor");
  const at = new Int32Array(AXES.length);
  const capacitors = grid.content.capacitor.length;
  for (let b = 0; b < grid.blocks.length; b += 1) {
    const { places } = grid.blocks[b];
    let out = 0;
    let axis = -1;
    for (let k = 0; k < AXES.length; k += 1) {
      if (k === R || k === C) continue;
      at[k] = places[k];
      if (!isIn[k][places[k]]) {
        out += 1;
        axis = k;
      }
    }
    if (out > outside) continue;
    for (let within = 0; within < grid.each; within += 1) {
      const c = within % capacitors;
      const r = (within - c) / capacitors;
      const outR = isIn[R][r] ? 0 : 1;
      const outC = isIn[C][c] ? 0 : 1;
      if (out + outR + outC > outside) continue;
      at[R] = r;
      at[C] = c;
      visit(b * grid.each + within, at, outR ? R : outC ? C : axis);
    }
  }
}

// Rows that no other one added so far dominates; of equal ones the first.
class Archive {
  constructor(columns) {
    this.columns = columns;
    this.rows = [];
  }

  add(row) {
    const { rows } = this;
    const [c0, c1, c2, c3] = this.columns;
    const [x0, x1, x2, x3] = [c0[row], c1[row], c2[row], c3[row]];
    for (let k = 0; k < rows.length; k += 1) {
      const other = rows[k];
      if (c0[other] <= x0 && c1[other] <= x1 && c2[other] <= x2 && c3[other] <= x3) {
        // What has just dominated a row dominates the next ones, too: it goes to the front.
        if (k > 0) {
          rows[k] = rows[k >> 1];
          rows[k >> 1] = other;
        }
        return;
      }
    }
    let left = 0;
    for (let k = 0; k < rows.length; k += 1) {
      const other = rows[k];
      if (!(x0 <= c0[other] && x1 <= c1[other] && x2 <= c2[other] && x3 <= c3[other])) {
        rows[left] = other;
        left += 1;
      }
    }
    rows.length = left;
    rows.push(row);
  }
}

// Evenly some of many rows: whenever there are too many, every other one goes.
class Sample {
  constructor(most) {
    this.most = most;
    this.stride = 1;
    this.seen = 0;
    this.rows = [];
  }

  add(row) {
    if (this.seen % this.stride === 0) {
      this.rows.push(row);
      if (this.rows.length > this.most) {
        this.rows = this.rows.filter((_, k) => k % 2 === 0);
        this.stride *= 2;
      }
    }
    this.seen += 1;
  }
}

// All that is told of one candidate.
export function figuresOf(grid, row, limits, good) {
  const { content } = grid;
  const one = grid.blocks[Math.floor(row / grid.each)];
  const bank = grid.banks[one.bank];
  const [r, c] = [valueOn(grid, "resistor", row), valueOn(grid, "capacitor", row)];
  const tolerances = [content.resistor[r], content.capacitor[c], ...one.spreads];
  const law = [0, 0, 0];
  cumulants(one.law, tolerances, law);
  const [rest, nominal, ...classes] = causes(one.law, tolerances);
  const values = bank.values.map((value, k) => atDecade(value, k < bank.of.resistors ? -one.decade : one.decade));
  return {
    row, bank, structure: bank.of, decade: one.decade, opamp: content.opamps[one.opamp],
    places: { opamp: one.opamp, resistor: r, capacitor: c },
    packages: one.packages,
    resistor: content.resistor[r],
    capacitor: content.capacitor[c],
    law,
    p95: quantile(law, 0.95),
    kept: quantile(law, good),
    share: limits.nrmse === null ? null : within(law, limits.nrmse),
    mean: Math.sqrt(law[0]),
    nominal: Math.sqrt(Math.max(rest + nominal, 0)),
    rest,
    causes: { nominal: rest + nominal, ...Object.fromEntries(content.classes.map((name, k) => [name, classes[k]])) },
    cost: grid.cost[row],
    costs: {
      resistor: orNaN(one.resistorCost[r]), capacitor: orNaN(one.capacitorCost[c]), opamp: one.packageCost,
    },
    power: grid.power[row],
    parts: grid.parts[row],
    noise: grid.noise[row],
    values,
  };
}

// A standard value, decades away: its decimal point is moved, so that no digit changes.
function atDecade(value, power) {
  const [digits, exponent] = value.toExponential(5).split("e");
  return Number(`${digits}e${Number(exponent) + power}`);
}
