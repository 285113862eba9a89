/* The functions of elementary.py in C, for a vector of numbers at once: the same operations in the same order, so the same
 * bits. A test compares them.
 *
 * Portable C11 with the vector extensions of GCC and Clang: no intrinsics, no C library but memcpy. Compile with
 *     -O2 -ffp-contract=off -fno-math-errno
 * The first of the last two forbids fused multiply-adds, which round once where NumPy rounds twice; the second makes a
 * square root one instruction. -ffast-math and its parts are forbidden: they reorder sums.
 */

#ifndef LMU_ANALOG_ELEMENTARY_H
#define LMU_ANALOG_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

#ifndef V_LANES /* as many doubles as a register holds: compilers take wider vectors apart, badly */
#define V_LANES 8
#endif

typedef double vd __attribute__((vector_size(8 * V_LANES)));
typedef int64_t vi __attribute__((vector_size(8 * V_LANES)));   /* also masks: 0 or -1 a lane */
typedef uint64_t vu __attribute__((vector_size(8 * V_LANES)));

/* Vectors are wider than some processors' registers, and how such arguments are passed depends on the processor; what
 * is inlined passes none. */
#define V_INLINE static inline __attribute__((always_inline, unused))

V_INLINE vd v_all(double x)
{
    return x - (vd){0};
}

V_INLINE vd v_load(const double *from)
{
    vd x;
    memcpy(&x, from, sizeof x);
    return x;
}

V_INLINE void v_store(double *to, vd x)
{
    memcpy(to, &x, sizeof x);
}

V_INLINE vd v_select(vi mask, vd yes, vd no)
{
    return (vd)((mask & (vi)yes) | (~mask & (vi)no));
}

/* Where a < b, for finite numbers: a difference is negative exactly then, however it is rounded. GCC would compare lane
 * by lane where a vector is wider than a register. */
V_INLINE vi v_below(vd a, vd b)
{
    return -(vi)((vu)(a - b) >> 63);
}

V_INLINE int v_any(vi mask)
{
    int64_t any = 0;
    for (int i = 0; i < V_LANES; i++)
        any |= mask[i];
    return any != 0;
}

V_INLINE vd v_sqrt(vd x)
{
    vd root;
    for (int i = 0; i < V_LANES; i++)
        root[i] = __builtin_sqrt(x[i]);
    return root;
}

/* Horner's rule, leading coefficient first, as _polynomial of elementary.py. */
V_INLINE vd v_polynomial(vd x, const double *coefficients, int count)
{
    vd total = coefficients[0] * x + coefficients[1];
#pragma GCC unroll 16
    for (int i = 2; i < count; i++)
        total = total * x + coefficients[i];
    return total;
}

#define V_POLYNOMIAL(x, coefficients) v_polynomial(x, coefficients, (int)(sizeof(coefficients) / sizeof(double)))

/* Natural logarithm of positive normal numbers. */
V_INLINE vd v_log(vd x)
{
    static const double LOG[] = {1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01,
                                 2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01,
                                 6.666666666666735130e-01};
    const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    const uint64_t root_half = (uint64_t)0x3FE6A09E << 32, one = (uint64_t)0x3FF00000 << 32;
    const uint64_t fraction = ((uint64_t)1 << 52) - 1;
    /* A whole number below 2^52 in the lowest bits of 2^52: subtracting 2^52 makes it a double. */
    const uint64_t whole = (uint64_t)0x43300000 << 32;
    vu bits = (vu)x + (one - root_half);
    vd k = (vd)((bits >> 52) | whole) - 4503599627370496.0 - 1023.0;
    vd f = (vd)((bits & fraction) + root_half) - 1.0;
    vd s = f / (2.0 + f);
    vd z = s * s;
    vd remainder = z * V_POLYNOMIAL(z, LOG);
    vd square = 0.5 * f * f;
    return k * ln2_high - ((square - (s * (square + remainder) + k * ln2_low)) - f);
}

/* e^x for x from -708 to 709; beyond, its value there. */
V_INLINE vd v_exp(vd x)
{
    static const double EXP[] = {4.13813679705723846039e-08, -1.65339022054652515390e-06, 6.61375632143793436117e-05,
                                 -2.77777777770155933842e-03, 1.66666666666666019037e-01};
    const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    const double to_whole = 6755399441055744.0; /* 1.5 2^52 */
    x = v_select(v_below(x, v_all(-708.0)), v_all(-708.0), x);
    x = v_select(v_below(v_all(709.0), x), v_all(709.0), x);
    vd shifted = x * 1.44269504088896338700 + to_whole;
    vd k = shifted - to_whole;
    vd high = x - k * ln2_high, low = k * ln2_low;
    vd r = high - low;
    vd t = r * r;
    vd c = r - t * V_POLYNOMIAL(t, EXP);
    vd y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    return y * (vd)(((vu)shifted + 1023) << 52);
}

/* Size of the quantile of the standard normal for probabilities up to .075. */
V_INLINE vd v_normal_tail(vd p)
{
    static const double TAIL[] = {
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
        3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0};
    static const double TAIL_BELOW[] = {
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
        6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0};
    static const double FAR_TAIL[] = {
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
        2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0};
    static const double FAR_TAIL_BELOW[] = {
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
        1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0};
    vd root = v_sqrt(-v_log(p));
    vd x = root - 1.6;
    vd size = V_POLYNOMIAL(x, TAIL) / V_POLYNOMIAL(x, TAIL_BELOW);
    vi far = v_below(v_all(5.0), root);
    if (v_any(far)) { /* one in 10^11 */
        x = root - 5.0;
        size = v_select(far, V_POLYNOMIAL(x, FAR_TAIL) / V_POLYNOMIAL(x, FAR_TAIL_BELOW), size);
    }
    return size;
}

/* Quantile of the standard normal for probabilities from .075 to .925: y = p - 1/2. */
V_INLINE vd v_normal_middle(vd y)
{
    static const double MIDDLE[] = {
        2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
        1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0};
    static const double MIDDLE_BELOW[] = {
        5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
        5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0};
    vd t = 0.180625 - y * y;
    return y * V_POLYNOMIAL(t, MIDDLE) / V_POLYNOMIAL(t, MIDDLE_BELOW);
}

/* Where v_normal_middle does not hold. */
V_INLINE vi v_is_outer(vd y)
{
    return v_below(v_all(0.425), (vd)((vu)y & ~((uint64_t)1 << 63)));
}

/* Quantile of the standard normal for all other probabilities. */
V_INLINE vd v_normal_outer(vd p)
{
    const double least = 0x1p-1022, largest = 1.0 - 0x1p-53;
    const uint64_t sign_bit = (uint64_t)1 << 63;
    vu sign = (vu)(p - 0.5) & sign_bit;
    p = v_select(v_below(p, v_all(least)), v_all(least), p);
    p = v_select(v_below(v_all(largest), p), v_all(largest), p);
    vd smaller = v_select(v_below(1.0 - p, p), 1.0 - p, p); /* of both probabilities */
    return (vd)((vu)v_normal_tail(smaller) | sign);
}

/* Inverse of the standard normal's distribution function; finite for every p. */
V_INLINE vd v_normal_quantile(vd p)
{
    vd y = p - 0.5, middle = v_normal_middle(y);
    vi outer = v_is_outer(y);
    if (!v_any(outer))
        return middle;
    return v_select(outer, v_normal_outer(p), middle); /* the tail of a central p is computed and not used */
}

/* The same for many, in place, a whole number of vectors. One in seven is in a tail, whose function takes twice as long:
 * these are gathered and computed together. `outer` has room for the numbers, `where` for as many places. */
static inline __attribute__((unused)) void v_normal_quantiles(double *p, int64_t count, double *outer, int64_t *where)
{
    int64_t found = 0;
    for (int64_t at = 0; at < count; at += V_LANES) {
        vd y = v_load(p + at) - 0.5;
        vi mask = v_is_outer(y);
        for (int lane = 0; lane < V_LANES; lane++) { /* without a branch: each is written, and kept if it is one */
            outer[found] = p[at + lane];
            where[found] = at + lane;
            found -= mask[lane];
        }
        v_store(p + at, v_normal_middle(y));
    }
    for (int64_t at = 0; at < found; at += V_LANES) {
        double size[V_LANES];
        for (int lane = 0; lane < V_LANES; lane++)
            size[lane] = outer[at + lane < found ? at + lane : at];
        v_store(size, v_normal_outer(v_load(size)));
        for (int lane = 0; lane < V_LANES && at + lane < found; lane++)
            p[where[at + lane]] = size[lane];
    }
}

/* Probability of more than z standard deviations, z from sqrt(2). */
V_INLINE vd v_normal_beyond(vd z)
{
    static const double ERFC[] = {2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0,
                                  4.86371970985681366614e1,   1.96520832956077098242e2,  5.26445194995477358631e2,
                                  9.34528527171957607540e2,   1.02755188689515710272e3,  5.57535335369399327526e2};
    static const double ERFC_BELOW[] = {1.0,
                                        1.32281951154744992508e1,
                                        8.67072140885989742329e1,
                                        3.54937778887819891062e2,
                                        9.75708501743205489753e2,
                                        1.82390916687909736289e3,
                                        2.24633760818710981792e3,
                                        1.65666309194161350182e3,
                                        5.57535340817727675546e2};
    static const double FAR[] = {5.64189583547755073984e-1, 1.27536670759978104416e0, 5.01905042251180477414e0,
                                 6.16021097993053585195e0,  7.40974269950448939160e0, 2.97886665372100240670e0};
    static const double FAR_BELOW[] = {1.0,
                                       2.26052863220117276590e0,
                                       9.39603524938001434673e0,
                                       1.20489539808096656605e1,
                                       1.70814450747565897222e1,
                                       9.60896809063285878198e0,
                                       3.36907645100081516050e0};
    const uint64_t upper_bits = ~(((uint64_t)1 << 27) - 1);
    vd upper = (vd)((vu)z & upper_bits);
    vd d = -0.5 * ((z - upper) * (z + upper));
    vd density = v_exp(-0.5 * (upper * upper));
    density = density + density * (d * (1.0 + d * (0.5 + d * 0.16666666666666666)));
    vd x = z * 0.70710678118654752440;
    vd size = 0.5 * density * V_POLYNOMIAL(x, ERFC) / V_POLYNOMIAL(x, ERFC_BELOW);
    vi far = ~v_below(x, v_all(8.0));
    if (v_any(far))
        size = v_select(far, 0.5 * density * V_POLYNOMIAL(x, FAR) / V_POLYNOMIAL(x, FAR_BELOW), size);
    return size;
}

/* Distribution function of the standard normal; beyond 37.5 standard deviations its value there. */
V_INLINE vd v_normal_cdf(vd z)
{
    static const double ERF[] = {9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3,
                                 7.00332514112805075473e3, 5.55923013010394962768e4};
    static const double ERF_BELOW[] = {1.0,
                                       3.35617141647503099647e1,
                                       5.21357949780152679795e2,
                                       4.59432382970980127987e3,
                                       2.26290000613890934246e4,
                                       4.92673942608635921086e4};
    const uint64_t size_bits = ((uint64_t)1 << 63) - 1;
    z = v_select(v_below(z, v_all(-37.5)), v_all(-37.5), z);
    z = v_select(v_below(v_all(37.5), z), v_all(37.5), z);
    vd x = z * 0.70710678118654752440;
    vd t = x * x;
    vd middle = 0.5 + 0.5 * (x * V_POLYNOMIAL(t, ERF) / V_POLYNOMIAL(t, ERF_BELOW));
    vi lower = ~v_below(v_all(-1.0), x), upper = ~v_below(x, v_all(1.0));
    if (!v_any(lower | upper))
        return middle;
    vd beyond = v_normal_beyond((vd)((vu)z & size_bits));
    return v_select(lower, beyond, v_select(upper, 1.0 - beyond, middle));
}

/* Upper 64 bits of a product of 64-bit numbers. */
V_INLINE uint64_t high_product(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    return (uint64_t)(((unsigned __int128)a * b) >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + ((a0 * b0) >> 32);
    uint64_t other = a0 * b1 + (uint32_t)middle;
    return a1 * b1 + (middle >> 32) + (other >> 32);
#endif
}

/* Philox 4x64 with ten rounds (Salmon et al., SC 2011, table 2): the words that NumPy's Philox with this key gives
 * when its counter has become (counter, 0, 0, 0). NumPy counts on before it gives words: its first are those of 1. */
static inline __attribute__((unused)) void philox(uint64_t counter, uint64_t key0, uint64_t key1, uint64_t out[4])
{
    uint64_t a = counter, b = 0, c = 0, d = 0;
    for (int i = 0; i < 10; i++) {
        uint64_t upper = high_product(0xD2E7470EE14C6C93u, a), lower = 0xD2E7470EE14C6C93u * a;
        uint64_t other = high_product(0xCA5A826395121157u, c), below = 0xCA5A826395121157u * c;
        a = other ^ b ^ key0;
        b = below;
        c = upper ^ d ^ key1;
        d = lower;
        key0 += 0x9E3779B97F4A7C15u;
        key1 += 0xBB67AE8584CAA73Bu;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

#endif
