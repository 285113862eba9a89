"""Device tables of GF180MCU and sizes from them; ngspice's own operating points are the oracle."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmu_analog.circuits.devices.pdk import InstalledPdk, find_pdk, pdk
from lmu_analog.cli.app import run_command
from lmu_analog.errors import DesignError
from lmu_analog.output import device_tables
from lmu_analog.silicon import tables
from lmu_analog.silicon.sizing import (
    UNITY,
    OperatingPoint,
    biased,
    drain_junction,
    operating_point,
    sized,
    specific_current,
    usable_length,
)
from lmu_analog.silicon.tables import DeviceTable, device_table, grid_of, usable
from lmu_analog.spice.commands import run_commands

HOT = 398.15  # K
BOLTZMANN_OVER_CHARGE = 8.617333e-5  # V/K


@pytest.fixture(scope="module")
def installed() -> InstalledPdk:
    try:
        return find_pdk("gf180mcu")
    except DesignError as error:
        pytest.skip(f"GF180MCU: {error}")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory):
    """Give all tests of the file one empty cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "cache_folder", lambda: folder)
        tables._kept.cache_clear()
        yield folder
    tables._kept.cache_clear()


def small(installed: InstalledPdk, name: str, **where: object) -> DeviceTable:
    """Sweep one bin of lengths and one of widths."""
    grid = grid_of(installed.pdk.device(name), lengths=[2e-6], widths=[5e-6])
    return device_table(installed, name, grid=grid, **where)  # type: ignore[arg-type]


def figures_of(
    installed: InstalledPdk, table: DeviceTable, points: list[OperatingPoint], keys: tuple[str, ...]
) -> np.ndarray:
    """Put devices into ngspice as a user would, and read figures of each, (points, keys)."""
    sign = 1.0 if table.device.kind == "nmos" else -1.0
    lines = ["* sizes put back", *installed.cards(table.corner)]
    lines += [".options gmin=1e-15", f".temp {table.temperature - 273.15!r}"]
    for k, p in enumerate(points):
        lines += [f"vg{k} g{k} 0 {sign * p.v_gs!r}", f"vd{k} d{k} 0 {sign * p.v_ds!r}"]
        lines += [f"vb{k} b{k} 0 {-sign * p.v_sb!r}"]
        lines.append(f"x{k} d{k} g{k} 0 b{k} {p.device} w={p.width!r} l={p.length!r}")
    names = [f"@m.x{k}.m0[{key}]" for k in range(len(points)) for key in keys]
    (plot,) = run_commands(lines, ["op"], saved=names)
    found = [abs(float(next(v for n, v in plot.items() if name in n)[-1])) for name in names]
    return np.reshape(found, (len(points), len(keys)))


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("name", "corner", "kelvin"),
    [("nmos_3p3", "typical", 300.15), ("nmos_3p3", "ss", HOT), ("pmos_3p3", "ff", 233.15)],
)
def test_a_sized_device_has_in_ngspice_what_was_asked_for(
    installed: InstalledPdk, kept: Path, name: str, corner: str, kelvin: float
):
    table = small(installed, name, corner=corner, temperature=kelvin)
    wanted = [
        (
            sized(
                table, length=length, v_ds=v_ds, v_sb=v_sb, current=current, efficiency=share * 1e4 / kelvin
            ),
            share,
        )
        for length, current in ((1.3e-6, 4e-6), (3.1e-6, 2e-6), (7.7e-6, 1.5e-6))
        for share in (0.6, 0.25)
        for v_ds, v_sb in ((0.5, 0.0), (2.0, 0.5))
    ]
    points = [p for p, _ in wanted]
    got = figures_of(installed, table, points, ("id", "gm", "gmbs"))
    counts = np.array([p.count for p in points])
    # 2 % is the aim; the grid of sizes and biases is interpolated within .7 %, and a width rounded by 2.5 nm of 1.2 um
    # changes gm/I_D by less than .2 %.
    np.testing.assert_allclose(got[:, 0] * counts, [p.current for p in points], rtol=0.02)
    np.testing.assert_allclose(got[:, 1] / got[:, 0], [s * 1e4 / kelvin for _, s in wanted], rtol=0.02)
    np.testing.assert_allclose(got[:, 2] * counts, [p.gmb for p in points], rtol=0.03)


@pytest.mark.ngspice
def test_capacitances_and_noise_follow_textbook_limits(installed: InstalledPdk, kept: Path):
    table = small(installed, "nmos_3p3")
    strong = biased(table, width=5e-6, length=2e-6, current=1e-4, v_ds=3.0)
    weak = biased(table, width=5e-6, length=2e-6, current=1e-9, v_ds=1.0)
    oxide = 3.9 * 8.854e-12 / 8e-9 * strong.area  # F, of the 8 nm that the kit states
    # Two thirds of the oxide and the overlaps of .2 fF/um on both sides; poly depletion takes some per cent.
    assert strong.cgg == pytest.approx(2 / 3 * oxide + 2 * 2e-10 * 5e-6, rel=0.12)
    assert 0.5 * oxide > weak.cgg > 0.0
    # Shot noise of a weakly inverted channel, 2 q I_D; the kit's noise model (tnoimod 0) is a quarter above it.
    shot = np.sqrt(2 * 1.602e-19 * weak.current) / weak.gm
    assert 0.9 * shot < weak.white < 1.4 * shot
    # A gate twice as wide has half the power of 1/f noise and half that of mismatch at the same inversion.
    double = biased(table, width=5e-6, length=2e-6, current=2e-4, v_ds=3.0, count=2)
    assert double.flicker == pytest.approx(strong.flicker / np.sqrt(2), rel=1e-9)
    assert double.sigma_vt == pytest.approx(strong.sigma_vt / np.sqrt(2), rel=1e-9)


@pytest.mark.ngspice
def test_inversion_one_is_where_the_charge_model_puts_it(installed: InstalledPdk, kept: Path):
    table = small(installed, "nmos_3p3")
    point = sized(table, length=2e-6, v_ds=1.65, current=1e-6, inversion=1.0)
    weakest = biased(table, width=9.9e-6, length=2e-6, current=1e-10, v_ds=1.65)
    assert point.inversion == pytest.approx(1.0, rel=0.002)  # the width is a multiple of 5 nm
    assert point.efficiency == pytest.approx(UNITY * weakest.efficiency, rel=0.02)
    slope = 1.0 / (weakest.efficiency * BOLTZMANN_OVER_CHARGE * table.temperature)
    assert 1.2 < slope < 1.6  # n of bulk CMOS
    assert specific_current(table, 2e-6) > 0.0


@pytest.mark.ngspice
def test_leakage_grows_with_temperature_as_silicon_does(installed: InstalledPdk, kept: Path):
    cold, hot = small(installed, "nmos_3p3"), small(installed, "pmos_3p3", corner="ss", temperature=HOT)
    ratio = drain_junction(hot, width=5e-6)[0] / drain_junction(cold, width=5e-6)[0]
    # exp(Eg/k (1/T0 - 1/T)) (T/T0)^3 with the gap of 1.12 eV, which shrinks with temperature.
    ideal = np.exp(1.12 / BOLTZMANN_OVER_CHARGE * (1 / 300.15 - 1 / HOT)) * (HOT / 300.15) ** 3
    assert ideal / 3 < ratio < ideal * 3


@pytest.mark.ngspice
def test_a_kept_table_is_the_swept_one_and_a_torn_one_is_made_anew(installed: InstalledPdk, kept: Path):
    before = set(kept.iterdir())
    least = replace(
        grid_of(installed.pdk.device("pmos_3p3"), lengths=[2e-6], widths=[5e-6]),
        v_ds=(1.0, 1.65),
        v_sb=(0.0,),
    )
    swept = device_table(installed, "pmos_3p3", grid=least)
    (path,) = set(kept.iterdir()) - before
    whole = path.read_bytes()
    tables._kept.cache_clear()
    again = device_table(installed, "pmos_3p3", grid=least)
    assert again is not swept
    np.testing.assert_array_equal(again.curves["current"], swept.curves["current"])
    path.write_bytes(whole[: len(whole) // 2])
    tables._kept.cache_clear()
    anew = device_table(installed, "pmos_3p3", grid=least)
    np.testing.assert_array_equal(anew.curves["current"], swept.curves["current"])
    assert len(path.read_bytes()) == len(whole)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"length": 2e-6, "current": 1e-9, "inversion": 10.0}, r"W = .* below 1.212 um"),
        ({"length": 1.2e-6, "current": 1e-6, "inversion": 1.0}, "L = 1.2 um is at the edge of two bins"),
        ({"length": 0.2e-6, "current": 1e-6, "inversion": 1.0}, "its model holds from 280 nm"),
        ({"length": 20e-6, "current": 1e-6, "inversion": 1.0}, "the table has no L from 10 um"),
        ({"length": 2e-6, "current": 1e-6, "efficiency": 45.0}, "gm/I_D = 45 /V"),
        ({"length": 2e-6, "current": 1.0, "inversion": 0.001}, "takes more than 10000 devices"),
        ({"length": 2e-6, "current": 1e-6, "transconductance": 1e-5, "inversion": 1.0}, "either current or"),
        ({"length": 2e-6, "current": -1e-6, "inversion": 1.0}, "must be a positive number"),
    ],
)
def test_what_cannot_be_sized_names_the_limit(
    installed: InstalledPdk, kept: Path, asked: dict[str, float], words: str
):
    with pytest.raises(DesignError, match=f"nmos_3p3.*{words}"):
        sized(small(installed, "nmos_3p3"), v_ds=1.0, **asked)  # type: ignore[arg-type]


@pytest.mark.ngspice
def test_voltages_outside_the_table_are_refused(installed: InstalledPdk, kept: Path):
    table = small(installed, "nmos_3p3")
    for wrong in (
        {"v_gs": 4.0, "v_ds": 1.0},
        {"v_gs": 1.0, "v_ds": 5.0},
        {"v_gs": 1.0, "v_ds": 1.0, "v_sb": 2.5},
    ):
        with pytest.raises(DesignError, match="its table holds"):
            operating_point(table, width=5e-6, length=2e-6, **wrong)


@pytest.mark.ngspice
def test_the_text_csv_and_drawing_show_the_table(installed: InstalledPdk, kept: Path):
    table = small(installed, "nmos_3p3")
    found = json.loads(json.dumps(device_tables.content(table)))
    assert [row["length_m"] for row in found["lengths"]] == [2e-6, 5e-6, 9.9e-6]
    assert "gm/I_D" in device_tables.text(found)
    row = found["lengths"][0]
    assert len(device_tables.as_csv(row).splitlines()) == 1 + len(row["inversion"])
    figure = device_tables.plot_table(found)
    assert [len(ax.lines) for ax in figure.axes] == [
        4,
        3,
        3,
        3,
        3,
        3,
    ]  # the first has the charge-based model too


def test_nodes_are_off_the_edges_and_within_the_limits():
    device = pdk("gf180mcu").device("nmos_3p3")
    grid = grid_of(device)
    for nodes, edges in ((grid.lengths, device.bins_l), (grid.widths, device.bins_w)):
        assert edges[0] == nodes[0]
        assert nodes[-1] <= edges[-1]
        assert all(abs(node / edge - 1.0) > 0.009 for node in nodes for edge in edges[1:-1])
    assert usable(device.bins_l, 3) == pytest.approx((10.1e-6, 50e-6))
    with pytest.raises(DesignError, match="mim_2p0fF is no transistor"):
        grid_of(pdk("gf180mcu").device("mim_2p0fF"))


@pytest.mark.ngspice
def test_a_length_at_an_edge_moves_to_the_nearest_that_is_not(installed: InstalledPdk, kept: Path):
    table = small(installed, "nmos_3p3")
    assert usable_length(table, 10e-6) == pytest.approx(9.9e-6)
    assert usable_length(table, 3e-6) == 3e-6


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--device", "mim_2p0fF"], "is no transistor"),
        (["--corner", "tt"], "no mos corner 'tt'"),
        (["--temperature", "hot"], "--temperature"),
        (["--device", "nmos"], "gf180mcu has no 'nmos'"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    installed: InstalledPdk, capsys: pytest.CaptureFixture[str], given: list[str], words: str
):
    assert run_command(["pdk", "tables", "gf180mcu", *given]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
