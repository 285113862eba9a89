"""The two players of a job: the same bits, whatever the instruction set, the number of samples and of threads."""

import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from lmu_analog import Design, DesignError, monte_carlo
from lmu_analog.building import build
from lmu_analog.circuits.circuit import small_signal_values
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.engine import compiling, interpreter, native
from lmu_analog.engine import job as jobs
from lmu_analog.engine.interpreter import run_program
from lmu_analog.engine.job import Job, Played, job_of
from lmu_analog.engine.plan import plan_frequencies
from lmu_analog.engine.program import LOAD, Builder, Number, program
from lmu_analog.ensembles import exact
from lmu_analog.ensembles.exact import check_kernel, exact_chunk
from lmu_analog.errors import StoreError
from lmu_analog.memory.window import POINTS
from lmu_analog.mismatch.law import Mismatch, draw, law_steps, sample

LAW = {
    name: {"tolerance": "1 %", "distribution": "gauss", "lot": "1 %"}
    for name in ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")
}
DESIGN = Design(order=4, theta="1 ms", mismatch=LAW)
PAIRS = [(name, r) for name, f in FAMILIES.items() for r in f.realizations if f.model != "sampled"]
with_native = pytest.mark.skipif(not native.is_there(), reason="no C compiler here")


def job_and_values(design: Design, samples: int) -> tuple[Job, np.ndarray]:
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, draw(circuit, law, seed=0, samples=range(samples)))
    inner = circuit.small_signal or circuit
    values = values if circuit.small_signal is None else small_signal_values(circuit, values)
    plan = plan_frequencies(inner, design.stimulus.frequency)
    return job_of(plan, np.ones(len(inner.values), bool), design.stimulus), np.ascontiguousarray(values.T)


def differing(a: Played, b: Played) -> int:
    """Count bytes that differ."""
    pairs = (
        (a.profile, b.profile),
        (a.fits, b.fits),
        (a.determinant, b.determinant),
        (a.response, b.response),
        (a.equations, b.equations),
    )
    return sum(
        int((np.ascontiguousarray(x).view(np.uint8) != np.ascontiguousarray(y).view(np.uint8)).sum())
        for x, y in pairs
    )


def runnable() -> tuple[str, ...]:
    every = compiling.variants()
    return every[: every.index(native.instruction_set()) + 1]


@with_native
@pytest.mark.parametrize("opamp", ["ideal", "OPA2192"])
@pytest.mark.parametrize(("family", "realization"), PAIRS)
def test_players_and_instruction_sets_give_the_same_bytes(family, realization, opamp):
    design = Design(order=5, theta="1 ms", family=family, realization=realization, opamp=opamp, mismatch=LAW)
    job, values = job_and_values(design, 40)
    for variant, watched in zip(runnable(), (7, 30, 8), strict=False):  # in either half of a group
        wanted = interpreter.play(job, values, watched)
        assert differing(wanted, native.play(job, values, watched, variant=variant)) == 0


@with_native
def test_a_sample_does_not_depend_on_how_many_are_played_beside_it_or_in_how_many_threads():
    job, values = job_and_values(DESIGN, 100)
    whole = native.play(job, values, 0)
    for first, last in ((0, 1), (3, 20), (50, 100)):
        part = native.play(job, np.ascontiguousarray(values[:, first:last]), 0)
        assert (part.profile == whole.profile[:, first:last]).all()
        assert (part.determinant == whole.determinant[..., first:last]).all()
        assert (interpreter.play(job, values[:, first:last], 0).profile == part.profile).all()
    with ThreadPoolExecutor(4) as threads:
        for again in threads.map(lambda _: native.play(job, values, 0), range(8)):
            assert differing(whole, again) == 0


@with_native
def test_what_overflows_or_is_no_number_never_fits():
    job, values = job_and_values(DESIGN, 32)
    values[:, 5], values[:, 6], values[:, 7] = np.nan, 1e308, 1e-308
    played = [play(job, values, 0) for play in (interpreter.play, native.play)]
    for one in played:
        assert not one.fits[5:8].any()
        assert one.fits[:5].all()
    assert (played[0].fits == played[1].fits).all()


SCRIPT = """
import hashlib
from lmu_analog import Design
from lmu_analog.ensembles.exact import exact_chunk
found = hashlib.sha256()
law = {"resistor": "1 %", "capacitor": {"tolerance": "2 %", "distribution": "lognormal", "lot": "1 %"}}
for realization in ("cap-feedforward", "ladder"):
    design = Design(order=4, theta="1 ms", realization=realization, opamp="OPA2192", mismatch=law)
    rows = exact_chunk(design, 1, range(50), kernel="numpy")
    found.update(rows.profile.tobytes() + rows.window_nrmse.tobytes())
print(found.hexdigest())
"""


def test_a_seed_gives_the_same_bytes_whatever_numpy_and_the_c_library_choose_for_a_processor():
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    features = " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))
    plain = {"NPY_DISABLE_CPU_FEATURES": features, "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F"}
    command = [sys.executable, "-c", SCRIPT]
    found = {
        subprocess.run(command, env=os.environ | extra, check=True, capture_output=True, text=True).stdout
        for extra in ({}, plain if features else {})
    }
    assert len(found) == 1


@with_native
def test_both_kernels_give_the_rows_of_a_run():
    rows = [exact_chunk(DESIGN, 1, range(30), kernel=kernel) for kernel in ("native", "numpy")]
    assert (rows[0].profile == rows[1].profile).all()
    assert (rows[0].window_nrmse == rows[1].window_nrmse).all()


def test_a_run_says_its_solver_and_keeps_it(tmp_path, monkeypatch):
    path = tmp_path / "run.zarr"
    run = monte_carlo(DESIGN, 20, store=path, workers=1)
    assert run.attrs["solver"] == "per-frequency"
    # Either player continues it.
    longer = monte_carlo(DESIGN, 25, kernel="numpy", store=path, resumed=True, workers=1)
    assert (longer.profile[:20].values == run.profile.values).all()
    monkeypatch.setattr(exact, "solver_of", lambda *_: "state-space")
    monkeypatch.setattr("lmu_analog.ensembles.montecarlo.solver_of", lambda *_: "state-space")
    with pytest.raises(StoreError, match="its solver is 'per-frequency', not 'state-space'"):
        monte_carlo(DESIGN, 30, store=path, resumed=True)


def test_a_kernel_that_is_gone_unknown_missing_or_of_no_use_is_refused(monkeypatch):
    with pytest.raises(DesignError, match="unknown kernel 'fortran'; known are native, numpy"):
        check_kernel("fortran")
    for gone in ("numba", "float32"):
        with pytest.raises(DesignError, match=f"kernel '{gone}' is gone: 'native' is faster"):
            monte_carlo(DESIGN, 3, kernel=gone)
    with pytest.raises(DesignError, match="kernel 'numpy' is one of the exact engine, not of 'nonlinear'"):
        monte_carlo(DESIGN, 3, kernel="numpy", engine="nonlinear")
    monkeypatch.setattr(native, "found", lambda: native.Found(None, "there is no C compiler"))
    with pytest.raises(DesignError, match="kernel 'native' cannot run here .there is no C compiler."):
        monte_carlo(DESIGN, 3, kernel="native")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The engine's folder of a package elsewhere: sources alone, and the player is looked for there."""
    folder = tmp_path / "package" / "engine"
    folder.mkdir(parents=True)
    for name in compiling.SOURCES:
        (folder / name).write_bytes((native.FOLDER / name).read_bytes())
    monkeypatch.setattr(native, "FOLDER", folder)
    native.found.cache_clear()
    yield folder
    native.found.cache_clear()


@pytest.fixture
def quick_to_compile(monkeypatch):
    """Compile in a fifth of the time, where only matters whether there is a library."""
    flags = tuple(flag.replace("-O3", "-O0") for flag in compiling.FLAGS)
    monkeypatch.setattr(compiling, "FLAGS", flags)


@with_native
@pytest.mark.usefixtures("quick_to_compile")
def test_a_library_of_another_source_is_made_anew_in_a_checkout_and_refused_elsewhere(
    folder, tmp_path, monkeypatch
):
    stale = folder / compiling.library_name()
    stale.write_bytes(b"of yesterday")
    assert native.found().missing == "its library is of another source"
    assert stale.read_bytes() == b"of yesterday"
    (tmp_path / "pyproject.toml").touch()
    native.found.cache_clear()
    assert native.is_there()
    assert compiling.digest(folder).encode() in stale.read_bytes()
    stale.unlink()
    monkeypatch.setattr(compiling, "compiler", lambda: None)
    native.found.cache_clear()
    assert native.found().missing == "there is no C compiler"
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".player-")]


def test_without_sources_or_a_folder_to_write_there_is_no_native_player(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "FOLDER", tmp_path / "package" / "engine")
    native.found.cache_clear()
    try:
        assert "player.c" in native.found().missing
    finally:
        native.found.cache_clear()
    if compiling.compiler():
        assert "player.c" in str(compiling.compile_library(tmp_path))
        assert str(tmp_path / "none") in str(compiling.compile_library(tmp_path / "none"))


@with_native
@pytest.mark.usefixtures("quick_to_compile")
def test_a_library_that_cannot_be_loaded_is_made_anew_though_it_is_of_this_source(folder, tmp_path):
    (tmp_path / "pyproject.toml").touch()
    # As another system that shares the checkout would have left it.
    (folder / compiling.library_name()).write_bytes(compiling.digest(folder).encode())
    assert native.is_there()


@with_native
def test_a_library_of_another_source_is_refused_though_it_can_be_loaded(folder):
    wanted = compiling.digest(folder).encode()
    library = Path(native.__file__).with_name(compiling.library_name()).read_bytes()
    assert wanted in library
    (folder / compiling.library_name()).write_bytes(library.replace(wanted, wanted[::-1]))
    assert native.found() == native.Found(None, "its library is of another source")


def test_the_digest_is_of_every_source_and_of_how_they_are_compiled(tmp_path, monkeypatch):
    sources = {path.name for path in native.FOLDER.glob("*.[ch]")}
    for name in sources:
        (tmp_path / name).write_bytes((native.FOLDER / name).read_bytes())
    found = {compiling.digest(tmp_path)}
    for name in sources:
        with (tmp_path / name).open("a") as source:
            source.write("/* changed */\n")
        found.add(compiling.digest(tmp_path))
    monkeypatch.setattr(compiling, "FLAGS", (*compiling.FLAGS, "-g"))
    found.add(compiling.digest(tmp_path))
    monkeypatch.setattr(compiling, "VARIANTS", compiling.VARIANTS | {"generic": ("-g",)})
    found.add(compiling.digest(tmp_path))
    assert len(found) == 1 + len(sources) + 2


def test_a_library_is_made_whole_or_not_at_all(folder, monkeypatch):
    library = folder / compiling.library_name()
    library.write_bytes(b"of yesterday")
    linked = ["ld: no space left", None]

    def run(call: list[str], where: Path) -> str | None:
        (where / call[-1]).write_bytes(b"some of it")  # as the linker leaves it, or as it is meant to be
        return linked.pop(0) if "-shared" in call else None

    monkeypatch.setattr(compiling, "compiler", lambda: "cc")
    monkeypatch.setattr(compiling, "_run", run)
    assert compiling.compile_library(folder) == "ld: no space left"
    assert library.read_bytes() == b"of yesterday"
    assert compiling.compile_library(folder) is None
    assert library.read_bytes() == b"some of it"
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".player-")]


@pytest.mark.parametrize("error", [subprocess.TimeoutExpired("cc", 120.0), PermissionError("may not run")])
def test_a_compiler_that_hangs_or_may_not_run_makes_no_player(folder, monkeypatch, error):
    def run(*_, **options):
        assert options["timeout"] == compiling.SECONDS
        raise error

    monkeypatch.setattr(compiling, "compiler", lambda: "/usr/bin/cc")
    monkeypatch.setattr(subprocess, "run", run)
    assert compiling.compile_library(folder) == f"/usr/bin/cc: {error}"


@with_native
def test_no_multiplication_is_fused_with_an_addition_where_the_processor_could(folder, tmp_path, monkeypatch):
    from numpy._core._multiarray_umath import __cpu_features__

    if not (__cpu_features__.get("AVX2") and __cpu_features__.get("FMA3")):
        pytest.skip("no fused operations here")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(compiling, "VARIANTS", {"generic": ("-mavx2", "-mfma")})
    job, values = job_and_values(DESIGN, 16)
    assert differing(interpreter.play(job, values, 0), native.play(job, values, 0)) == 0


@with_native
def test_threads_that_prepare_one_job_at_once_share_its_arrays(monkeypatch):
    # The arrays of a second copy would be freed under the feet of whoever plays the first.
    job, _ = job_and_values(DESIGN, 1)
    both, fields = Barrier(2, timeout=60.0), native._fields_of_job

    def slowly(*given):
        both.wait()
        return fields(*given)

    monkeypatch.setattr(native, "_fields_of_job", slowly)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(native._written, (job, job), [lambda: native._fields(job)] * 2)
    assert one is other
    assert native._written(job, lambda: native._fields(job)) is one


def test_the_threads_of_a_run_prepare_a_design_once(monkeypatch):
    made, of = [], exact.PerFrequency.of

    def slowly(*given, **options):
        made.append(1)
        time.sleep(0.3)  # in which the other threads come by
        return of(*given, **options)

    monkeypatch.setattr(exact.PerFrequency, "of", slowly)
    design = DESIGN.replace(theta="1.25 ms")
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda k: exact_chunk(design, 0, range(2048 * k, 2048 * k + 1)), range(3)))
    assert len(made) == 1


@with_native
def test_a_constant_zero_keeps_its_sign():
    job, values = job_and_values(Design(order=1, theta="1 ms", mismatch=LAW), 3)
    entries = replace(
        job.pencil.entries,
        code=np.zeros((0, 5), np.int64),
        constant=np.zeros(0),
        template=np.full_like(job.pencil.entries.template, -0.0),
    )
    job = replace(job, pencil=replace(job.pencil, entries=entries))
    wanted = interpreter.play(job, values, 0).determinant
    for variant in runnable():
        found = native.play(job, values, 0, variant=variant).determinant
        np.testing.assert_array_equal(np.signbit(found), np.signbit(wanted))


@with_native
def test_equations_that_need_more_registers_than_entries_have_them():
    job, values = job_and_values(DESIGN, 16)
    many = job.pencil.entries.registers + 50
    loads = np.zeros((many, 5), np.int64)
    loads[:, 0], loads[:, 1] = LOAD, np.arange(many)
    equations = replace(job.pencil.equations, code=loads, constant=np.zeros(many), registers=many)
    job = replace(job, pencil=replace(job.pencil, equations=equations))
    assert differing(interpreter.play(job, values, 0), native.play(job, values, 0)) == 0


@with_native
@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="has one kind of arithmetic"
)
def test_a_compiler_that_rounds_otherwise_is_refused():
    command = [compiling.compiler(), *compiling.FLAGS, "-mfpmath=387", "-DVARIANT=generic", "-fsyntax-only"]
    done = subprocess.run(
        [*command, str(native.FOLDER / "player.c")], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "every operation is rounded by itself" in done.stderr


def test_places_of_wide_windows_count_in_the_error_and_are_not_shown():
    design = Design(order=3, theta="1 ms", bandwidth="21 kHz", mismatch={"resistor": "5 %"})
    quick = exact_chunk(design, 0, range(20), kernel="numpy")
    slow = exact_chunk(design, 0, range(20), solver="state-space")
    assert quick.profile.shape[1] == POINTS
    np.testing.assert_allclose(quick.window_nrmse, slow.window_nrmse, rtol=1e-8)
    np.testing.assert_allclose(quick.profile, slow.profile, rtol=1e-8)


def played(builder: Builder, outputs: dict[int, Number | float], given: list[float]) -> np.ndarray:
    return run_program(program(builder, outputs, len(outputs)), np.array(given)[:, None])[:, 0]


def test_a_program_does_what_was_recorded():
    builder = Builder()
    x, y, z = (builder.load(k) for k in range(3))

    def calculation(x, y, z):
        return [
            x * y + z,
            z - x * y,
            x * y - 2.0 / z,
            (x + y) * -3.0,
            1.0 - x,
            x * x * x,
            x * 0.0,
            -(y - x) / 4.0,
        ]

    written = dict(enumerate(calculation(x, y, z)))
    assert written[6] == 0.0
    given = [1.5, -2.25, 7.0]
    # Powers of two aside every operation is done as written, so nothing rounds differently.
    np.testing.assert_array_equal(played(builder, written, given), calculation(*given))


def test_what_is_recorded_twice_is_done_once():
    builder = Builder()
    x, y = builder.load(0), builder.load(1)
    made = program(builder, {0: x * y, 1: -(y * x)}, 2)
    assert len(made.code) == 5  # two loads, one product, two stores


def test_a_product_is_kept_where_more_than_one_sum_reads_it_or_it_is_an_output_itself():
    builder = Builder()
    x, y, z = (builder.load(k) for k in range(3))
    numbers = [1.5, -2.25, 7.0]
    np.testing.assert_array_equal(played(builder, {0: x * y, 1: x * y + z}, numbers), [-3.375, 3.625])
    np.testing.assert_array_equal(played(builder, {0: x * y + z, 1: x * y - z}, numbers), [3.625, -10.375])
    np.testing.assert_array_equal(played(builder, {0: z - x * y, 1: 2.0 - (x - y)}, numbers), [10.375, -1.75])


@given(st.data())
def test_pivot_rows_are_taken_as_if_one_after_another(data):
    # A row of nine places, and above it pivot rows of which each has some of the columns to the right of its own.
    size = 9
    above = data.draw(st.sets(st.sampled_from(range(size - 1))).map(sorted))
    taken, wanted = [], np.arange(size * size) * 5 % 7 - 3
    found = wanted.copy()
    for k, column in enumerate(above):
        places = data.draw(st.sets(st.sampled_from(range(column + 1, size))).map(sorted))
        start = size * (k + 1)
        taken.append((column, list(jobs._runs(places, start))))
        for at, place in enumerate(places):
            wanted[place] -= wanted[column] * wanted[start + at]
    code = iter(jobs._takings(taken))
    for _ in range(next(code)):
        if next(code) == 2:
            factor, target, first, second, count = (next(code) for _ in range(5))
            found[target : target + count + 1] -= found[factor] * found[first : first + count + 1]
            found[target + 1 : target + 1 + count] -= found[target] * found[second : second + count]
            continue
        factor, runs = next(code), next(code)
        for _ in range(runs):
            target, first, count = (next(code) for _ in range(3))
            found[target : target + count] -= found[factor] * found[first : first + count]
    assert not list(code)
    np.testing.assert_array_equal(found, wanted)


GROUPS = [{"components": ["C*"], "correlation": 0.9}]
LAWS = {
    "gauss3": {"resistor": "1 %", "capacitor": {"tolerance": "1 %", "lot": "2 %"}, "opamp": "20 %"},
    "others": {
        "resistor": {"tolerance": "1 %", "distribution": "uniform", "lot": "3 %"},
        "capacitor": {"tolerance": "5 %", "distribution": "lognormal", "lot": "2 %"},
        "opamp": {"tolerance": "10 %", "distribution": "gauss"},
    },
    "groups": {
        "resistor": "1 %",
        "capacitor": {"tolerance": "2 %", "distribution": "gauss"},
    },
}


@with_native
@pytest.mark.parametrize("is_uniform", [False, True])
@pytest.mark.parametrize("name", LAWS)
def test_the_native_law_draws_what_numpy_draws(name, is_uniform):
    groups = GROUPS if name == "groups" else []
    design = Design(order=4, theta="1 ms", opamp="OPA2192", mismatch=LAWS[name], groups=groups)
    circuit, law = build(design), replace(Mismatch.of(design), is_uniform=is_uniform)
    for samples in (range(64), range(2**40, 2**40 + 8)):
        wanted = sample(circuit, law, draw(circuit, law, seed=2**63 - 1, samples=samples)).T
        for variant in runnable():
            found = native.draw(law_steps(circuit, law), seed=2**63 - 1, samples=samples, variant=variant)
            assert (found == wanted).all()
    with pytest.raises(ValueError, match="no whole groups of eight"):
        native.draw(law_steps(circuit, law), seed=0, samples=range(3, 11))


@with_native
@pytest.mark.parametrize(
    "chosen",
    [
        {"only": "R*_0"},
        {"without": "lot"},
        {"only": "lot"},
        {"without": "Uint_1.offset"},
        {"mismatch": {"resistor": "1 %", "opamp": "0 %"}},
    ],
    ids=repr,
)
def test_the_native_law_leaves_out_what_numpy_leaves_out(chosen):
    law = {"resistor": {"tolerance": "1 %", "lot": "3 %"}, "opamp": {"tolerance": "10 %", "lot": "2 %"}}
    design = Design(order=4, theta="1 ms", opamp="OPA2192", mismatch=law).replace(**chosen)
    circuit, law = build(design), Mismatch.of(design)
    wanted = sample(circuit, law, draw(circuit, law, seed=1, samples=range(16))).T
    # Some parameters deviate, and some that would without the choice do not.
    assert 0 < (wanted != circuit.values[:, None]).any(axis=1).sum() < len(wanted)
    assert (native.draw(law_steps(circuit, law), seed=1, samples=range(16)) == wanted).all()


@pytest.mark.parametrize("play", [interpreter.play, pytest.param(native.play, marks=with_native)])
def test_a_solution_of_other_equations_does_not_fit(play):
    # Offsets drive, so the last pass is at DC. One entry of a pass takes the coefficients of another.
    job, values = job_and_values(DESIGN.replace(opamp="OPA2192"), 16)
    assert job.has_offsets
    assert play(job, values, 0).fits.all()
    for _, _, start, _ in job.tones.passes.tolist():
        code = job.tones.code.copy()
        loads = code[start + 1 : start + 1 + 3 * code[start]].reshape(-1, 3)
        moving = [load for load in loads if load[2] == loads[0, 2]]
        moving[0][1], moving[-1][1] = moving[-1][1], moving[0][1]
        wrong = replace(job, tones=replace(job.tones, code=code))
        assert not play(wrong, values, 0).fits.any()


@with_native
def test_players_find_the_same_residuals(monkeypatch):
    # Bounds from below rounding to beyond it: of each residual both parts count, and its sign does not.
    job, values = job_and_values(DESIGN.replace(opamp="OPA2192"), 64)
    some = 0
    for size in 10.0 ** np.arange(-10.0, -5.0, 0.5):
        strict = replace(job, bound=job.bound * size**2)
        wanted = interpreter.play(strict, values, 0).fits
        some += 0 < wanted.sum() < 64
        for variant in runnable():
            assert (native.play(strict, values, 0, variant=variant).fits == wanted).all()
    assert some
    some = 0
    for size in 10.0 ** np.arange(-18.0, -13.0, 0.5):
        monkeypatch.setattr(interpreter, "TRUSTED", size)
        monkeypatch.setattr(native, "TRUSTED", size)
        strict = replace(job, bound=np.full_like(job.bound, np.inf))
        wanted = interpreter.play(strict, values, 0).fits
        some += 0 < wanted.sum() < 64
        for variant in runnable():
            assert (native.play(strict, values, 0, variant=variant).fits == wanted).all()
    assert some


@pytest.mark.parametrize("play", [interpreter.play, pytest.param(native.play, marks=with_native)])
def test_what_probes_show_of_the_input_is_no_part_of_what_offsets_leave(play):
    # No tone counts here, so the error is the offsets' alone.
    job, values = job_and_values(DESIGN.replace(opamp="OPA2192"), 16)
    window = replace(
        job.window, amplitude=np.zeros_like(job.window.amplitude), ideal=np.zeros_like(job.window.ideal)
    )
    alone = play(replace(job, window=window), values, 0)
    shown = replace(job, window=replace(window, direct=window.direct + 0.5))
    beside = play(shown, values, 0)
    assert (alone.profile > 0.0).all()
    assert (beside.profile == alone.profile).all()
    np.testing.assert_allclose(beside.response[0], alone.response[0] + 0.5, rtol=1e-14, atol=1e-14)
    assert (beside.response[1] == alone.response[1]).all()
