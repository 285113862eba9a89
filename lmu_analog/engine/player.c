/* The player of jobs in C: many samples side by side, one a lane of a vector.
 *
 * It does what interpreter.py does, operation by operation: +, -, *, / and square root of IEEE 754, each rounded by
 * itself, in the same order. Compiled without contraction (-ffp-contract=off) and without -ffast-math, its results
 * have the same bits with any instruction set, any number of lanes, and in NumPy.
 *
 * The file is compiled once for each instruction set, with VARIANT naming it; native.py puts the objects into one
 * library and chooses at run time. In every pass it includes itself for double precision (responses) and for single
 * precision (determinants).
 */
#ifndef ELEMENT /* the file itself */

#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(void *) == 8, "arguments are eight bytes wide");
_Static_assert(FLT_EVAL_METHOD == 0, "every operation is rounded by itself, to its own precision");

typedef int64_t whole;

/* A vector holds 8 doubles or 16 floats, one a sample, in as many parts as the registers of the processor make it:
 * compilers do badly with vectors that are wider than those. EACH goes through the parts and is unrolled.
 */
#define LANES 8
#if defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif
#define PARTS (64 / WIDTH)
#define V_LANES (WIDTH / 8)
#define EACH for (int s = 0; s < PARTS; s++)
typedef double part_double __attribute__((vector_size(WIDTH)));
typedef float part_float __attribute__((vector_size(WIDTH)));
typedef struct {
    part_double s[PARTS];
} vdouble;
typedef struct {
    part_float s[PARTS];
} vfloat;

/* The arguments lie side by side as native.py writes them: all fields are eight bytes wide. */

typedef struct {
    whole lines, registers, outputs;
    const whole *code;      /* (lines, 5): operation, target, three operands */
    const double *constant; /* (lines) */
    const double *initial;  /* (outputs) */
} program;

typedef struct {
    whole passes, points, places;
    const whole *bounds; /* (passes, 4): first and last point, where the code begins and ends */
    const whole *code;
    const void *powers; /* (points, 4), double or float */
} eliminations;

typedef struct {
    program entries, equations;
    whole sums, powers, unknowns;
    eliminations tones;
    whole has_offsets;
    const double *bound; /* (f) */
    double trusted;
    whole probes, places;
    const whole *starts, *reads;
    const double *weights, *direct, *amplitude;
    const double *rows;  /* (q, probes - taps) */
    const double *ideal; /* (q, f, 2) */
    double power;
    whole taps;
    const double *wanted; /* (taps, f, 2) */
    eliminations contour;
    const double *scale;     /* (sums) */
    const float *pivots;     /* (contour points, unknowns) */
} job;

#include "elementary.h"

enum { LOAD, PLUS, MINUS, TIMES, RECIPROCAL, SCALE, OFFSET, ADD_PRODUCT, TAKE_PRODUCT, PRODUCT_LESS, STORE };

static void run_program(const program *p, const double *values, whole samples, whole first, vdouble *reg, vdouble *out)
{
    const part_double zero = {0};
    for (whole k = 0; k < p->outputs; k++)
        EACH out[k].s[s] = p->initial[k] - zero; /* which keeps the sign of a zero */
    for (whole line = 0; line < p->lines; line++) {
        const whole *code = p->code + 5 * line;
        const vdouble *a = reg + code[2], *b = reg + code[3], *c = reg + code[4];
        const double constant = p->constant[line];
        vdouble *o = reg + code[1];
        switch (code[0]) {
        case LOAD: memcpy(o, values + code[2] * samples + first, sizeof(vdouble)); break;
        case PLUS: EACH o->s[s] = a->s[s] + b->s[s]; break;
        case MINUS: EACH o->s[s] = a->s[s] - b->s[s]; break;
        case TIMES: EACH o->s[s] = a->s[s] * b->s[s]; break;
        case RECIPROCAL: EACH o->s[s] = 1.0 / a->s[s]; break;
        case SCALE: EACH o->s[s] = a->s[s] * constant; break;
        case OFFSET: EACH o->s[s] = a->s[s] + constant; break;
        case ADD_PRODUCT: EACH o->s[s] = c->s[s] + a->s[s] * b->s[s]; break;
        case TAKE_PRODUCT: EACH o->s[s] = c->s[s] - a->s[s] * b->s[s]; break;
        case PRODUCT_LESS: EACH o->s[s] = a->s[s] * b->s[s] - c->s[s]; break;
        default: EACH out[code[1]].s[s] = a->s[s] * constant;
        }
    }
}

#define ELEMENT double
#define PART part_double
#define VECTOR vdouble
#define NAME(x) x##_double
#include "player.c"
#undef ELEMENT
#undef PART
#undef VECTOR
#undef NAME
#define ELEMENT float
#define PART part_float
#define VECTOR vfloat
#define NAME(x) x##_float
#include "player.c"
#undef ELEMENT
#undef PART
#undef VECTOR
#undef NAME

/* One lane of a vector. */
static double lane_of(const vdouble *x, whole lane) { return ((const double *)x)[lane]; }

/* Clear the lanes of fits where x is more than a bound, or no number. */
static void keep_within(const part_double x, const part_double bound, unsigned char *fits)
{
    for (unsigned lane = 0; lane < LANES / PARTS; lane++)
        if (!(x[lane] <= bound[lane]))
            fits[lane] = 0;
}

/* The residual of a solution in the signed sum of the equations must be rounding. */
static void check_residual(const job *j, const vdouble *given, const complex_double *x, const double *powers,
                           double bound, unsigned char *fits)
{
    const whole n = j->unknowns;
    complex_double total = {0};
    for (whole k = 0; k < j->powers; k++) {
        const vdouble *sum = given + j->sums + k * n, *side = given + j->sums + j->powers * n + k;
        complex_double part = {0};
        for (whole i = 0; i < n; i++)
            EACH {
                part.re.s[s] += sum[i].s[s] * x[i].re.s[s];
                part.im.s[s] += sum[i].s[s] * x[i].im.s[s];
            }
        EACH {
            const part_double re = part.re.s[s] - side->s[s], im = part.im.s[s];
            if (k % 2 == 0) {
                total.re.s[s] += powers[k] * re;
                total.im.s[s] += powers[k] * im;
            } else { /* times j */
                total.re.s[s] -= powers[k] * im;
                total.im.s[s] += powers[k] * re;
            }
        }
    }
    const part_double most = bound - (part_double){0};
    EACH keep_within(total.re.s[s] * total.re.s[s] + total.im.s[s] * total.im.s[s], most, fits + s * LANES / PARTS);
}

static part_double size_of(part_double x)
{
    for (unsigned lane = 0; lane < LANES / PARTS; lane++)
        x[lane] = x[lane] < 0 ? -x[lane] : x[lane];
    return x;
}

static void check_residual_at_dc(const job *j, const vdouble *given, const complex_double *x, unsigned char *fits)
{
    const whole n = j->unknowns;
    EACH {
        part_double total = {0};
        const part_double side = given[j->sums + j->powers * (n + 1)].s[s];
        for (whole i = 0; i < n; i++)
            total += given[j->sums + i].s[s] * x[i].re.s[s];
        keep_within(size_of(total - side), j->trusted * size_of(side), fits + s * LANES / PARTS);
    }
}

static void read_probes(const job *j, const complex_double *x, complex_double *y, int with_input)
{
    for (whole i = 0; i < j->probes; i++) {
        complex_double sum = {0};
        for (whole k = j->starts[i]; k < j->starts[i + 1]; k++) {
            const complex_double *read = x + j->reads[k];
            EACH {
                sum.re.s[s] += j->weights[k] * read->re.s[s];
                sum.im.s[s] += j->weights[k] * read->im.s[s];
            }
        }
        if (with_input)
            EACH sum.re.s[s] += j->direct[i];
        y[i] = sum;
    }
}

/* Write NRMSE at the places of the window, then of the taps, (q + taps, samples). A place and its mirror image share the
 * work. */
static void write_errors(const job *j, const complex_double *y, const complex_double *offsets, double *profile, whole samples)
{
    const whole p = j->probes - j->taps, f = j->tones.points - (j->has_offsets ? 1 : 0), q = j->places;
    for (whole k = 0; 2 * k < q; k++) {
        const whole mirror = q - 1 - k;
        const double *row = j->rows + k * p, *ideal = j->ideal + 2 * k * f, *ideal_there = j->ideal + 2 * mirror * f;
        vdouble here = {0}, there = {0};
        for (whole tone = 0; tone < f; tone++) {
            const complex_double *at = y + tone * j->probes;
            complex_double even = {0}, odd = {0};
            for (whole i = 0; i < p; i += 2)
                EACH {
                    even.re.s[s] += row[i] * at[i].re.s[s];
                    even.im.s[s] += row[i] * at[i].im.s[s];
                }
            for (whole i = 1; i < p; i += 2)
                EACH {
                    odd.re.s[s] += row[i] * at[i].re.s[s];
                    odd.im.s[s] += row[i] * at[i].im.s[s];
                }
            EACH {
                part_double error = even.re.s[s] + odd.re.s[s] - ideal[2 * tone];
                here.s[s] += error * error;
                error = even.im.s[s] + odd.im.s[s] - ideal[2 * tone + 1];
                here.s[s] += error * error;
                error = even.re.s[s] - odd.re.s[s] - ideal_there[2 * tone];
                there.s[s] += error * error;
                error = even.im.s[s] - odd.im.s[s] - ideal_there[2 * tone + 1];
                there.s[s] += error * error;
            }
        }
        EACH {
            here.s[s] *= 0.5;
            there.s[s] *= 0.5;
            if (offsets) {
                part_double even = {0}, odd = {0};
                for (whole i = 0; i < p; i += 2)
                    even += row[i] * offsets[i].re.s[s];
                for (whole i = 1; i < p; i += 2)
                    odd += row[i] * offsets[i].re.s[s];
                here.s[s] += (even + odd) * (even + odd);
                there.s[s] += (even - odd) * (even - odd);
            }
            here.s[s] /= j->power;
            there.s[s] /= j->power;
        }
        for (whole lane = 0; lane < LANES; lane++) {
            profile[mirror * samples + lane] = __builtin_sqrt(lane_of(&there, lane));
            profile[k * samples + lane] = __builtin_sqrt(lane_of(&here, lane)); /* last: the middle is its own mirror */
        }
    }
    for (whole k = 0; k < j->taps; k++)
        EACH {
            part_double total = {0}, error;
            for (whole tone = 0; tone < f; tone++) {
                const complex_double *at = y + tone * j->probes + p + k;
                const double *wanted = j->wanted + 2 * (k * f + tone);
                error = at->re.s[s] - wanted[0];
                total += error * error;
                error = at->im.s[s] - wanted[1];
                total += error * error;
            }
            total *= 0.5;
            if (offsets)
                total += offsets[p + k].re.s[s] * offsets[p + k].re.s[s];
            total /= j->power;
            for (unsigned lane = 0; lane < LANES / PARTS; lane++)
                profile[(q + k) * samples + s * LANES / PARTS + lane] = __builtin_sqrt(total[lane]);
        }
}

typedef struct {
    vdouble *registers, *given;
    complex_double *workspace, *x, *y;
    vfloat *scaled;
    complex_float *workspace_float;
} workspace;

static void respond(const job *j, workspace *w, double *profile, whole samples, unsigned char *fits, whole watched,
                    double *response)
{
    const whole p = j->probes, f = j->tones.points - (j->has_offsets ? 1 : 0);
    const complex_double *offsets = NULL;
    for (int lane = 0; lane < LANES; lane++)
        fits[lane] = 1;
    for (whole pass = 0; pass < j->tones.passes; pass++) {
        const whole *bounds = j->tones.bounds + 4 * pass;
        for (whole point = bounds[0]; point < bounds[1]; point++) {
            const double *powers = (const double *)j->tones.powers + 4 * point;
            const whole *code = j->tones.code + bounds[2];
            complex_double *y = w->y + point * p;
            code = load_double(code, w->given, powers, w->workspace);
            code = eliminate_double(code, w->workspace, NULL, NULL);
            substitute_double(code, w->workspace, w->x);
            if (point == f) {
                check_residual_at_dc(j, w->given, w->x, fits);
                read_probes(j, w->x, y, 0);
                offsets = y;
                continue;
            }
            check_residual(j, w->given, w->x, powers, j->bound[point], fits);
            read_probes(j, w->x, y, 1);
            if (0 <= watched && watched < LANES)
                for (whole i = 0; i < p; i++) {
                    response[point * p + i] = lane_of(&y[i].re, watched);
                    response[(f + point) * p + i] = lane_of(&y[i].im, watched);
                }
            for (whole i = 0; i < p; i++)
                EACH {
                    y[i].re.s[s] *= j->amplitude[point];
                    y[i].im.s[s] *= j->amplitude[point];
                }
        }
    }
    write_errors(j, w->y, offsets, profile, samples);
}

static void surround(const job *j, workspace *w, float *determinant, whole samples)
{
    for (whole pass = 0; pass < j->contour.passes; pass++) {
        const whole *bounds = j->contour.bounds + 4 * pass;
        for (whole point = bounds[0]; point < bounds[1]; point++) {
            const float *powers = (const float *)j->contour.powers + 4 * point;
            const whole *code = j->contour.code + bounds[2];
            complex_float product;
            code = load_float(code, w->scaled, powers, w->workspace_float);
            eliminate_float(code, w->workspace_float, j->pivots + point * j->unknowns, &product);
            for (int lane = 0; lane < 2 * LANES; lane++) {
                determinant[point * samples + lane] = ((const float *)&product.re)[lane];
                determinant[(j->contour.points + point) * samples + lane] = ((const float *)&product.im)[lane];
            }
        }
    }
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* The law of mismatch, see mismatch/law.py. */

typedef struct {
    whole draws, parameters, steps;
    const uint64_t *keys;   /* (draws), with the seed the keys of the streams */
    const whole *follows;   /* (draws): the draw that is shared, or -1 */
    const double *shares;   /* (draws, 2): of the shared draw and of its own */
    const double *nominal;  /* (parameters) */
    const whole *code;      /* (steps, 3): kind, draw, parameter or -1 for the common factor */
    const double *constant; /* (steps, 2) */
    double beyond, between, truncation;
} law;

enum { TRUNCATED, GAUSS, UNIFORM, LOGNORMAL, EVEN_GAUSS, EVEN_LOGNORMAL, ADDED, COMMON };

static inline vd truncated(const law *of, vd z)
{
    return v_normal_quantile(of->beyond + of->between * v_normal_cdf(z));
}

static inline vd even(const law *of, vd z) { return of->truncation * (2.0 * v_normal_cdf(z) - 1.0); }

static vd factor_of(const law *of, whole kind, const double *constant, vd z)
{
    switch (kind) {
    case TRUNCATED: return 1.0 + constant[0] * truncated(of, z);
    case GAUSS: return 1.0 + constant[0] * z;
    case UNIFORM: return 1.0 + constant[0] * (2.0 * v_normal_cdf(z) - 1.0);
    case LOGNORMAL: return v_exp(constant[0] * z - constant[1]);
    case EVEN_GAUSS: return 1.0 + constant[0] * even(of, z);
    default: return v_exp(constant[0] * even(of, z) - constant[1]);
    }
}

/* Draw samples first .. first + samples - 1 of a seed, both multiples of 8, and apply the law: values (m, samples).
 *
 * Returns 0, or 1 where there is no memory.
 */
int JOIN(lmu_draw_, VARIANT)(const law *of, uint64_t seed, whole first, whole samples, double *values)
{
    const whole count = of->draws * LANES;
    double *z = malloc((size_t)(2 * count + 1) * sizeof(double) + (size_t)(count + 1) * sizeof(whole));
    if (!z)
        return 1;
    double *outer = z + count;
    whole *where = (whole *)(outer + count + 1);
    for (whole start = 0; start < samples; start += LANES) {
        const uint64_t step = (uint64_t)(first + start) / 4;
        for (whole k = 0; k < of->draws; k++) {
            uint64_t words[LANES];
            philox(step + 1, seed, of->keys[k], words); /* NumPy counts on before it gives words */
            philox(step + 2, seed, of->keys[k], words + 4);
            for (int lane = 0; lane < LANES; lane++)
                z[k * LANES + lane] = ((double)(int64_t)(words[lane] >> 11) + 0.5) * 0x1p-53;
        }
        v_normal_quantiles(z, count, outer, where);
        for (whole k = 0; k < of->parameters; k++)
            for (int lane = 0; lane < LANES; lane++)
                values[k * samples + start + lane] = of->nominal[k];
        for (int at = 0; at < LANES; at += V_LANES) {
            vd common = v_all(1.0);
            for (whole k = 0; k < of->steps; k++) {
                const whole *code = of->code + 3 * k;
                const double *constant = of->constant + 2 * k;
                double *to = values + code[2] * samples + start + at;
                if (code[0] == COMMON) {
                    v_store(to, v_load(to) * common);
                    continue;
                }
                vd x = v_load(z + code[1] * LANES + at);
                const whole shared = of->follows[code[1]];
                if (shared >= 0) {
                    const double *share = of->shares + 2 * code[1];
                    x = share[0] * v_load(z + shared * LANES + at) + share[1] * x;
                }
                if (code[0] == ADDED)
                    v_store(to, v_load(to) + constant[0] * truncated(of, x));
                else if (code[2] < 0)
                    common = factor_of(of, code[0], constant, x);
                else
                    v_store(to, v_load(to) * factor_of(of, code[0], constant, x));
            }
        }
    }
    free(z);
    return 0;
}

#ifdef DIGEST /* in one of the objects: what the library was made of, and the widest instruction set that runs here */
const char lmu_digest[] = DIGEST;

int lmu_widest(void)
{
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        return 2;
    if (__builtin_cpu_supports("avx2"))
        return 1;
#endif
    return 0;
}
#endif

/* Run samples first .. last - 1, whole groups of 2 LANES, of parameters (m, samples).
 *
 * profile (q, samples), fits (samples), determinant (2, points, samples); of sample `watched` the response (2, f, p) and
 * the equations.
 * Returns 0, or 1 where there is no memory.
 */
int JOIN(lmu_play_, VARIANT)(const job *j, const double *values, whole samples, whole first, whole last, double *profile,
                             unsigned char *fits, float *determinant, whole watched, double *response, double *equations)
{
    const whole a = j->entries.registers, b = j->equations.registers;
    const whole counts[] = {a > b ? a : b,
                            2 * j->entries.outputs,
                            2 * j->tones.places,
                            2 * j->unknowns,
                            2 * j->tones.points * j->probes,
                            j->sums,
                            2 * j->contour.places,
                            j->equations.outputs};
    whole total = 1;
    for (unsigned k = 0; k < sizeof counts / sizeof *counts; k++)
        total += counts[k];
    char *memory = malloc((size_t)total * sizeof(vdouble));
    if (!memory)
        return 1;
    vdouble *at = (vdouble *)(((uintptr_t)memory + sizeof(vdouble) - 1) / sizeof(vdouble) * sizeof(vdouble));
    vdouble *parts[sizeof counts / sizeof *counts];
    for (unsigned k = 0; k < sizeof counts / sizeof *counts; k++, at += counts[k - 1])
        parts[k] = at;
    workspace w = {parts[0],
                   parts[1],
                   (complex_double *)parts[2],
                   (complex_double *)parts[3],
                   (complex_double *)parts[4],
                   (vfloat *)parts[5],
                   (complex_float *)parts[6]};
    vdouble *both[] = {parts[1], parts[1] + j->entries.outputs}, *all = parts[7];
    for (whole group = first; group < last; group += 2 * LANES) {
        for (int half = 0; half < 2; half++) {
            const whole start = group + half * LANES;
            w.given = both[half];
            run_program(&j->entries, values, samples, start, w.registers, w.given);
            respond(j, &w, profile + start, samples, fits + start, watched - start, response);
            if (start <= watched && watched < start + LANES) {
                run_program(&j->equations, values, samples, start, w.registers, all);
                for (whole k = 0; k < j->equations.outputs; k++)
                    equations[k] = lane_of(&all[k], watched - start);
            }
        }
        for (whole k = 0; k < j->sums; k++)
            for (int lane = 0; lane < 2 * LANES; lane++)
                ((float *)&w.scaled[k])[lane] = (float)(lane_of(&both[lane / LANES][k], lane % LANES) * j->scale[k]);
        surround(j, &w, determinant + group, samples);
    }
    free(memory);
    return 0;
}

#else /* for one precision */

typedef struct {
    VECTOR re, im;
} NAME(complex);

/* Evaluate the entries, and clear what fills in. */
static const whole *NAME(load)(const whole *code, const VECTOR *given, const ELEMENT *powers, NAME(complex) *workspace)
{
    const PART zero = {0};
    for (whole count = *code++; count > 0; count--, code += 3) {
        NAME(complex) *entry = workspace + code[0];
        const VECTOR *x = given + code[1];
        const whole coefficients = code[2];
        EACH {
            PART re = x[0].s[s], im = zero;
            if (coefficients > 2)
                re += powers[2] * x[2].s[s];
            if (coefficients > 1)
                im = powers[1] * x[1].s[s];
            if (coefficients > 3)
                im += powers[3] * x[3].s[s];
            entry->re.s[s] = re;
            entry->im.s[s] = im;
        }
    }
    for (whole count = *code++; count > 0; count--, code++)
        EACH workspace[*code].re.s[s] = workspace[*code].im.s[s] = zero;
    return code;
}

/* Take the product of two complex numbers from a third, in one part of the lanes. */
#define TAKE(target, factor, from)                                                                                     \
    do {                                                                                                               \
        const PART a = (factor).re.s[s], b = (factor).im.s[s], c = (from).re.s[s], d = (from).im.s[s];                 \
        (target).re.s[s] = (target).re.s[s] - a * c + b * d;                                                           \
        (target).im.s[s] = (target).im.s[s] - a * d - b * c;                                                           \
    } while (0)

/* Take multiples of two pivot rows at once: half the traffic to and from a row, and per entry the same operations. */
static const whole *NAME(take_two)(const whole *code, NAME(complex) *workspace)
{
    const NAME(complex) factor = workspace[code[0]], *from = workspace + code[2], *second = workspace + code[3];
    NAME(complex) *target = workspace + code[1];
    const whole count = code[4];
    EACH TAKE(*target, factor, *from);
    const NAME(complex) other = *target++;
    from++;
    for (whole k = 0; k < count; k++)
        EACH {
            NAME(complex) x;
            x.re.s[s] = target[k].re.s[s];
            x.im.s[s] = target[k].im.s[s];
            TAKE(x, factor, from[k]);
            TAKE(x, other, second[k]);
            target[k].re.s[s] = x.re.s[s];
            target[k].im.s[s] = x.im.s[s];
        }
    return code + 5;
}

/* Run all steps in place; with a scale also multiply the pivots, each with its own. */
static const whole *NAME(eliminate)(const whole *code, NAME(complex) *workspace, const ELEMENT *scale, NAME(complex) *product)
{
    NAME(complex) all;
    EACH {
        all.re.s[s] = (PART){0} + 1;
        all.im.s[s] = (PART){0};
    }
    for (whole steps = *code++; steps > 0; steps--) {
        for (whole above = *code++; above > 0; above--) {
            if (*code++ == 2) {
                code = NAME(take_two)(code, workspace);
                continue;
            }
            const NAME(complex) factor = workspace[code[0]];
            whole runs = code[1];
            for (code += 2; runs > 0; runs--, code += 3) {
                NAME(complex) *target = workspace + code[0];
                const NAME(complex) *from = workspace + code[1];
                const whole count = code[2];
                for (whole k = 0; k < count; k++)
                    EACH TAKE(target[k], factor, from[k]);
            }
        }
        const NAME(complex) pivot = workspace[code[0]];
        NAME(complex) *row = workspace + code[1], inverse;
        const whole length = code[2];
        code += 3;
        if (scale) {
            EACH {
                const PART re = all.re.s[s] * pivot.re.s[s] - all.im.s[s] * pivot.im.s[s];
                const PART im = all.re.s[s] * pivot.im.s[s] + all.im.s[s] * pivot.re.s[s];
                all.re.s[s] = re * *scale;
                all.im.s[s] = im * *scale;
            }
            scale++;
        }
        EACH {
            const PART one = 1 / (pivot.re.s[s] * pivot.re.s[s] + pivot.im.s[s] * pivot.im.s[s]);
            inverse.re.s[s] = pivot.re.s[s] * one;
            inverse.im.s[s] = -(pivot.im.s[s] * one);
        }
        for (whole k = 0; k < length; k++)
            EACH {
                const PART re = row[k].re.s[s] * inverse.re.s[s] - row[k].im.s[s] * inverse.im.s[s];
                row[k].im.s[s] = row[k].re.s[s] * inverse.im.s[s] + row[k].im.s[s] * inverse.re.s[s];
                row[k].re.s[s] = re;
            }
    }
    if (scale)
        *product = all;
    return code;
}

/* Solve for the unknowns, last first. */
static void NAME(substitute)(const whole *code, const NAME(complex) *workspace, NAME(complex) *x)
{
    for (whole count = *code++; count > 0; count--) {
        NAME(complex) found;
        const NAME(complex) *row = workspace + code[2];
        const whole unknown = code[0], length = code[3];
        if (code[1] >= 0)
            found = workspace[code[1]];
        else
            EACH found.re.s[s] = found.im.s[s] = (PART){0};
        code += 4;
        for (whole k = 0; k < length; k++) {
            const NAME(complex) *other = x + code[k];
            EACH {
                const PART a = row[k].re.s[s], b = row[k].im.s[s], c = other->re.s[s], d = other->im.s[s];
                found.re.s[s] = found.re.s[s] - a * c + b * d;
                found.im.s[s] = found.im.s[s] - a * d - b * c;
            }
        }
        code += length;
        x[unknown] = found;
    }
}

#endif
