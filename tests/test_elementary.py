"""Elementary functions against arbitrary precision, other processors' variants, and the same functions in C."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy.special import eval_legendre, ndtr, ndtri
from scipy.stats import norm

from lmu_analog.engine import native
from lmu_analog.memory import elementary

HEADER = Path(native.__file__).with_name("elementary.h")
COMPILER = shutil.which("cc")
CASES = 4000
EXPONENTS = (-700.0, 700.0)


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workprec(160):
        yield


def ulps(function, exact, x):
    """Give the largest error at x in units in the last place of the exact value."""
    worst = 0.0
    for given, found in zip(x.tolist(), function(x).tolist(), strict=True):
        value = exact(mpmath.mpf(given))
        unit = mpmath.mpf(float(np.spacing(abs(float(value)))))
        worst = max(worst, float(abs(mpmath.mpf(found) - value) / unit))
    return worst


def spread(low, high, count=CASES):
    return np.random.default_rng(14).uniform(low, high, count)


@pytest.mark.parametrize("x", [np.exp(spread(*EXPONENTS)), spread(0.5, 2.0), 1.0 + spread(-1e-3, 1e-3)])
def test_log_errs_by_less_than_a_last_place(x):
    assert ulps(elementary.log, mpmath.log, x) < 1.0


@pytest.mark.parametrize("x", [spread(*EXPONENTS), spread(-1.0, 1.0), spread(-1e-5, 1e-5)])
def test_exp_errs_by_less_than_a_last_place(x):
    assert ulps(elementary.exp, mpmath.exp, x) < 1.0


def test_log1p_keeps_its_digits_for_small_numbers():
    # Four: log, quotient and product round, and the result may lie just above a power of two.
    assert ulps(elementary.log1p, mpmath.log1p, 10.0 ** spread(-30.0, 2.0)) < 4.0
    assert elementary.log1p(0.0) == 0.0


@pytest.mark.parametrize("at", [0, 1], ids=["cos", "sin"])
@pytest.mark.parametrize("x", [spread(-0.5, 0.5), spread(-1e3, 1e3), spread(-1e-6, 1e-6)])
def test_sine_and_cosine_err_by_less_than_a_last_place(at, x):
    exact = (lambda t: mpmath.cospi(2 * t), lambda t: mpmath.sinpi(2 * t))[at]
    assert ulps(lambda t: elementary.cos_sin_turns(t)[at], exact, x) < 1.0


def test_quarter_turns_are_exact():
    cosine, sine = elementary.cos_sin_turns(
        np.array([-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0**60 + 256.0])
    )
    np.testing.assert_array_equal(cosine, [-1, 0, 1, 0, -1, 0, 1, 1])
    np.testing.assert_array_equal(sine, [0, -1, 0, 1, 0, -1, 0, 0])


def test_the_distribution_function_is_exact_in_both_tails():
    # In the lower tail relative to itself: exp, a quotient of polynomials and what erf cancels near -1.4.
    assert ulps(elementary.normal_cdf, mpmath.ncdf, spread(-37.4, -1.0)) < 12.0
    z = spread(-9.0, 9.0)
    errors = [
        abs(mpmath.ncdf(x) - p) for x, p in zip(z.tolist(), elementary.normal_cdf(z).tolist(), strict=True)
    ]
    assert max(errors) < 2e-16  # a last place of one
    # SciPy's rounds z^2 before exp: its last places are lost in the tail, not ours.
    np.testing.assert_allclose(elementary.normal_cdf(z), ndtr(z), rtol=3e-14)


def test_the_distribution_function_rises_and_stays_at_its_ends():
    z = np.sort(np.concatenate([spread(-40.0, 40.0, 100_000), spread(-2.0, 2.0, 10_000)]))
    p = elementary.normal_cdf(z)
    # Where its pieces meet, at sqrt(2) and 8 sqrt(2), they differ by last places.
    assert (np.diff(p) >= -1e-16 * p[1:] * 10.0).all()
    ends = elementary.normal_cdf(np.array([-np.inf, -37.5, 0.0, 37.5, np.inf]))
    assert ends[0] == ends[1] > 0.0
    assert ends[2:].tolist() == [0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    "p", [spread(0.0, 1.0), 10.0 ** spread(-300.0, -1.0), 1.0 - 10.0 ** spread(-15.0, -1.0)]
)
def test_the_quantile_is_the_inverse_of_the_distribution_function(p):
    # One Newton step in many digits, from a value that is right to 1e-15, is right to 1e-28.
    found = elementary.normal_quantile(p)
    for given, z in zip(p.tolist(), found.tolist(), strict=True):
        z = mpmath.mpf(z)
        beyond = mpmath.ncdf(z) - given if given < 0.5 else (1 - mpmath.mpf(given)) - mpmath.ncdf(-z)
        assert abs(beyond / mpmath.npdf(z)) < 1e-15 * max(1.0, abs(z))
    np.testing.assert_allclose(found, ndtri(p), rtol=2e-15, atol=2e-15)


def test_the_quantile_is_finite_and_odd():
    ends = elementary.normal_quantile(np.array([0.0, 2.0**-53, 0.5, 1.0 - 2.0**-53, 1.0]))
    assert np.isfinite(ends).all()
    assert ends[2] == 0.0
    assert ends[1] == -ends[3] == -ends[4]
    p = np.floor(spread(0.0, 2.0**30)) * 2.0**-31  # 1 - p is exact
    np.testing.assert_array_equal(elementary.normal_quantile(1.0 - p), -elementary.normal_quantile(p))


@pytest.mark.parametrize("name", ["log", "log1p", "exp", "normal_cdf", "normal_quantile"])
def test_a_value_does_not_depend_on_its_neighbours(name):
    function = getattr(elementary, name)
    x = spread(0.0, 1.0, 9001)
    x[::7] *= 1e-20
    whole = function(x)
    assert whole[4100:4200].tobytes() == function(x[4100:4200]).tobytes()
    assert whole.reshape(-1, 1)[::3].tobytes() == function(x[::3, None]).tobytes()
    assert [float(function(v)) for v in x[:50]] == whole[:50].tolist()


@pytest.mark.parametrize("n", [*range(1, 25), 33, 64, 101, 256, 1024])
def test_nodes_and_weights_are_those_of_gauss(n):
    r, weight = elementary.legendre_nodes(n)
    np.testing.assert_array_equal(r, np.append(r[: n - n // 2], 1.0 - r[: n // 2][::-1]))
    np.testing.assert_array_equal(weight, weight[::-1])
    assert (np.diff(r) > 0.0).all()
    for k in {0, 1, n // 4, (n - 1) // 2} & set(range(n)):
        node, exact = gauss(n, float(r[k]))
        # The recurrence's rounding errors grow with n in a weight, not in a node.
        assert abs(r[k] / node - 1) < 4e-15
        assert abs(weight[k] / exact - 1) < 4e-15 * max(n, 4)
        assert abs(weight[k] - exact) < 1e-15
    assert abs(weight.sum() - 1.0) < 3e-15


def gauss(n, r):
    """Refine a node on [0, 1] in many digits, and give its weight."""
    x = 2 * mpmath.mpf(r) - 1
    for _ in range(3):
        before, now = mpmath.mpf(1), x
        for i in range(1, n):
            before, now = now, ((2 * i + 1) * x * now - i * before) / (i + 1)
        slope = n * (x * now - before) / (x * x - 1)
        x -= now / slope
    return (1 + x) / 2, 1 / ((1 - x * x) * slope * slope)


def test_a_rule_cannot_be_written_to():
    r, _ = elementary.legendre_nodes(5)
    with pytest.raises(ValueError, match="read-only"):
        r[0] = 0.0


def test_rows_are_legendre_polynomials():
    r = np.linspace(0.0, 1.0, 201)
    rows = elementary.legendre_rows(24, r)
    expected = eval_legendre(np.arange(24), 2.0 * r[:, None] - 1.0)
    # Each step of the recurrence rounds; polynomials are at most one.
    np.testing.assert_allclose(rows, expected, rtol=0.0, atol=1e-14)
    assert rows[:, 23].tobytes() == elementary.legendre_rows(64, r)[:, 23].tobytes()
    assert elementary.legendre_rows(1, r).shape == (201, 1)


HASH = """
import hashlib, numpy as np
from lmu_analog.memory import elementary as e
u = np.random.default_rng(5).random(100_000)
u[::100] *= 1e-15
digest = hashlib.sha256()
for y in (e.log(u), e.log1p(u), e.exp(1000.0 * (u - 0.5)), e.normal_quantile(u), e.normal_cdf(60.0 * (u - 0.5)),
          e.normal_cdf(6.0 * (u - 0.5)), *e.cos_sin_turns(100.0 * u), *e.legendre_nodes(77), e.legendre_rows(24, u)):
    digest.update(np.ascontiguousarray(y).tobytes())
print(digest.hexdigest())
"""


def hashed(**environment):
    return subprocess.run(
        [sys.executable, "-c", HASH],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def test_other_variants_of_numpy_and_the_c_library_give_the_same_bytes():
    umath = pytest.importorskip("numpy._core._multiarray_umath")
    chosen = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__[name]]
    plain = hashed(
        NPY_DISABLE_CPU_FEATURES=" ".join(chosen),
        GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-AVX2_Usable,-FMA_Usable,-AVX512F_Usable",
    )
    assert plain == hashed()


SHARED = """
#include <stddef.h>
#include "elementary.h"
#define EACH(name, function)                                \\
    void name(const double *x, double *y, size_t count)     \\
    {                                                       \\
        for (size_t i = 0; i < count; i += V_LANES)         \\
            v_store(y + i, function(v_load(x + i)));        \\
    }
EACH(each_log, v_log)
EACH(each_exp, v_exp)
EACH(each_normal_cdf, v_normal_cdf)
EACH(each_normal_quantile, v_normal_quantile)
void normal_quantiles(double *p, size_t count, double *outer, int64_t *where)
{
    v_normal_quantiles(p, (int64_t)count, outer, where);
}
void words(uint64_t counter, uint64_t key0, uint64_t key1, uint64_t *out) { philox(counter, key0, key1, out); }
"""
STRICT = (
    "-std=c11",
    "-O2",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",
    "-Werror",
)
BUILDS = {"generic": (), "AVX2 and FMA": ("-mavx2", "-mfma"), "portable product": ("-U__SIZEOF_INT128__",)}


@pytest.fixture(scope="module", params=sorted(BUILDS))
def library(request, tmp_path_factory):
    if COMPILER is None:
        pytest.skip("no C compiler")
    options = BUILDS[request.param]
    if "-mavx2" in options and not runs_avx2():
        pytest.skip("no AVX2")
    folder = tmp_path_factory.mktemp("elementary")
    (folder / "shared.c").write_text(SHARED)
    command = [
        COMPILER,
        *STRICT,
        *options,
        f"-I{HEADER.parent}",
        "-shared",
        "-fPIC",
        "shared.c",
        "-o",
        "shared.so",
    ]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    return ctypes.CDLL(str(folder / "shared.so"))


def runs_avx2():
    flags = Path("/proc/cpuinfo")
    return flags.exists() and {"avx2", "fma"} <= set(flags.read_text().split())


MANY = 1_000_000
INPUTS = {
    "log": lambda u: np.concatenate([np.exp(1400.0 * (u[::2] - 0.5)), 0.5 + u[1::2]]),
    "exp": lambda u: np.concatenate([1500.0 * (u[::2] - 0.5), 4.0 * (u[1::2] - 0.5)]),
    "normal_cdf": lambda u: np.concatenate([80.0 * (u[::2] - 0.5), norm.ppf(u[1::2])]),
    "normal_quantile": lambda u: np.concatenate(
        [u[::4], u[1::4] * 1e-14, 10.0 ** (-320.0 * u[2::4]), 1.0 - u[3::4] * 1e-9]
    ),
}


# Where one formula takes over from another: random numbers never meet these.
BORDERS = {
    "log": (0.5**0.5, 2.0**0.5),
    "exp": (-708.0, 709.0),
    "normal_cdf": (2.0**0.5, -(2.0**0.5), 8.0 * 2.0**0.5, -8.0 * 2.0**0.5, 37.5, -37.5),
    "normal_quantile": (0.075, 0.925, np.exp(-25.0)),
}


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_the_functions_in_c_give_the_same_bits(library, name):
    x = INPUTS[name](np.random.default_rng(6).random(MANY))
    borders = np.array(BORDERS[name])
    around = (borders[:, None] + np.spacing(borders)[:, None] * np.arange(-8, 9)).ravel()
    x[4 : 4 + len(around)] = around
    x[:4] = (0.0, 1.0, 0.5, 1e-300) if name == "normal_quantile" else (1.0, 2.0, 0.5, 708.0)
    found = np.empty_like(x)
    address = ctypes.POINTER(ctypes.c_double)
    getattr(library, f"each_{name}")(
        x.ctypes.data_as(address), found.ctypes.data_as(address), ctypes.c_size_t(len(x))
    )
    np.testing.assert_array_equal(found.view(np.int64), getattr(elementary, name)(x).view(np.int64))


# Of 64 probabilities in tails, from the first on: none, one, a vector, one more, all but one, and all.
@pytest.mark.parametrize("tails", [0, 1, 8, 9, 63, 64])
@pytest.mark.parametrize("exponent", [-2, -13, -300])
def test_quantiles_computed_together_have_the_bits_of_each_alone(library, tails, exponent):
    rng = np.random.default_rng(tails)
    p = rng.uniform(0.08, 0.92, 64)
    p[:tails] = rng.uniform(1.0, 7.0, tails) * 10.0**exponent
    if exponent == -2:
        p[1:tails:2] = 1.0 - p[1:tails:2]
    rng.shuffle(p)
    found, outer, where = p.copy(), np.full(65, np.pi), np.full(65, -7, np.int64)
    address, places = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)
    library.normal_quantiles(
        found.ctypes.data_as(address),
        ctypes.c_size_t(64),
        outer.ctypes.data_as(address),
        where.ctypes.data_as(places),
    )
    np.testing.assert_array_equal(found.view(np.int64), elementary.normal_quantile(p).view(np.int64))
    assert (outer[64], where[64]) == (np.pi, -7)  # there is no room for more


@pytest.mark.parametrize("key", [(0, 0), (1, 2**63 + 5), (2**63 - 1, 2**64 - 1)])
def test_the_words_are_those_of_numpy(library, key):
    out = np.empty(4, np.uint64)
    for counter in (0, 1, 4711, 2**64 - 2):
        library.words(
            *(ctypes.c_uint64(k) for k in (counter + 1, *key)),
            out.ctypes.data_as(ctypes.POINTER(ctypes.c_uint64)),
        )
        generator = np.random.Philox(counter=counter, key=np.array(key, np.uint64))
        np.testing.assert_array_equal(out, generator.random_raw(4))
