// The page: controls, a chart of the front, and the chosen candidate. Also what a notebook shows (widget.py).
import { AXES, explore, figuresOf, LIMITS, makeGrid, valueOn } from "./grid.js";
import { deviations, gamma } from "./law.js";
import { designText, write } from "./design.js";

const SVG = "http://www.w3.org/2000/svg";
const TITLES = {
  order: "Order", family: "Family", realization: "Realization", series: "Series of resistors", calibration: "Readout", opamp: "Op-amp",
  resistor: "Resistors, tolerance", capacitor: "Capacitors, tolerance", decade: "Capacitances, times the usual",
};
const WANTED = { cost: "lowest cost", power: "least power", parts: "fewest parts", p95: "smallest error" };
const READOUTS = { none: "the ideal memory's", nominal: "fitted to the nominal circuit", each: "fitted to each circuit" };
const CAUSES = {
  nominal: ["Nominal circuit", "order, rounding, finite gain and bandwidth"],
  resistor: ["Resistors", "their tolerance"],
  capacitor: ["Capacitors", "their tolerance"],
  bandwidth: ["Op-amp bandwidth", "its spread"],
  offset: ["Op-amp offset", "its spread"],
};
const NAMES = { nrmse: "error", cost: "cost", power: "power", parts: "number of parts", noise: "signal-to-noise ratio" };
const UNCHECKED = { tap_nrmse: "the error of taps", area: "area", temperature: "temperature" };
// How a limit is shown: its label, unit, and how many of that unit one is in SI.
const SHOWN = {
  nrmse: { label: "Window error, at most", unit: "%", times: 100 },
  cost: { label: "Cost, at most", unit: "USD", times: 1 },
  power: { label: "Power, at most", unit: "mW", times: 1e3 },
  parts: { label: "Parts, at most", unit: "", times: 1 },
  noise: { label: "Signal to noise, at least", unit: "dB" },
};
const decibels = (noise) => -20 * Math.log10(noise);
const most = (name) => (name === "noise" ? "at least" : "at most");
const SLIDER = 1000; // steps
const LONG = 8; // values of an axis that get a search and a box of their own
const MOST_ROWS = 300; // of the table of the front
const RAMP = ["#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"]; // viridis without its darkest

let mounted = 0;

const digits = (value, count = 3) => {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(count));
  const text = Math.abs(rounded) >= 1e-3 && Math.abs(rounded) < 1e6 ? value.toPrecision(count) : String(rounded);
  if (text.includes("e")) return rounded.toLocaleString("en", { useGrouping: false });
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
};
const percentText = (value) => `${digits(100 * value)}\u00a0%`;
const shareText = (value) => {
  const wrong = 1 - value;
  if (wrong <= 0) return "100\u00a0%";
  // As many digits as the failing share needs.
  const places = Math.min(Math.max(1 - Math.floor(Math.log10(100 * wrong)), 1), 4);
  return `${(100 * value).toFixed(places)}\u00a0%`;
};
const money = (value) => (value < 100 ? value.toFixed(2) : value.toFixed(0));
const watts = (value) => write(Number(value.toPrecision(3)), "W").replace("u", "µ").replace(" ", "\u00a0");
const whole = (value) => value.toLocaleString("en");
const shown = {
  p95: percentText, nrmse: percentText, cost: (x) => `${money(x)}\u00a0USD`, power: watts, parts: (x) => `${x} parts`,
  noise: (x) => `${digits(decibels(x), 4)}\u00a0dB`,
};
const times = (decade) => ["÷100", "÷10", "×1", "×10", "×100"][decade + 2] ?? `×10^${decade}`;

function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

function s(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Show the explorer in an element. `onChoice(row, text)` is told of the chosen candidate and its design file.
export function mount(root, content, { onChoice = () => {}, heading = "h1" } = {}) {
  const started = performance.now();
  const grid = makeGrid(content);
  const evaluated = performance.now() - started;
  mounted += 1;
  const id = (name) => `explorer-${mounted}-${name}`;
  const state = {
    chosen: Object.fromEntries(AXES.map((axis) => [axis, new Set(grid.axes[axis])])),
    limits: { ...content.limits },
    good: content.good,
    minimise: content.minimise,
  };
  let pinned = -1; // a candidate that was picked by hand
  let found = null;
  let row = -1;
  let chartWidth = 0; // asked for only where it changes, since the browser lays out the page for it
  const isNoisy = content.limits.noise !== null; // otherwise nothing is known of noise
  const handle = { grid, state, evaluated, milliseconds: 0 };
  const parts = {};

  const named = (axis, value) => {
    switch (axis) {
      case "opamp": return content.opamps[value].name;
      case "resistor": return percentText(content.resistor[value]);
      case "capacitor": return percentText(content.capacitor[value]);
      case "decade": return times(value);
      case "calibration": return READOUTS[value] ?? value;
      default: return String(value);
    }
  };

  // --- controls ---------------------------------------------------------------------------------------------------

  const choices = {}; // axis to the outputs beside its values
  function chooser(axis) {
    choices[axis] = [];
    const rows = grid.axes[axis].map((value) => {
      const start = h("span", { class: "start" });
      const box = h("input", {
        type: "checkbox", checked: true, "data-axis": axis, "data-value": value,
        onchange: (event) => {
          state.chosen[axis][event.target.checked ? "add" : "delete"](value);
          update();
        },
      });
      const label = h("label", {}, box, h("span", { class: "name" }, named(axis, value)), start);
      choices[axis].push({ value, start, label, box });
      return label;
    });
    const set = (all) => {
      state.chosen[axis] = new Set(all ? grid.axes[axis] : []);
      choices[axis].forEach(({ box }) => (box.checked = all));
      update();
    };
    const tools = h("div", { class: "tools" });
    if (rows.length > LONG) {
      tools.append(h("input", {
        type: "search", placeholder: "Find", "aria-label": `Find in ${TITLES[axis]}`,
        oninput: (event) => {
          const wanted = event.target.value.trim().toLowerCase();
          choices[axis].forEach(({ label, value }) => {
            label.hidden = !named(axis, value).toLowerCase().includes(wanted);
          });
        },
      }));
    }
    if (rows.length > 2) {
      tools.append(
        h("button", { type: "button", "aria-label": `All of ${TITLES[axis]}`, onclick: () => set(true) }, "All"),
        h("button", { type: "button", "aria-label": `None of ${TITLES[axis]}`, onclick: () => set(false) }, "None"),
      );
    }
    return h("fieldset", { class: rows.length > LONG ? "axis long" : "axis" },
      h("legend", {}, TITLES[axis]), tools.children.length ? tools : null, h("div", { class: "values" }, rows));
  }

  // A slider and a number that set each other; `scale` maps numbers to a share of the slider's way and back.
  function dial(name, label, unit, scale, read, write_) {
    const slider = h("input", { type: "range", min: 0, max: SLIDER, step: 1, id: id(`${name}-slider`), "aria-label": label });
    const number = h("input", { type: "number", step: "any", id: id(name), "aria-describedby": id(`${name}-unit`) });
    const show = () => {
      const value = read();
      number.value = value === null ? "" : String(Number(value.toPrecision(6)));
      slider.value = value === null ? SLIDER : Math.round(SLIDER * Math.min(Math.max(scale.share(value), 0), 1));
      const said = value === null ? "no limit" : `${digits(value, 4)} ${unit}`;
      slider.setAttribute("aria-valuetext", said);
    };
    slider.addEventListener("input", () => {
      const share = Number(slider.value) / SLIDER;
      write_(share >= 1 && scale.open ? null : Number(scale.value(share).toPrecision(scale.digits)));
      show();
      update();
    });
    number.addEventListener("input", () => {
      const value = number.value.trim() === "" ? null : Number(number.value);
      if (value === null ? !scale.open : !(value > 0 && value < (scale.below ?? Infinity))) return;
      write_(value);
      const typed = number.value;
      show();
      number.value = typed; // not rewritten while it is typed
      update();
    });
    number.addEventListener("change", show);
    if (scale.open) number.placeholder = "none";
    show();
    parts[`show-${name}`] = show;
    return h("div", { class: "dial" },
      h("label", { for: id(name) }, label),
      h("span", { class: "number" }, number, h("span", { class: "unit", id: id(`${name}-unit`) }, unit)), slider);
  }

  function logarithmic(low, high) {
    const width = Math.log(high / low);
    return {
      open: true, digits: 3,
      share: (value) => Math.log(value / low) / width,
      value: (share) => low * Math.exp(share * width),
    };
  }

  function limitDial(name) {
    const { label, unit, times: by } = SHOWN[name];
    const column = name === "nrmse" ? grid.p95 : grid[name];
    let [low, high] = [Infinity, 0];
    column.forEach((value) => {
      if (Number.isFinite(value) && value > 0) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    });
    const limit = state.limits[name];
    if (name === "nrmse") high = Math.min(high, 20 * low);
    if (!(low < high)) [low, high] = [0.5 * (low || 1), 2 * (high || 1)];
    const scale = logarithmic(Math.min(low, limit ?? low) * by * 0.9, Math.max(high, (limit ?? 0) * 2) * by * 1.1);
    if (name === "parts") scale.digits = 6;
    const rounded = (value) => (name === "parts" ? Math.round(value) : value);
    return dial(name, label, unit, scale,
      () => (state.limits[name] === null ? null : state.limits[name] * by),
      (value) => (state.limits[name] = value === null ? null : rounded(value) / by));
  }

  function noiseDial() {
    let [low, high] = [Infinity, -Infinity];
    grid.noise.forEach((value) => {
      low = Math.min(low, decibels(value));
      high = Math.max(high, decibels(value));
    });
    const asked = decibels(content.limits.noise);
    [low, high] = [Math.min(low, asked) - 1, Math.max(high, asked) + 1];
    // To the right, as with other limits, more is left.
    const scale = { open: true, digits: 4, share: (value) => (high - value) / (high - low), value: (share) => high - share * (high - low) };
    return dial("noise", SHOWN.noise.label, SHOWN.noise.unit, scale,
      () => (state.limits.noise === null ? null : decibels(state.limits.noise)),
      (value) => (state.limits.noise = value === null ? null : 10 ** (-value / 20)));
  }

  function yieldDial() {
    const [low, high] = [Math.log10(2), 4]; // 50 to 99.99 %
    const scale = {
      open: false, digits: 6, below: 100,
      share: (value) => (-Math.log10(1 - value / 100) - low) / (high - low),
      // Rounded where it fails: 95, 99, 99.9.
      value: (share) => 100 - Number((100 * 10 ** -(low + share * (high - low))).toPrecision(2)),
    };
    return dial("yield", "Circuits that keep it, at least", "%", scale,
      () => 100 * state.good,
      (value) => {
        state.good = Math.min(Math.max(value / 100, 0.5), 0.9999);
      });
  }

  function reset() {
    state.limits = { ...content.limits };
    state.good = content.good;
    state.minimise = content.minimise;
    parts.minimise.value = state.minimise;
    [...LIMITS, "yield"].forEach((name) => parts[`show-${name}`]?.());
    AXES.forEach((axis) => {
      state.chosen[axis] = new Set(grid.axes[axis]);
      choices[axis].forEach(({ box }) => (box.checked = true));
    });
    pinned = -1;
    update();
  }

  function controls() {
    parts.minimise = h("select", { id: id("minimise"), onchange: (event) => {
      state.minimise = event.target.value;
      pinned = -1;
      update();
    } }, Object.entries(WANTED).map(([name, text]) => h("option", { value: name, selected: name === state.minimise }, text)));
    // An axis with one value leaves nothing to choose.
    const open = AXES.filter((axis) => grid.axes[axis].length > 1);
    AXES.filter((axis) => grid.axes[axis].length <= 1).forEach((axis) => (choices[axis] = []));
    const folded = h("details", { class: "axes", open: true }, h("summary", {}, "What may be used"),
      h("p", { class: "hint" }, "Beside each value: where candidates with it start that keep all limits."),
      open.map(chooser));
    if (matchMedia("(max-width: 60rem)").matches) folded.removeAttribute("open");
    return h("form", { class: "controls", "aria-label": "Limits and choices", onsubmit: (event) => event.preventDefault() },
      h("fieldset", { class: "limits" }, h("legend", {}, "Limits"),
        limitDial("nrmse"), yieldDial(), limitDial("cost"), limitDial("power"), limitDial("parts"), isNoisy ? noiseDial() : null,
        h("div", { class: "dial" }, h("label", { for: id("minimise") }, "Choose the one with"), parts.minimise)),
      folded,
      h("button", { type: "button", class: "reset", onclick: reset }, "As the requirement has it"));
  }

  // --- what is found ------------------------------------------------------------------------------------------------

  const nameOf = (which) => {
    const of = (axis) => named(axis, valueOn(grid, axis, which));
    const family = valueOn(grid, "family", which) === "active-rc-differential" ? "differential" : "single-ended";
    const readout = valueOn(grid, "calibration", which) === "none" ? "" : `, readout ${of("calibration")}`;
    return `order ${of("order")} ${of("realization")}, ${family}, ${of("opamp")}, R ${of("resistor")} ${of("series")}, C ${of("capacitor")}${readout}`;
  };

  function verdict() {
    const { front, allowed, keeping, closest, reach } = found;
    const figure = { ...shown, parts: String }; // behind the name of the limit
    if (front.length) {
      const picked = row === found.winner ? `The one with ${WANTED[state.minimise]}` : "Picked by hand";
      return ["good", `✓ ${whole(front.length)} of ${whole(allowed)}`,
        `${keeping === 1 ? "One candidate keeps" : `${whole(keeping)} candidates keep`} all limits, of which none beats `
        + `${front.length === 1 ? "one" : `these ${whole(front.length)}`} in error, cost, power and parts at once. `
        + `${picked}: ${nameOf(row)}.`];
    }
    if (closest < 0) {
      return ["bad", "✗ none", allowed ? "Prices or currents of all that is chosen are not known."
        : "Nothing is left: on some axis no value is allowed."];
    }
    const ways = LIMITS.filter((name) => Number.isFinite(reach[name])).map((name) => `${NAMES[name]} ${name === "noise" ? "down" : "up"} to ${figure[name](reach[name])}`);
    const is = { nrmse: figures().kept, ...figures() };
    const misses = LIMITS.filter((name) => state.limits[name] !== null && is[name] > state.limits[name])
      .map((name) => `${NAMES[name]} ${figure[name](is[name])} (${most(name)} ${figure[name](state.limits[name])})`);
    return ["bad", "✗ none", `No candidate keeps all limits. ${row === closest ? "Closest" : "Picked by hand"}: ${nameOf(row)}, which misses `
      + `${misses.join(" and ")}.${ways.length ? ` One limit alone would have to be: ${ways.join(", or ")}.` : ""}`];
  }

  const drawn = () => (found.front.length ? found.front : found.near); // what is drawn and listed

  let cached = null;
  const figures = () => (cached ??= figuresOf(grid, row, state.limits, state.good));

  function update() {
    const began = performance.now();
    found = explore(grid, state);
    const still = pinned >= 0 && drawn().includes(pinned);
    if (!still) pinned = -1;
    choose(still ? pinned : found.winner >= 0 ? found.winner : found.closest);
    starts();
    handle.milliseconds = performance.now() - began;
    parts.footer.textContent = `${whole(grid.count)} candidates of ${grid.banks.length} banks of values, evaluated in `
      + `${digits(evaluated, 2)} ms; the last change took ${digits(handle.milliseconds, 2)} ms. Made by lmu_analog ${content.version}.`;
  }

  function choose(which) {
    row = which;
    cached = null;
    handle.row = row;
    handle.found = found;
    const [kind, word, text] = verdict();
    parts.verdict.className = `verdict ${kind}`;
    parts.verdict.replaceChildren(h("strong", {}, word), " ", h("span", {}, text));
    drawFront();
    fillTable();
    drawCandidate();
    handle.figures = row >= 0 ? figures() : null;
    handle.text = row >= 0 ? designText(grid, row) : "";
    onChoice(row, handle.text);
  }

  function pick(which) {
    pinned = which;
    choose(which);
  }

  function starts() {
    AXES.forEach((axis) => choices[axis].forEach(({ start, label }, k) => {
      const value = found.starts[axis][k];
      const none = !Number.isFinite(value);
      start.textContent = none ? "none" : shown[state.minimise](value);
      label.classList.toggle("none", none);
    }));
  }

  // Of a long list first what keeps the limits as they are, the best of it on top. Once: later it would move under the hand.
  function sortLong() {
    AXES.filter((axis) => choices[axis].length > LONG).forEach((axis) => {
      const by = found.starts[axis];
      const order = choices[axis].map((_, k) => k).sort((a, b) => (by[a] === by[b] ? a - b : by[a] - by[b]));
      choices[axis][0].label.parentElement.append(...order.map((k) => choices[axis][k].label));
    });
  }

  // --- chart of the front -------------------------------------------------------------------------------------------

  function ramp(share) {
    const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
    const k = Math.min(Math.floor(at), RAMP.length - 2);
    const mix = (a, b) => Math.round(a + (b - a) * (at - k));
    const rgb = (text) => [1, 3, 5].map((p) => parseInt(text.slice(p, p + 2), 16));
    const [a, b] = [rgb(RAMP[k]), rgb(RAMP[k + 1])];
    return `rgb(${mix(a[0], b[0])} ${mix(a[1], b[1])} ${mix(a[2], b[2])})`;
  }

  // Round numbers of a logarithmic axis.
  function ticks(low, high) {
    const all = (of) => {
      const made = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
        of.forEach((m) => {
          const value = Number(`${m}e${power}`);
          if (value >= low * 0.9999 && value <= high * 1.0001) made.push(value);
        });
      }
      return made;
    };
    const few = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9]];
    const fits = few.map(all).find((made) => made.length >= 4);
    if (fits) return fits.length > 9 ? fits.filter((_, k) => k % 2 === 0) : fits;
    const step = 10 ** Math.floor(Math.log10((high - low) / 3));
    const by = [5, 2, 1].find((m) => (high - low) / (m * step) >= 3) * step;
    const made = [];
    for (let k = Math.ceil(low / by); k * by <= high; k += 1) made.push(Number((k * by).toPrecision(12)));
    return made;
  }

  function drawFront() {
    const { front, cloud } = found;
    const points = drawn();
    const hadFocus = parts.chart.contains(document.activeElement);
    const width = Math.max(chartWidth || 640, 280);
    const height = Math.round(Math.min(Math.max(0.55 * width, 260), 420));
    const [left, right, top, bottom] = [58, 14, 14, 46];
    const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label":
      "The front: error that 95 % of circuits keep against cost; power as colour. The same numbers stand in the table below." });
    parts.chart.replaceChildren(svg);
    if (!points.length) return;
    const limit = state.limits.nrmse;
    const range = (values) => {
      let [low, high] = [Infinity, -Infinity];
      values.forEach((value) => {
        low = Math.min(low, value);
        high = Math.max(high, value);
      });
      const room = Math.max(Math.log(high / low) * 0.06, 0.04);
      return [low * Math.exp(-room), high * Math.exp(room)];
    };
    const all = [...points, ...cloud];
    const [x0, x1] = range(all.map((k) => grid.cost[k]));
    const [y0, y1] = range([...all.map((k) => grid.p95[k]), ...(limit === null ? [] : [limit])]);
    const place = (value, low, high, from, to) => from + ((to - from) * Math.log(value / low)) / Math.log(high / low);
    const x = (value) => place(value, x0, x1, left, width - right);
    const y = (value) => place(value, y0, y1, height - bottom, top);
    const powers = points.map((k) => grid.power[k]);
    const [p0, p1] = [Math.min(...powers), Math.max(...powers)];
    const colour = (k) => ramp(p1 > p0 ? Math.log(grid.power[k] / p0) / Math.log(p1 / p0) : 0.5);

    const axes = s("g", { class: "axes", "aria-hidden": "true" });
    let last = -Infinity;
    ticks(x0, x1).forEach((value) => {
      if (x(value) - last < 34) return;
      last = x(value);
      axes.append(s("line", { x1: x(value), x2: x(value), y1: top, y2: height - bottom }),
        s("text", { x: x(value), y: height - bottom + 17, "text-anchor": "middle" }, digits(value)));
    });
    ticks(y0, y1).forEach((value) => axes.append(
      s("line", { x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, `${digits(100 * value)}`)));
    axes.append(
      s("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle", class: "title" }, "Cost, USD"),
      s("text", { transform: `translate(14 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "title" },
        "Error that 95 % keep, %"));
    svg.append(axes);

    // Dots as ends of lines of no length: one element, whatever their number.
    const dots = cloud.map((k) => `M${x(grid.cost[k]).toFixed(1)} ${y(grid.p95[k]).toFixed(1)}h0`).join("");
    svg.append(s("path", { class: "cloud", d: dots, "aria-hidden": "true" }));
    if (limit !== null) {
      svg.append(s("g", { class: "limit", "aria-hidden": "true" },
        s("line", { x1: left, x2: width - right, y1: y(limit), y2: y(limit) }),
        s("text", { x: width - right - 4, y: y(limit) - 6, "text-anchor": "end" }, `limit ${percentText(limit)} for ${digits(100 * state.good, 4)} % of circuits`)));
    }
    // What cost buys in error alone.
    const byCost = [...points].sort((a, b) => grid.cost[a] - grid.cost[b] || grid.p95[a] - grid.p95[b]);
    let best = Infinity;
    let path = "";
    byCost.forEach((k) => {
      if (grid.p95[k] >= best) return;
      path += path ? `H${x(grid.cost[k]).toFixed(1)}V${y(grid.p95[k]).toFixed(1)}` : `M${x(grid.cost[k]).toFixed(1)} ${y(grid.p95[k]).toFixed(1)}`;
      best = grid.p95[k];
    });
    svg.append(s("path", { d: path, class: "stairs", "aria-hidden": "true" }));

    const group = s("g", { role: "radiogroup", "aria-label": "Candidates of the front; arrow keys move among them" });
    const circles = byCost.map((k) => {
      const told = `${nameOf(k)}: error ${percentText(grid.p95[k])}, cost ${shown.cost(grid.cost[k])}, power ${watts(grid.power[k])}, ${shown.parts(grid.parts[k])}`;
      const circle = s("circle", {
        cx: x(grid.cost[k]).toFixed(1), cy: y(grid.p95[k]).toFixed(1), r: k === row ? 8 : 5.5, role: "radio",
        style: front.length ? `fill: ${colour(k)}` : `fill: var(--page); stroke: ${colour(k)}`,
        "aria-checked": String(k === row), tabindex: k === row ? 0 : -1, "aria-label": told,
        class: k === row ? "point chosen" : "point",
      }, s("title", {}, told));
      circle.addEventListener("click", () => pick(k));
      return circle;
    });
    group.append(...circles);
    if (circles[byCost.indexOf(row)]) group.append(circles[byCost.indexOf(row)]); // on top of the others
    group.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      const to = event.key === "Home" ? 0 : event.key === "End" ? byCost.length - 1 : byCost.indexOf(row) + (by ?? NaN);
      if (Number.isNaN(to)) return;
      event.preventDefault();
      const next = byCost[(to + byCost.length) % byCost.length];
      if (next !== row) pick(next);
    });
    svg.append(group);
    if (hadFocus) circles[byCost.indexOf(row)]?.focus();
    parts.legend.replaceChildren(
      h("span", {}, "Power"), h("span", {}, watts(p0)),
      h("span", { class: "ramp", style: `background: linear-gradient(to right, ${RAMP.join(", ")})` }), h("span", {}, watts(p1)));
  }

  function fillTable() {
    const front = drawn();
    parts.tableTitle.textContent = `${found.front.length ? "The front" : "What is near"} as a table (${front.length} ${front.length === 1 ? "row" : "rows"})`;
    if (!parts.tableFold.open) return;
    const body = [...front].sort((a, b) => grid[state.minimise][a] - grid[state.minimise][b] || a - b).slice(0, MOST_ROWS);
    const of = (axis, k) => named(axis, valueOn(grid, axis, k));
    const columns = ["order", "realization", "family", "opamp", "resistor", "capacitor", "series", "decade"];
    const heads = ["Order", "Realization", "Family", "Op-amp", "R", "C", "Series", "C level"];
    parts.table.replaceChildren(h("table", {},
      h("caption", {}, `By ${WANTED[state.minimise]}${front.length > MOST_ROWS ? `, the first ${MOST_ROWS}` : ""}`),
      h("thead", {}, h("tr", {}, ["Shown", ...heads, "Error, 95 %", "Cost, USD", "Power", "Parts"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, body.map((k) => h("tr", { class: k === row ? "chosen" : false },
        h("td", {}, h("button", { type: "button", "aria-pressed": String(k === row), "aria-label": `Show ${nameOf(k)}`, onclick: () => pick(k) }, k === row ? "●" : "○")),
        columns.map((axis) => h("td", {}, of(axis, k))),
        h("td", {}, percentText(grid.p95[k])), h("td", {}, money(grid.cost[k])), h("td", {}, watts(grid.power[k])), h("td", {}, String(grid.parts[k])))))));
  }

  // --- the chosen candidate -----------------------------------------------------------------------------------------

  function tile(label, value, note, bad) {
    return h("div", { class: bad ? "bad" : false }, h("dt", {}, label), h("dd", { class: "value" }, value), h("dd", { class: "note" }, note));
  }

  function drawCandidate() {
    if (row < 0) {
      parts.candidate.replaceChildren(h("p", { class: "hint" }, "No candidate to show."));
      return;
    }
    const f = figures();
    const { limits } = state;
    const over = (name, value) => limits[name] !== null && value > limits[name];
    const atMost = (name, text) => (limits[name] === null ? text : `${most(name)} ${shown[name](limits[name])}`);
    const tiles = h("dl", { class: "tiles" },
      tile("Error", percentText(f.kept), `that ${digits(100 * state.good, 4)} % of circuits keep${limits.nrmse === null ? "" : `; at most ${percentText(limits.nrmse)}`}`, over("nrmse", f.kept)),
      tile("Yield", f.share === null ? "–" : shareText(f.share), limits.nrmse === null ? "no limit of the error" : `within ${percentText(limits.nrmse)}`),
      tile("Cost", shown.cost(f.cost), atMost("cost", "parts, at a hundred"), over("cost", f.cost)),
      tile("Power", watts(f.power), atMost("power", "supply current and load"), over("power", f.power)),
      tile("Parts", String(f.parts), atMost("parts", "R, C and packages"), over("parts", f.parts)),
      isNoisy ? tile("Signal to noise", shown.noise(f.noise), atMost("noise", "full-scale sine, in the band"), over("noise", f.noise)) : null);
    parts.candidate.replaceChildren(
      h("p", { class: "which" }, `${nameOf(row)}; capacitances ${times(f.decade)}`), tiles,
      h("div", { class: "pair" }, causeTable(f), spreadChart(f)), bill(f), textOf());
  }

  function causeTable(f) {
    const total = f.law[0];
    const rows = Object.entries(f.causes).map(([name, square]) => {
      const [label, note] = CAUSES[name];
      const share = Math.max(square, 0) / total;
      return h("tr", {}, h("th", { scope: "row" }, label, h("small", {}, note)),
        h("td", { class: "bar" }, h("span", { style: `width: ${(100 * share).toFixed(2)}%`, class: name })),
        h("td", {}, percentText(Math.sqrt(Math.max(square, 0)))), h("td", {}, `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`));
    });
    return h("div", {}, h("h3", {}, "Error by cause"), h("table", { class: "causes" },
      h("caption", {}, `Root mean square over circuits: ${percentText(f.mean)}, of which ${percentText(Math.sqrt(f.rest))} is the window's own at this order`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Cause"), h("td", {}), h("th", { scope: "col" }, "rms"), h("th", { scope: "col" }, "Share"))),
      h("tbody", {}, rows)));
  }

  // The density of the error over circuits; what is beyond the limit in another colour.
  function spreadChart(f) {
    const [mean, variance, third] = f.law;
    const skewness = Math.max(variance > 0 ? third / variance ** 1.5 : 0, 1e-4);
    const scale = 0.5 * skewness * Math.sqrt(variance);
    const shape = 4 / skewness ** 2;
    const density = (error) => (scale > 0 ? (gamma(shape, (error * error - mean) / scale).density * 2 * error) / scale : 0);
    const limit = state.limits.nrmse;
    const low = 0.85 * Math.sqrt(Math.max(mean - 2.5 * Math.sqrt(variance), 0.2 * mean));
    const high = Math.max(Math.sqrt(mean + 4.5 * Math.sqrt(variance)), limit !== null && limit < 2 * f.p95 ? 1.08 * limit : 0);
    const [width, height, bottom] = [420, 190, 30];
    const count = 140;
    const errors = Array.from({ length: count + 1 }, (_, k) => low + ((high - low) * k) / count);
    const heights = errors.map(density);
    const most = Math.max(...heights);
    if (!(most > 0 && Number.isFinite(most))) return h("div", {});
    const x = (error) => ((error - low) / (high - low)) * width;
    const y = (value) => height - bottom - (value / most) * (height - bottom - 16);
    const area = (from, to) => {
      const inside = errors.map((e, k) => [e, heights[k]]).filter(([e]) => e > from && e < to);
      const ends = [from, to].map((e) => Math.min(Math.max(e, low), high));
      const line = [[ends[0], density(ends[0])], ...inside, [ends[1], density(ends[1])]];
      return `M${x(ends[0]).toFixed(1)} ${height - bottom}${line.map(([e, v]) => `L${x(e).toFixed(1)} ${y(v).toFixed(1)}`).join("")}V${height - bottom}Z`;
    };
    const told = `How errors spread over circuits: half of them between ${percentText(quartile(f, 0.25))} and ${percentText(quartile(f, 0.75))}`;
    const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told });
    const split = limit === null ? high : limit;
    if (split > low) svg.append(s("path", { d: area(low, Math.min(split, high)), class: "kept" }));
    if (split < high) svg.append(s("path", { d: area(Math.max(split, low), high), class: "lost" }));
    const axis = s("g", { class: "axes" }, s("line", { x1: 0, x2: width, y1: height - bottom, y2: height - bottom }));
    linear(low, high).forEach((error) => axis.append(s("text", { x: x(error), y: height - 10, "text-anchor": "middle" }, percentText(error))));
    svg.append(axis);
    if (limit !== null && limit > low && limit < high) {
      svg.append(s("g", { class: "limit" }, s("line", { x1: x(limit), x2: x(limit), y1: 4, y2: height - bottom }),
        s("text", { x: x(limit) + (x(limit) > 0.8 * width ? -6 : 6), y: 14, "text-anchor": x(limit) > 0.8 * width ? "end" : "start" }, "limit")));
    }
    return h("div", {}, h("h3", {}, "Spread over circuits"), svg, h("p", { class: "hint" }, `${told}.`));
  }

  const quartile = (f, p) => {
    const [mean, variance, third] = f.law;
    const of = deviations(variance > 0 ? third / variance ** 1.5 : 0, p);
    return Math.sqrt(Math.max(mean + Math.sqrt(variance) * of, 0));
  };

  function linear(low, high) {
    const step = 10 ** Math.floor(Math.log10((high - low) / 2));
    const by = [5, 2, 1].find((m) => (high - low) / (m * step) >= 3) * step;
    const made = [];
    for (let k = Math.ceil((low + 0.05 * (high - low)) / by); k * by <= high - 0.05 * (high - low); k += 1) made.push(Number((k * by).toPrecision(6)));
    return made;
  }

  function bill(f) {
    const { structure, values } = f;
    const kinds = [
      ["Resistors", values.slice(0, structure.resistors), "Ohm", f.resistor, f.costs.resistor],
      ["Capacitors", values.slice(structure.resistors), "F", f.capacitor, f.costs.capacitor],
    ];
    const unit = (value, of) => write(value, of).replace("Ohm", "Ω").replace(" u", " µ").replaceAll(" ", "\u00a0");
    const counted = (of) => [...of.reduce((seen, v) => seen.set(v, (seen.get(v) ?? 0) + 1), new Map())].sort((a, b) => a[0] - b[0]);
    const spare = f.packages * f.opamp.amplifiers - structure.amplifiers;
    const rows = kinds.map(([label, of, si, tolerance, cost]) => h("tr", {}, h("th", { scope: "row" }, `${label}, ${percentText(tolerance)}`),
      h("td", {}, String(of.length)), h("td", {}, String(counted(of).length)),
      h("td", {}, `${unit(Math.min(...of), si)} – ${unit(Math.max(...of), si)}`), h("td", {}, money(cost))));
    rows.push(h("tr", {}, h("th", { scope: "row" }, `${f.opamp.name}${f.opamp.package ? `, ${f.opamp.package}` : ""}`),
      h("td", {}, String(f.packages)), h("td", {}, "1"),
      h("td", {}, `${structure.amplifiers} amplifiers${spare ? `, ${spare} spare` : ""}`), h("td", {}, money(f.costs.opamp))));
    const list = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All values" }, h("table", {}, h("caption", {}, "Pieces of each value"),
      h("thead", {}, h("tr", {}, ["Value", "Pieces"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, kinds.flatMap(([, of, si]) => counted(of).map(([value, count]) => h("tr", {}, h("th", { scope: "row" }, unit(value, si)), h("td", {}, String(count))))))));
    return h("div", {}, h("h3", {}, "Parts"), h("div", { class: "scroll" }, h("table", { class: "bill" },
      h("thead", {}, h("tr", {}, ["Part", "Pieces", "Values", "Range", "Cost, USD"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows, h("tr", { class: "sum" }, h("th", { scope: "row" }, "All"), h("td", {}, String(f.parts)), h("td", {}), h("td", {}), h("td", {}, money(f.cost)))))),
    h("details", { open: listOpen, ontoggle: (event) => (listOpen = event.target.open) }, h("summary", {}, "All values"), list));
  }
  let listOpen = false;
  let textOpen = false;

  function textOf() {
    const text = designText(grid, row);
    const pre = h("pre", { tabindex: 0, "aria-label": "Design file" }, text);
    const said = h("span", { class: "hint", role: "status" });
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(text);
        said.textContent = "Copied.";
      } catch {
        fold.open = true;
        getSelection().selectAllChildren(pre);
        said.textContent = document.execCommand("copy") ? "Copied." : "Selected: copy it with the keyboard.";
      }
    };
    const fold = h("details", { open: textOpen, ontoggle: (event) => (textOpen = event.target.open) }, h("summary", {}, "Read it"), pre);
    const href = `data:text/plain;charset=utf-8,${encodeURIComponent(text)}`;
    return h("div", {}, h("h3", {}, "Design file"),
      h("p", { class: "hint" }, "The whole design, for lmu-analog run, montecarlo, report and export."),
      h("div", { class: "tools" }, h("button", { type: "button", class: "main", onclick: copy }, "Copy"),
        h("a", { href, download: "design.toml", class: "button" }, "Save as design.toml"), said), fold);
  }

  // --- all together -------------------------------------------------------------------------------------------------

  const unchecked = content.unchecked.map((name) => UNCHECKED[name]);
  const doubt = `Figures are by the law of mismatch to first order, within 3 % of exact ensembles for all but extreme circuits. `
    + `lmu-analog optimize verifies candidates with the exact engine${unchecked.length ? `, and alone judges ${unchecked.join(", ")}` : ""}.`;
  parts.verdict = h("p", { class: "verdict", role: "status", "aria-live": "polite" });
  parts.chart = h("div", { class: "chart" });
  parts.legend = h("p", { class: "legend", "aria-hidden": "true" });
  parts.table = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The front as a table" });
  parts.tableTitle = h("summary", {});
  parts.tableFold = h("details", { ontoggle: () => fillTable() }, parts.tableTitle, parts.table);
  parts.candidate = h("div", { class: "candidate" });
  parts.footer = h("footer", {});
  root.classList.add("explorer");
  root.replaceChildren(
    h("header", {}, h("p", { class: "kicker" }, "Explorer"), h(heading, { class: "asked" }, content.asked), h("p", { class: "hint" }, doubt)),
    parts.verdict,
    h("div", { class: "sides" }, controls(),
      h("div", { class: "found" },
        h("section", { "aria-labelledby": id("front") }, h("h2", { id: id("front") }, "What the limits leave"), parts.chart, parts.legend, parts.tableFold),
        h("section", { "aria-labelledby": id("candidate") }, h("h2", { id: id("candidate") }, "The chosen design"), parts.candidate))),
    parts.footer);
  if (grid.count === 0) {
    parts.verdict.className = "verdict bad";
    parts.verdict.textContent = "No circuit that is allowed could be built with values that can be bought.";
    return handle;
  }
  chartWidth = parts.chart.clientWidth;
  update();
  sortLong();
  const resized = new ResizeObserver(() => {
    if (parts.chart.clientWidth === chartWidth) return; // the chart's own height
    chartWidth = parts.chart.clientWidth;
    drawFront();
  });
  resized.observe(parts.chart);
  return Object.assign(handle, { update, pick, destroy: () => resized.disconnect() });
}
