// The law of the window error, as codesign/law.py and codesign/pearson.py have it: cumulants of NRMSE^2 from traces,
// and quantiles of the gamma law (Pearson's type III) that has the same three cumulants.

const LEAST_SKEWNESS = 1e-4; // below it the law is a normal one
const MOST_SKEWNESS = Math.sqrt(8); // of any sum of squares: that of a single one
const NODES = 640; // of a table of quantiles: cubic between them is exact to 1e-10
const TINY = 1e-300;
const EPS = 2.2e-16;

// ln(Gamma(a + 1)) less Stirling's sqrt(2 pi a) a^a e^-a.
function stirling(a) {
  let shift = 0;
  let at = a;
  // The series is exact to the last digit from ten; below it Gamma's recurrence goes there.
  while (at < 10) {
    shift += 1 - (at + 0.5) * Math.log1p(1 / at);
    at += 1;
  }
  const r = 1 / (at * at);
  const tail = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / at;
  return tail - shift;
}

// u - ln(1 + u), which cancels where u is small.
function excess(u) {
  if (Math.abs(u) > 0.05) return u - Math.log1p(u);
  let power = u * u;
  let sum = 0;
  for (let k = 2; k < 40; k += 1) {
    const term = power / k;
    sum += k % 2 ? -term : term;
    if (Math.abs(term) < EPS * Math.abs(sum)) break;
    power *= u;
  }
  return sum;
}

// Of the gamma law of shape a at x = a + d: both tails and the density. By d, since x alone loses digits where a is large.
export function gamma(a, d) {
  const x = a + d;
  if (!(x > 0)) return { below: 0, above: 1, density: 0 };
  const height = Math.exp(-a * excess(d / a) - stirling(a)) / Math.sqrt(2 * Math.PI * a); // x^a e^-x / Gamma(a + 1)
  const density = (height * a) / x;
  if (d < 1) {
    let term = 1;
    let sum = 1;
    for (let n = 1; term > EPS * sum; n += 1) {
      term *= x / (a + n);
      sum += term;
    }
    const below = height * sum;
    return { below, above: 1 - below, density };
  }
  // Legendre's continued fraction by Lentz's method, for the upper tail.
  let b = d + 1;
  let c = 1 / TINY;
  let f = 1 / b;
  let h = f;
  for (let n = 1; n < 1e7; n += 1) {
    const an = -n * (n - a);
    b += 2;
    f = an * f + b;
    if (Math.abs(f) < TINY) f = TINY;
    c = b + an / c;
    if (Math.abs(c) < TINY) c = TINY;
    f = 1 / f;
    const step = f * c;
    h *= step;
    if (Math.abs(step - 1) < 4 * EPS) break;
  }
  const above = height * a * h;
  return { below: 1 - above, above, density };
}

// A normal quantile good to 5e-4 (Abramowitz and Stegun, 26.2.23): where to start from.
function nearNormal(p) {
  const t = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
  const z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return p < 0.5 ? -z : z;
}

// Where the gamma law of shape a reaches p, less a. Halley's steps, kept within a bracket.
export function gammaQuantile(a, p) {
  const z = nearNormal(p);
  const s = 1 / (9 * a);
  // Wilson and Hilferty; (1 - s + z sqrt(s))^3 - 1, written so that nothing cancels.
  const e = z * Math.sqrt(s) - s;
  let d = e > -1 ? a * e * (3 + e * (3 + e)) : -a;
  // The lower tail of a small shape is x^a / Gamma(a + 1).
  const small = Math.exp((Math.log(p) + stirling(a) + 0.5 * Math.log(2 * Math.PI * a)) / a + Math.log(a) - 1);
  if (!(d > -a * (1 - 1e-3)) || small < 0.1 * (a + 1)) d = Math.max(small, TINY) - a;
  let low = -a;
  let high = Infinity;
  for (let step = 0; step < 100; step += 1) {
    const at = gamma(a, d);
    const wrong = p < 0.5 ? at.below - p : 1 - p - at.above;
    if (wrong > 0) high = Math.min(high, d);
    else low = Math.max(low, d);
    const newton = wrong / at.density;
    const bend = ((a - 1) / (a + d) - 1) / 2; // half the density's logarithmic slope
    let next = d - newton / Math.max(0.5, 1 + newton * bend);
    if (!(next > low && next < high)) next = Number.isFinite(high) ? (low + high) / 2 : d + Math.sqrt(a) + 1;
    const moved = Math.abs(next - d);
    d = next;
    if (moved <= 1e-13 * Math.sqrt(a) || moved <= 4 * EPS * (a + d)) break;
  }
  return d;
}

const skewed = (skewness) => Math.max(skewness, LEAST_SKEWNESS);

// How many standard deviations above its mean a law of this skewness reaches p.
export function deviations(skewness, p) {
  const a = 4 / skewed(skewness) ** 2;
  return gammaQuantile(a, p) / Math.sqrt(a);
}

// The same for many: p once, then by cubics between the nodes of a table.
export function deviationsOf(p) {
  const step = (MOST_SKEWNESS * 1.001 - LEAST_SKEWNESS) / (NODES - 4);
  const table = new Float64Array(NODES);
  const at = (k) => LEAST_SKEWNESS + (k - 1) * step;
  for (let k = 1; k < NODES; k += 1) table[k] = deviations(at(k), p);
  // One node before the first, so that a cubic goes through it: the law goes on smoothly to the left.
  table[0] = 4 * table[1] - 6 * table[2] + 4 * table[3] - table[4];
  return (skewness) => {
    const x = (skewed(skewness) - LEAST_SKEWNESS) / step + 1;
    const k = Math.floor(x);
    if (k > NODES - 3) return deviations(skewness, p);
    const t = x - k;
    const a = table[k - 1];
    const b = table[k];
    const c = table[k + 1];
    const d = table[k + 2];
    return b + 0.5 * t * (
      c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))
    );
  };
}

// NRMSE that a share p of circuits keeps.
export function quantile([mean, variance, third], p) {
  const skewness = variance > 0 ? third / variance ** 1.5 : 0;
  return Math.sqrt(Math.max(mean + Math.sqrt(Math.max(variance, 0)) * deviations(skewness, p), 0));
}

// Share of circuits whose NRMSE is at most the limit.
export function within([mean, variance, third], limit) {
  const skewness = skewed(variance > 0 ? third / variance ** 1.5 : 0);
  const width = 0.5 * skewness * Math.sqrt(Math.max(variance, 0));
  if (!(width > 0)) return mean <= limit * limit ? 1 : 0;
  return gamma(4 / skewness ** 2, (limit * limit - mean) / width).below;
}

// Read what content.py packed: scales of classes and terms, then the distinct entries of symmetric traces. Entries that
// stand for several get their number, so that sums run over distinct ones alone.
export function unpackTraces(text, rest, classes, terms) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  let place = 0;
  const take = (count) => Float64Array.from({ length: count }, () => view.getFloat32(4 * place++, true));
  const classScale = take(classes);
  const termScale = take(terms);
  const pairs = (classes * (classes + 1)) / 2;
  const first = take(classes);
  const second = take(pairs);
  const third = take((pairs * (classes + 2)) / 3);
  const form = () => {
    const entries = take((terms * (terms + 1)) / 2);
    let at = 0;
    for (let i = 0; i < terms; i += 1) for (let j = i; j < terms; j += 1, at += 1) if (i !== j) entries[at] *= 2;
    return entries;
  };
  const nominal = form();
  const along = Array.from({ length: classes }, form);
  const turned = [];
  let pair = 0;
  let triple = 0;
  for (let a = 0; a < classes; a += 1) {
    for (let b = a; b < classes; b += 1, pair += 1) {
      const both = form();
      if (a !== b) {
        second[pair] *= 2;
        both.forEach((_, k) => (both[k] *= 2));
      }
      turned.push(both);
      for (let d = b; d < classes; d += 1, triple += 1) {
        if (a !== b || b !== d) third[triple] *= a === b || b === d ? 3 : 6;
      }
    }
  }
  return { rest, classes, terms, classScale, termScale, first, second, third, nominal, along, turned };
}

const dot = (x, y) => {
  let sum = 0;
  for (let k = 0; k < x.length; k += 1) sum += x[k] * y[k];
  return sum;
};

// The law for amounts of the terms of the nominal error, as a polynomial in the squares of the tolerances.
export function lawAt(traces, amounts) {
  const products = new Float64Array(traces.nominal.length);
  let at = 0;
  for (let i = 0; i < traces.terms; i += 1) {
    for (let j = i; j < traces.terms; j += 1, at += 1) {
      products[at] = amounts[i] * traces.termScale[i] * amounts[j] * traces.termScale[j];
    }
  }
  return {
    traces,
    nominal: dot(traces.nominal, products),
    along: traces.along.map((form) => dot(form, products)),
    turned: traces.turned.map((form) => dot(form, products)),
  };
}

// Mean, variance and third cumulant of NRMSE^2, into the first three places of `found`.
export function cumulants(law, tolerances, found) {
  const { classes, classScale, first, second, third, rest } = law.traces;
  let mean = rest + law.nominal;
  let variance = 0;
  let cubed = 0;
  let pair = 0;
  let triple = 0;
  for (let a = 0; a < classes; a += 1) {
    const wa = tolerances[a] * tolerances[a] * classScale[a];
    mean += wa * first[a];
    variance += wa * law.along[a];
    for (let b = a; b < classes; b += 1, pair += 1) {
      const wab = wa * tolerances[b] * tolerances[b] * classScale[b];
      variance += wab * second[pair];
      cubed += wab * law.turned[pair];
      for (let d = b; d < classes; d += 1, triple += 1) {
        cubed += wab * tolerances[d] * tolerances[d] * classScale[d] * third[triple];
      }
    }
  }
  found[0] = mean;
  found[1] = variance;
  found[2] = cubed;
  return found;
}

// Mean square errors by cause: what no circuit of the order avoids, the nominal circuit, then every class of draws.
export function causes(law, tolerances) {
  const { classScale, first, rest } = law.traces;
  return [rest, law.nominal, ...tolerances.map((t, c) => t * t * classScale[c] * first[c])];
}
