"""The draws of ``mismatch``, compiled: the same Philox words, and the same normals from them.

The words are those of NumPy's Philox 4x64 with ten rounds (Salmon et al., SC 2011, table 2); the inverse normal
is Cephes' ndtri (Moshier, Methods and Programs for Mathematical Functions, 1989), which SciPy has, too. Only
``exact`` imports this: it needs Numba.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# What Numba compiles has no types before it is called, and an intrinsic is called without its first argument.

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from lmu_analog.memory.lanes import inner, outermost

WORDS = 4  # of one step of a counter
ROUNDS = 10
FIRST, SECOND = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
FIRST_KEY, SECOND_KEY = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
CENTRAL = 0.13533528323661269  # exp(-2): beyond, the tails
ROOT = 2.50662827463100050242  # sqrt(2 pi)
MIDDLE = (
    (-5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1),
    (1.39312609387279679503e1, -1.23916583867381258016e0),
)
MIDDLE_BELOW = (
    (1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1, -2.25462687854119370527e2),
    (
        2.00260212380060660359e2,
        -8.20372256168333339912e1,
        1.59056225126211695515e1,
        -1.18331621121330003142e0,
    ),
)
P0, Q0 = (np.array([*a, *b]) for a, b in (MIDDLE, MIDDLE_BELOW))
P1 = np.array(
    [
        4.05544892305962419923e0,
        3.15251094599893866154e1,
        5.71628192246421288162e1,
        4.40805073893200834700e1,
        1.46849561928858024014e1,
        2.18663306850790267539e0,
        -1.40256079171354495875e-1,
        -3.50424626827848203418e-2,
        -8.57456785154685413611e-4,
    ]
)
Q1 = np.array(
    [
        1.57799883256466749731e1,
        4.53907635128879210584e1,
        4.13172038254672030440e1,
        1.50425385692907503408e1,
        2.50464946208309415979e0,
        -1.42182922854787788574e-1,
        -3.80806407691578277194e-2,
        -9.33259480895457427372e-4,
    ]
)
P2 = np.array(
    [
        3.23774891776946035970e0,
        6.91522889068984211695e0,
        3.93881025292474443415e0,
        1.33303460815807542389e0,
        2.01485389549179081538e-1,
        1.23716634817820021358e-2,
        3.01581553508235416007e-4,
        2.65806974686737550832e-6,
        6.23974539184983293730e-9,
    ]
)
Q2 = np.array(
    [
        6.02427039364742014255e0,
        3.67983563856160859403e0,
        1.37702099489081330271e0,
        2.16236993594496635890e-1,
        1.34204006088543189037e-2,
        3.28014464682127739104e-4,
        2.89247864745380683936e-6,
        6.79019408009981274425e-9,
    ]
)


@intrinsic
def _high(typingctx, a, b):
    """Give the upper 64 bits of a product."""

    def write(context, builder, signature, args):
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(x, wide) for x in args))
        return builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), write


@inner
def philox(counter, key, other_key, out):
    """Write the four words of one step."""
    a, b, c, d = counter, np.uint64(0), np.uint64(0), np.uint64(0)
    for _ in range(ROUNDS):
        upper, lower, other, below = _high(FIRST, a), FIRST * a, _high(SECOND, c), SECOND * c
        a, b, c, d = other ^ b ^ key, below, upper ^ d ^ other_key, lower
        key += FIRST_KEY
        other_key += SECOND_KEY
    out[0], out[1], out[2], out[3] = a, b, c, d


@inner
def _tail(y):
    """Give ndtri(y) for y below exp(-2)."""
    x = np.sqrt(-2.0 * np.log(y))
    z = 1.0 / x
    if x < 8.0:
        above, below = P1[0], z + Q1[0]
        for k in range(1, 9):
            above = above * z + P1[k]
        for k in range(1, 8):
            below = below * z + Q1[k]
    else:
        above, below = P2[0], z + Q2[0]
        for k in range(1, 9):
            above = above * z + P2[k]
        for k in range(1, 8):
            below = below * z + Q2[k]
    return z * above / below - (x - np.log(x) / x)


@outermost
def normals(seed, keys, first, samples):
    """Draw standard normals, (names, samples): sample ``first`` + k of every name's stream."""
    step = first // WORDS
    skip = first - WORDS * step
    words = np.empty(((skip + samples + WORDS - 1) // WORDS, WORDS), np.uint64)
    z = np.empty((len(keys), samples))
    flat = words.reshape(-1)
    uniform, tails = np.empty(samples), np.empty(samples + 1, np.int64)
    for name in range(len(keys)):
        for k in range(len(words)):
            # A generator turns its counter before it gives the first words.
            philox(np.uint64(step + 1 + k), seed, keys[name], words[k])
        row = z[name]
        for k in range(samples):
            uniform[k] = (np.float64(np.int64(flat[skip + k] >> np.uint64(11))) + 0.5) * 2.0**-53
        for k in range(samples):
            y = uniform[k] - 0.5
            t = y * y
            above = (((P0[0] * t + P0[1]) * t + P0[2]) * t + P0[3]) * t + P0[4]
            below = ((((t + Q0[0]) * t + Q0[1]) * t + Q0[2]) * t + Q0[3]) * t + Q0[4]
            below = ((below * t + Q0[5]) * t + Q0[6]) * t + Q0[7]
            row[k] = (y + y * (t * above / below)) * ROOT
        # Found without a branch, because nothing could predict it.
        count = 0
        for k in range(samples):
            tails[count] = k
            count += int(uniform[k] <= CENTRAL or uniform[k] > 1.0 - CENTRAL)
        for k in tails[:count]:
            if uniform[k] <= CENTRAL:
                row[k] = _tail(uniform[k])
            else:
                row[k] = -_tail(1.0 - uniform[k])
    return z
