// A candidate as a design file, the same text as output/design_text.py writes.
import { figuresOf } from "./grid.js";

const PREFIXES = { "12": "T", "9": "G", "6": "M", "3": "k", "0": "", "-3": "m", "-6": "u", "-9": "n", "-12": "p", "-15": "f" };

// A quantity in engineering notation with up to six significant digits, as units.write has it.
export function write(value, unit) {
  const [digits, exponent] = value.toExponential(5).split("e");
  const power = 3 * Math.floor(Number(exponent) / 3);
  const number = String(Number(`${digits}e${Number(exponent) - power}`));
  return `${number} ${PREFIXES[String(power)]}${unit}`;
}

// In percent with ten digits where that reads back as the same number, else the bare number.
function percent(value) {
  const digits = String(Number((100 * value).toPrecision(10)));
  const readsBack = Number(digits.includes("e") ? Number(digits) / 100 : `${digits}e-2`) === value;
  return readsBack ? `"${digits} %"` : Number.isInteger(value) ? `${value}.0` : String(value);
}

export function designText(grid, row) {
  const { content } = grid;
  const { bank, structure, opamp, places, values } = figuresOf(grid, row, { nrmse: null }, 0.95);
  // The headroom with which this op-amp's outputs have the swing that the values are for (structures.swung).
  const headroom = Number((1 - bank.swing / Math.min(content.rail, opamp.swing ?? Infinity)).toFixed(12));
  const lines = content.templates[bank.template].flatMap((line) => {
    if (typeof line === "string") return [line];
    const [what, comment] = line;
    if (what === "headroom") {
      return [`${`headroom = ${percent(headroom)}`.padEnd(content.comments_from)}#${comment}`];
    }
    if (what !== "values") return [content.lines[what][places[what]]];
    return structure.names.map((name, k) => `${name} = "${write(values[k], k < structure.resistors ? "Ohm" : "F")}"`);
  });
  return `${lines.join("\n")}\n`;
}
