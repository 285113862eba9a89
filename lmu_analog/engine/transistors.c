/* Circuits of transistors near their operating point: many samples side by side, one a lane of a vector.
 *
 * For every sample the operating point by steps with the nominal circuit's slopes, each mended by what the two before
 * did (Anderson, JACM 12, 1965), then the slopes there, then the response at some tones: nets are eliminated as
 * truncated series in s, the few that are left tone by tone. silicon/compiled.py writes what it reads. Single precision
 * is enough, as voltages are deviations from the nominal ones and currents multiples of the nominal ones.
 *
 * As in player.c, every operation is one of IEEE 754, rounded by itself, in an order that does not depend on the
 * processor: no contraction, no -ffast-math, no functions of the C library.
 */

#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(void *) == 8, "arguments are eight bytes wide");
_Static_assert(FLT_EVAL_METHOD == 0, "every operation is rounded by itself, to its own precision");

/* As many floats as a register holds. */
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vm __attribute__((vector_size(4 * LANES))); /* masks: 0 or -1 a lane */
typedef uint32_t vb __attribute__((vector_size(4 * LANES)));

/* How vectors are passed depends on the processor; what is inlined passes none. */
#define V_INLINE static inline __attribute__((always_inline, unused))

typedef int64_t whole;

#define TERMS 3   /* of a series in s */
#define DEGREE 4  /* of a law; of the bulk's voltage two */
#define FULL 31   /* coefficients: 15 of gate and drain, 10 beside the bulk's voltage, 6 beside its square */
#define MOVED 10  /* of these, those that deviate: up to degree two; those without the bulk first */
#define NO_BULK 6
#define FIGURES 7 /* of a device */

enum { IS_LOG = 1, IS_SATURATED = 2, HAS_BULK = 4 };
enum { ELIMINATE, MIX };

/* The arguments lie side by side as compiled.py writes them: all fields are eight bytes wide. */
typedef struct {
    whole nets, places, devices, amounts, strips;
    double thermal, settled, largest_step, beyond;
    whole rounds;
    const float *scaled, *constant; /* (places): currents that sources push into nets */
    whole variables;                /* that the start is found from, the factor of the bias last */
    const whole *start_variables;
    const float *start;             /* (nets, variables, 2): what each adds to the voltage, and its square */
    const whole *amount_starts, *amount_variables;
    const float *amount_weights;
    const whole *ends, *kinds; /* (devices, 4), (devices) */
    const float *figures;      /* (devices, FIGURES): polarity, v_DS, current, factor, 1/box of gate, drain, bulk */
    const whole *moved_starts, *moved_amounts; /* amounts, then their squares */
    const float *moved;        /* (.., 1 + MOVED): gate, coefficients */
    const float *coefficients; /* (devices, FULL) */
    const float *moving;       /* (devices, MOVED): those that deviate, nominal */
    const whole *strip_ends;   /* (strips, 2) */
    const float *strip_volts;  /* (strips): nominal */
    whole steps;               /* of the solution with the nominal slopes */
    const whole *pivots;
    const float *inverses;
    const whole *lower_starts, *lower_nets;
    const float *lower;
    const whole *upper_starts, *upper_nets;
    const float *upper;
    whole entries;
    const float *fixed;       /* (entries): charges that do not deviate */
    const whole *slope_starts, *slope_places; /* of every entry: four of each device, the last their sum */
    const float *slope_signs;
    const whole *charge_starts, *charge_amounts;
    const float *charge_sizes;
    const whole *plate_starts, *plate_capacitors;
    const float *plate_sizes;
    const whole *strip_starts, *strip_places;
    const float *strip_signs;
    whole length;
    const whole *program;
    whole unknowns, tones, probes;
    const whole *core;         /* (unknowns, unknowns + 1): entries, the right side last */
    const float *w;           /* (tones), rad/s */
    const float *read;        /* (probes, unknowns) */
    const whole *read_starts, *read_nets;
    const float *read_weights; /* of the operating point */
    whole supply;
} circuit;

typedef struct {
    const float *process, *threshold, *mobility, *capacitance, *strips, *factor;
    whole samples;
} inputs;

typedef struct {
    vf *volts, *flows, *amounts, *gate, *moved, *slope;
    vf *step[3], *sum[3]; /* steps, and where they lead: of this round and of the two before */
    vf *series, *core;
} workspace;

V_INLINE vf f_all(float x)
{
    return x - (vf){0};
}

V_INLINE vf f_load(const float *from)
{
    vf x;
    memcpy(&x, from, sizeof x);
    return x;
}

V_INLINE void f_store(float *to, vf x)
{
    memcpy(to, &x, sizeof x);
}

V_INLINE vf f_select(vm mask, vf yes, vf no)
{
    return (vf)((mask & (vm)yes) | (~mask & (vm)no));
}

V_INLINE vf f_size(vf x)
{
    return (vf)((vb)x & 0x7FFFFFFFu);
}

V_INLINE vf f_larger(vf a, vf b)
{
    return f_select(a < b, b, a);
}

V_INLINE int f_all_set(vm mask)
{
    int32_t found = -1;
    for (int i = 0; i < LANES; i++)
        found &= mask[i];
    return found != 0;
}

/* e^x for x from -80 to 80; beyond, its value there. */
V_INLINE vf f_exp(vf x)
{
    const float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f, to_whole = 12582912.0f; /* 1.5 2^23 */
    x = f_select(x < -80.0f, f_all(-80.0f), x);
    x = f_select(x > 80.0f, f_all(80.0f), x);
    const vf shifted = x * 1.44269504f + to_whole, k = shifted - to_whole;
    const vf r = (x - k * ln2_high) - k * ln2_low;
    vf y = 1.38888889e-3f * r + 8.33333333e-3f;
    y = y * r + 4.16666667e-2f;
    y = y * r + 1.66666667e-1f;
    y = y * r + 0.5f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
    return y * (vf)(((vb)shifted + 127) << 23);
}

/* Logarithm of 1 + x for small x: its series; six terms are exact to 1e-7 for a tenth. */
V_INLINE vf f_log1p(vf x)
{
    vf y = 0.2f - x * 0.166666667f;
    y = 0.25f - x * y;
    y = 0.333333333f - x * y;
    y = 0.5f - x * y;
    return x - x * x * y;
}

V_INLINE void move_laws(const circuit *c, workspace *w, const inputs *given, whole n, const int count)
{
    const float *f = c->figures + FIGURES * n;
    vf gate = f_all(0.0f), added[MOVED];
    added[0] = f[3] * f_log1p(f_load(given->mobility + n * given->samples)) + c->moving[MOVED * n];
    for (int i = 1; i < count; i++)
        added[i] = f_all(c->moving[MOVED * n + i]);
    for (whole k = c->moved_starts[n]; k < c->moved_starts[n + 1]; k++) {
        const float *by = c->moved + (1 + MOVED) * k;
        vf x = w->amounts[c->moved_amounts[k]];
        if (k == c->moved_starts[n]) /* the threshold, which mismatch moves too */
            x += f[0] * f_load(given->threshold + n * given->samples);
        gate += by[0] * x;
        for (int i = 0; i < count; i++)
            added[i] += by[1 + i] * x;
    }
    w->gate[n] = gate;
    for (int i = 0; i < count; i++)
        w->moved[MOVED * n + i] = added[i];
}

static void find_laws(const circuit *c, workspace *w, const inputs *given)
{
    for (whole j = 0; j < c->amounts; j++) {
        vf total = f_all(0.0f);
        for (whole k = c->amount_starts[j]; k < c->amount_starts[j + 1]; k++)
            total += c->amount_weights[k] * f_load(given->process + c->amount_variables[k] * given->samples);
        w->amounts[j] = total;
        w->amounts[c->amounts + j] = total * total;
    }
    for (whole n = 0; n < c->devices; n++) {
        if (c->kinds[n] & HAS_BULK)
            move_laws(c, w, given, n, MOVED);
        else
            move_laws(c, w, given, n, NO_BULK);
    }
}

/* Where powers of gate and drain stand among the coefficients that deviate. */
V_INLINE int moved_at(int gate, int drain)
{
    return (gate + drain) * (gate + drain + 1) / 2 + drain;
}

/* A polynomial of gate and drain by Horner's rule, with its slopes; those of its coefficients up to a degree deviate. */
V_INLINE vf plane(const float *fixed, const vf *moved, const int degree, const int deviating, vf g, vf d, const int with_slopes,
                  vf *along)
{
    vf total = f_all(0.0f), by_gate = f_all(0.0f), by_drain = f_all(0.0f);
    const float *end = fixed + (degree + 1) * (degree + 2) / 2;
#pragma GCC unroll 8
    for (int j = degree; j >= 0; j--) {
        vf value = f_all(0.0f), turn = f_all(0.0f);
        end -= degree - j + 1;
#pragma GCC unroll 8
        for (int i = degree - j; i >= 0; i--) {
            const vf coefficient = i + j <= deviating ? moved[moved_at(i, j)] : f_all(end[i]);
            if (i == degree - j) {
                value = coefficient;
                continue;
            }
            if (with_slopes)
                turn = i == degree - j - 1 ? value : turn * g + value;
            value = value * g + coefficient;
        }
        if (j == degree) {
            total = value;
            continue;
        }
        if (with_slopes) {
            by_drain = j == degree - 1 ? total : by_drain * d + total;
            by_gate = j == degree - 1 ? turn : by_gate * d + turn;
        }
        total = total * d + value;
    }
    if (with_slopes) {
        along[0] = by_gate;
        along[1] = by_drain;
    }
    return total;
}

/* Give the current of a channel, drain to source, times the polarity; and its slopes and how far it is from the middle
 * of its box. */
V_INLINE vf current_of(const circuit *c, const workspace *w, whole n, const int with_slopes, vf *slope, vf *farthest)
{
    const whole *ends = c->ends + 4 * n, kind = c->kinds[n];
    const float *f = c->figures + FIGURES * n, *fixed = c->coefficients + FULL * n, thermal = (float)c->thermal;
    const vf source = w->volts[ends[2]], *moved = w->moved + MOVED * n;
    const vf drain = f[0] * (w->volts[ends[0]] - source);
    const vf g = (f[0] * (w->volts[ends[1]] - source) - w->gate[n]) * f[4], d = drain * f[5];
    vf b = f_all(0.0f), along[3] = {b, b, b};
    vf total = plane(fixed, moved, DEGREE, 2, g, d, with_slopes, along);
    if (kind & HAS_BULK) {
        vf first[2], second[2];
        b = f[0] * (w->volts[ends[3]] - source) * f[6];
        const vf once = plane(fixed + 15, moved + NO_BULK, DEGREE - 1, 1, g, d, with_slopes, first);
        const vf twice = plane(fixed + 25, moved + MOVED - 1, DEGREE - 2, 0, g, d, with_slopes, second);
        total += b * (once + b * twice);
        if (with_slopes) {
            along[0] += b * (first[0] + b * second[0]);
            along[1] += b * (first[1] + b * second[1]);
            along[2] = once + 2.0f * b * twice;
        }
    }
    vf current = total, size = f_all(1.0f), decay = f_all(0.0f);
    if (kind & IS_LOG) {
        size = f[2] * f_exp(total);
        current = size;
        if (!(kind & IS_SATURATED)) {
            decay = f_exp(-(f[1] + drain) * thermal);
            current = size - size * decay;
        }
    }
    if (with_slopes) {
        const vf by = kind & IS_LOG ? current : size;
        slope[0] = by * along[0] * f[4];
        slope[1] = by * along[1] * f[5];
        if (kind & IS_LOG)
            slope[1] += size * decay * thermal;
        slope[2] = by * along[2] * f[6];
        slope[3] = slope[0] + slope[1] + slope[2];
        *farthest = f_larger(*farthest, f_larger(f_size(g), f_larger(f_size(d), f_size(b))));
    }
    return current;
}

/* Find the currents out of all nets that nothing takes. */
V_INLINE void find_flows(const circuit *c, workspace *w, const inputs *given, const int with_slopes, vf *farthest)
{
    const vf factor = f_load(given->factor);
    for (whole v = 0; v < c->places; v++)
        w->flows[v] = -(factor * c->scaled[v] + c->constant[v]);
    for (whole n = 0; n < c->devices; n++) {
        const whole *ends = c->ends + 4 * n;
        const vf flow = c->figures[FIGURES * n] * current_of(c, w, n, with_slopes, w->slope + 4 * n, farthest);
        w->flows[ends[0]] += flow;
        w->flows[ends[2]] -= flow;
    }
    for (whole k = 0; k < c->strips; k++) {
        const whole *ends = c->strip_ends + 2 * k;
        const vf volts = c->strip_volts[k] + (w->volts[ends[0]] - w->volts[ends[1]]);
        const vf flow = volts * f_load(given->strips + k * given->samples);
        w->flows[ends[0]] += flow;
        w->flows[ends[1]] -= flow;
    }
}

/* Turn currents into the voltages that would take them, with the nominal slopes. */
static void solve(const circuit *c, vf *x)
{
    for (whole k = 0; k < c->steps; k++) {
        const vf here = x[c->pivots[k]];
        for (whole i = c->lower_starts[k]; i < c->lower_starts[k + 1]; i++)
            x[c->lower_nets[i]] -= c->lower[i] * here;
    }
    for (whole k = c->steps - 1; k >= 0; k--) {
        vf here = x[c->pivots[k]];
        for (whole i = c->upper_starts[k]; i < c->upper_starts[k + 1]; i++)
            here -= c->upper[i] * x[c->upper_nets[i]];
        x[c->pivots[k]] = here * c->inverses[k];
    }
}

/* Give the parts of the differences to the two steps before that make the last step smallest: least squares. */
static void combine(const vf *step, const vf *before, const vf *earlier, whole nets, vf part[2])
{
    vf aa = f_all(0.0f), ab = f_all(0.0f), bb = f_all(0.0f), a = f_all(0.0f), b = f_all(0.0f);
    for (whole v = 0; v < nets; v++) {
        const vf here = 1024.0f * step[v], x = here - 1024.0f * before[v], y = here - 1024.0f * earlier[v];
        aa += x * x;
        ab += x * y;
        bb += y * y;
        a += x * here;
        b += y * here;
    }
    aa += 1e-14f;
    bb += 1e-14f;
    const vf determinant = aa * bb - ab * ab;
    /* Differences that are alike count once. */
    const vm firm = 1e-5f * aa * bb < determinant;
    const vf inverse = 1.0f / f_select(firm, determinant, f_all(1.0f));
    part[0] = f_select(firm, (a * bb - b * ab) * inverse, a / aa);
    part[1] = f_select(firm, (b * aa - a * ab) * inverse, f_all(0.0f));
}

static void begin(const circuit *c, workspace *w, const inputs *given)
{
    memset(w->volts, 0, (size_t)c->places * sizeof(vf));
    for (whole k = 0; k < c->variables; k++) {
        const vf x = k == c->variables - 1 ? f_load(given->factor) - 1.0f
                                           : f_load(given->process + c->start_variables[k] * given->samples);
        const vf square = x * x;
        const float *by = c->start + 2 * c->nets * k;
        for (whole v = 0; v < c->nets; v++)
            w->volts[v] += by[2 * v] * x + by[2 * v + 1] * square;
    }
}

/* Find the operating point; give how large the last step was. A lane that has settled stays as it is: what it becomes
 * does not depend on its neighbours. */
static vf find_point(const circuit *c, workspace *w, const inputs *given)
{
    const vf bound = f_all((float)c->largest_step), settled = f_all((float)c->settled);
    vf reached = f_all(0.0f), unused = f_all(0.0f);
    vm done = (vm){0};
    begin(c, w, given);
    for (whole round = 0; round < c->rounds; round++) {
        const whole here = round % 3, before = (round + 2) % 3, earlier = round > 1 ? (round + 1) % 3 : before;
        vf *step = w->step[here], *sum = w->sum[here], largest = f_all(0.0f), part[2] = {largest, largest};
        find_flows(c, w, given, 0, &unused);
        solve(c, w->flows);
        for (whole v = 0; v < c->nets; v++)
            largest = f_larger(largest, f_size(w->flows[v]));
        const vf held = bound / f_larger(largest, bound);
        for (whole v = 0; v < c->nets; v++) {
            step[v] = -(held * w->flows[v]);
            sum[v] = w->volts[v] + step[v];
        }
        if (round)
            combine(step, w->step[before], w->step[earlier], c->nets, part);
        for (whole v = 0; v < c->nets; v++) {
            vf to = sum[v];
            if (round)
                to -= part[0] * (sum[v] - w->sum[before][v]) + part[1] * (sum[v] - w->sum[earlier][v]);
            w->volts[v] = f_select(done, w->volts[v], to);
        }
        reached = f_select(done, reached, largest);
        done |= largest < settled;
        if (f_all_set(done))
            break;
    }
    return reached;
}

/* Products of series, up to TERMS. */
V_INLINE void times(const vf *a, const vf *b, vf *to)
{
    to[0] = a[0] * b[0];
    to[1] = a[0] * b[1] + a[1] * b[0];
    to[2] = a[0] * b[2] + a[1] * b[1] + a[2] * b[0];
}

/* Write the matrix: conductances, and charges with what deviates of them. */
static void load_series(const circuit *c, workspace *w, const inputs *given)
{
    for (whole e = 0; e < c->entries; e++) {
        vf conductance = f_all(0.0f), charge = f_all(c->fixed[e]);
        for (whole k = c->slope_starts[e]; k < c->slope_starts[e + 1]; k++)
            conductance += c->slope_signs[k] * w->slope[c->slope_places[k]];
        for (whole k = c->strip_starts[e]; k < c->strip_starts[e + 1]; k++)
            conductance += c->strip_signs[k] * f_load(given->strips + given->samples * c->strip_places[k]);
        for (whole k = c->charge_starts[e]; k < c->charge_starts[e + 1]; k++)
            charge += c->charge_sizes[k] * w->amounts[c->charge_amounts[k]];
        for (whole k = c->plate_starts[e]; k < c->plate_starts[e + 1]; k++)
            charge += c->plate_sizes[k] * f_load(given->capacitance + given->samples * c->plate_capacitors[k]);
        w->series[TERMS * e] = conductance;
        w->series[TERMS * e + 1] = charge;
        w->series[TERMS * e + 2] = f_all(0.0f);
    }
}

/* Eliminate a net: its pivot, rows and columns, then the targets of every row. */
static const whole *eliminate(vf *e, const whole *code)
{
    const vf *p = e + TERMS * code[0];
    const whole rows = code[1], columns = code[2], *row = code + 3, *column = row + rows, *target = column + columns;
    vf inverse[TERMS];
    inverse[0] = 1.0f / p[0];
    inverse[1] = -(inverse[0] * (p[1] * inverse[0]));
    inverse[2] = -(inverse[0] * (p[1] * inverse[1] + p[2] * inverse[0]));
    for (whole i = 0; i < rows; i++) {
        vf factor[TERMS], part[TERMS];
        times(e + TERMS * row[i], inverse, factor);
        for (whole j = 0; j < columns; j++) {
            vf *to = e + TERMS * *target++;
            times(factor, e + TERMS * column[j], part);
            for (int t = 0; t < TERMS; t++)
                to[t] -= part[t];
        }
    }
    return target;
}

/* Turn two nets into their common and differential voltage: half the difference of their columns, and of their rows. */
static const whole *mix(vf *e, const whole *code)
{
    for (whole count = *code++; count > 0; count--, code += 2) {
        vf *a = e + TERMS * code[0], *b = e + TERMS * code[1];
        for (int t = 0; t < TERMS; t++) {
            const vf sum = a[t] + b[t];
            b[t] = 0.5f * (a[t] - b[t]);
            a[t] = sum;
        }
    }
    return code;
}

/* Solve what is left at one tone: x (unknowns, 2). */
static void respond(const circuit *c, const workspace *w, float turn, vf *x)
{
    const whole n = c->unknowns, m = n + 1;
    const float square = turn * turn;
    vf *re = w->core, *im = w->core + n * m;
    for (whole k = 0; k < n * m; k++) {
        const vf *e = w->series + TERMS * c->core[k];
        re[k] = e[0] - square * e[2];
        im[k] = turn * e[1];
    }
    for (whole k = 0; k < n; k++) {
        const vf a = re[k * m + k], b = im[k * m + k], size = 1.0f / (a * a + b * b);
        const vf p = a * size, q = -(b * size);
        for (whole j = k + 1; j < m; j++) {
            const vf u = re[k * m + j], v = im[k * m + j];
            re[k * m + j] = u * p - v * q;
            im[k * m + j] = u * q + v * p;
        }
        for (whole i = k + 1; i < n; i++) {
            const vf u = re[i * m + k], v = im[i * m + k];
            for (whole j = k + 1; j < m; j++) {
                const vf s = re[k * m + j], t = im[k * m + j];
                re[i * m + j] -= u * s - v * t;
                im[i * m + j] -= u * t + v * s;
            }
        }
    }
    for (whole k = n - 1; k >= 0; k--) {
        vf a = re[k * m + n], b = im[k * m + n];
        for (whole j = k + 1; j < n; j++) {
            const vf u = re[k * m + j], v = im[k * m + j];
            a -= u * x[2 * j] - v * x[2 * j + 1];
            b -= u * x[2 * j + 1] + v * x[2 * j];
        }
        x[2 * k] = a;
        x[2 * k + 1] = b;
    }
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* Run samples, a multiple of 16: process (variables, samples), threshold and mobility (devices, samples), deviations of
 * capacitors (capacitors, samples), conductance of resistors (strips, samples), factor of the bias (samples).
 *
 * offset (probes, samples), response (tones, probes, 2, samples), supply (samples), sure (samples).
 * Returns 0, or 1 where there is no memory.
 */
int JOIN(lmu_transistors_, VARIANT)(const circuit *c, whole samples, const float *process, const float *threshold,
                                    const float *mobility, const float *capacitance, const float *strips,
                                    const float *factor, float *offset, float *response, float *supply,
                                    unsigned char *sure)
{
    const whole square = 2 * (c->unknowns + 1) * (c->unknowns + 1);
    const whole counts[] = {c->places, c->places, 2 * c->amounts, c->devices, MOVED * c->devices, 4 * c->devices,
                            c->nets, c->nets, c->nets, c->nets, c->nets, c->nets, TERMS * c->entries, square};
    workspace w;
    void *const places[] = {&w.volts,   &w.flows,   &w.amounts, &w.gate,   &w.moved,  &w.slope,  &w.step[0],
                            &w.step[1], &w.step[2], &w.sum[0],  &w.sum[1], &w.sum[2], &w.series, &w.core};
    whole total = 1;
    for (unsigned k = 0; k < sizeof counts / sizeof *counts; k++)
        total += counts[k];
    char *memory = malloc((size_t)total * sizeof(vf));
    if (!memory)
        return 1;
    vf *at = (vf *)(memory + (sizeof(vf) - (uintptr_t)memory % sizeof(vf)) % sizeof(vf));
    for (unsigned k = 0; k < sizeof counts / sizeof *counts; k++) {
        memcpy(places[k], &at, sizeof at);
        at += counts[k];
    }
    for (whole start = 0; start < samples; start += LANES) {
        const inputs given = {process + start,     threshold + start, mobility + start, capacitance + start,
                              strips + start, factor + start, samples};
        vf farthest = f_all(0.0f);
        find_laws(c, &w, &given);
        const vf reached = find_point(c, &w, &given);
        find_flows(c, &w, &given, 1, &farthest);
        const vm good = (reached < (float)c->settled) & (farthest < (float)c->beyond);
        for (int lane = 0; lane < LANES; lane++)
            sure[start + lane] = good[lane] != 0;
        f_store(supply + start, w.flows[c->supply]);
        solve(c, w.flows); /* what is left of a step, for offsets */
        for (whole v = 0; v < c->nets; v++)
            w.volts[v] -= w.flows[v];
        for (whole i = 0; i < c->probes; i++) {
            vf read = f_all(0.0f);
            for (whole k = c->read_starts[i]; k < c->read_starts[i + 1]; k++)
                read += c->read_weights[k] * w.volts[c->read_nets[k]];
            f_store(offset + i * samples + start, read);
        }
        load_series(c, &w, &given);
        for (const whole *code = c->program, *end = code + c->length; code < end;)
            code = *code == ELIMINATE ? eliminate(w.series, code + 1) : mix(w.series, code + 1);
        for (whole f = 0; f < c->tones; f++) {
            vf *x = w.core + 2 * c->unknowns * (c->unknowns + 1);
            respond(c, &w, c->w[f], x);
            for (whole i = 0; i < c->probes; i++) {
                vf re = f_all(0.0f), im = f_all(0.0f);
                for (whole k = 0; k < c->unknowns; k++) {
                    re += c->read[i * c->unknowns + k] * x[2 * k];
                    im += c->read[i * c->unknowns + k] * x[2 * k + 1];
                }
                float *to = response + 2 * (f * c->probes + i) * samples + start;
                f_store(to, re);
                f_store(to + samples, im);
            }
        }
    }
    free(memory);
    return 0;
}
