"""The explorer's page in a browser: it evaluates the law by itself, and says what Python says."""

import base64
import json
import re
import tomllib
from pathlib import Path

import browser
import numpy as np
import pytest
import scipy

from lmu_analog.cli import run_command
from lmu_analog.codesign import pearson
from lmu_analog.codesign.front import front
from lmu_analog.codesign.grid import Grid
from lmu_analog.codesign.requirement import Requirement, requirement_of
from lmu_analog.codesign.search import gathered, structures
from lmu_analog.design import Design
from lmu_analog.output.design_text import commented
from lmu_analog.output.explorer import job
from lmu_analog.output.explorer.content import as_json
from lmu_analog.output.explorer.page import page, script, widget_module

REQUIREMENT = """
[memory]
theta = "1 ms"
[signal]
bandwidth = "300 Hz"
[need]
nrmse = "6 %"
yield = "90 %"
snr = 60
[conditions]
supply = "5 V"
[allow]
families = ["active-rc"]
realizations = ["ladder"]
orders = [3, 4]
opamps = ["TL072", "LM358", "OPA2192"]
resistor = ["1 %", "0.1 %"]
capacitor = ["5 %", "1 %"]
values = ["E24"]
"""
# 32-bit traces are within 6e-8, and NRMSE is below one.
WITHIN = 1e-6
needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason=browser.MISSING)


@pytest.fixture(scope="module")
def requirement(tmp_path_factory) -> Requirement:
    return requirement_of(tomllib.loads(REQUIREMENT), tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def grid(requirement) -> Grid:
    return gathered(requirement, *structures(requirement, prune=False)).grid


@pytest.fixture(scope="module")
def opened(tmp_path_factory, grid):
    """Give a browser that shows the page."""
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(page(grid), "utf-8")
    with browser.browsing(tmp_path_factory.mktemp("profile")) as found:
        found.open(path.as_uri(), "globalThis.shownExplorer !== undefined")
        yield found


@pytest.fixture
def shown(opened):
    """Give the page as the requirement has it."""
    opened.run("document.querySelector('button.reset').click()")
    return opened


@pytest.fixture
def blank(opened):
    """Give a tab of no page, and the page again afterwards."""
    before = opened.run("location.href")
    opened.open("about:blank", "true")
    yield opened
    opened.open(before, "globalThis.shownExplorer !== undefined")


@needs_browser
def test_the_page_holds_the_rows_of_the_grid(shown, grid):
    for name in ("p95", "cost", "power", "parts"):
        got = np.array(shown.run(f"Array.from(shownExplorer.grid.{name})"), float)
        # Of candidates far beyond the limit the grid has the mean alone.
        sure = grid.p95 <= 0.06 if name == "p95" else np.ones(len(grid), bool)
        assert np.count_nonzero(sure) > 10
        np.testing.assert_allclose(got[sure], getattr(grid, name)[sure], rtol=1e-12, atol=WITHIN)
    noise = np.array(shown.run("Array.from(shownExplorer.grid.noise)"))
    known = np.isfinite(grid.snr)  # of those that keep the other limits
    np.testing.assert_allclose(-20.0 * np.log10(noise)[known], grid.snr[known], rtol=1e-9)
    assert shown.run("shownExplorer.found.front") == wanted_front(grid, grid.within_limits())
    assert not shown.complaints


def wanted_front(grid: Grid, good: np.ndarray) -> list[int]:
    rows = np.flatnonzero(good)
    columns = np.stack(list(grid.objectives().values()), axis=-1)[rows]
    members = rows[front(columns)]
    return members[np.lexsort((members, grid.p95[members]))].tolist()


@needs_browser
def test_a_slider_moves_the_answer_to_what_python_says(shown, grid):
    moved = """((name, value) => {
        const slider = document.querySelector(`input[type=range][id$="-${name}-slider"]`);
        slider.value = value;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        return Number(document.querySelector(`input[type=number][id$="-${name}"]`).value);
    })"""
    limit = shown.run(f"{moved}('nrmse', 520)") / 100.0
    good = shown.run(f"{moved}('yield', 300)") / 100.0
    shown.run("document.querySelector('input[data-axis=opamp][data-value=\"1\"]').click()")
    assert limit != 0.06
    assert good not in (0.9, 0.5)
    bank = [grid.banks[b] for b in grid.bank]
    tolerances = [grid.tolerances(k) for k in range(len(grid))]
    base = grid.requirement.base
    models = [base.replace(opamp=part).opamp_model for part in grid.requirement.allow.opamps]
    cumulants = np.stack([
        b.traces.cumulants(
            b.terms(models[grid.opamp[k]], int(grid.decade[k]))[None],
            np.array([[*tolerances[k], *b.spreads(models[grid.opamp[k]], 0.2)]]),
        )[0]
        for k, b in enumerate(bank)
    ])  # fmt: skip
    p95, kept = pearson.quantile(cumulants, 0.95), pearson.quantile(cumulants, good)
    allowed = (kept <= limit) & (grid.opamp != 1)
    rows = np.flatnonzero(allowed)
    columns = np.stack([p95, grid.cost, grid.power, grid.parts], axis=-1)
    members = set(rows[front(columns[rows])].tolist())
    assert 0 < len(members) < np.count_nonzero(allowed) < len(grid)
    assert set(shown.run("shownExplorer.found.front")) == members
    assert shown.run("shownExplorer.found.keeping") == np.count_nonzero(allowed)
    winner = min(members, key=lambda k: (grid.cost[k], p95[k], k))
    assert shown.run("shownExplorer.row") == winner
    figures = shown.run("shownExplorer.figures")
    assert figures["p95"] == pytest.approx(p95[winner], abs=WITHIN)
    assert figures["kept"] == pytest.approx(kept[winner], abs=WITHIN)
    assert figures["share"] == pytest.approx(float(pearson.within(cumulants[winner], limit)), abs=1e-5)
    order, rounding, of_opamps, *classes = grid.causes(winner).values()
    wanted = [order + rounding + of_opamps, *classes]
    assert np.sqrt(list(figures["causes"].values())) == pytest.approx(np.sqrt(wanted), abs=WITHIN)
    # And the words of the page are these numbers.
    tiles = shown.run("Array.from(document.querySelectorAll('.tiles .value'), (x) => x.textContent)")
    assert float(tiles[0].removesuffix("\N{NO-BREAK SPACE}%")) == pytest.approx(
        100.0 * kept[winner], rel=5e-3
    )
    assert tiles[2] == f"{grid.cost[winner]:.2f}\N{NO-BREAK SPACE}USD"


@needs_browser
def test_what_is_copied_is_the_whole_design(shown, grid, tmp_path):
    for row in np.linspace(0, len(grid) - 1, 7).astype(int).tolist():
        shown.run(f"shownExplorer.pick({row})")
        text = shown.run("shownExplorer.text")
        design = grid.design_of(row)
        assert text == commented(design)
        (tmp_path / "design.toml").write_text(text)
        assert Design.load(tmp_path / "design.toml").digest == design.digest
        assert shown.run("document.querySelector('.candidate pre').textContent") == text


@needs_browser
def test_limits_that_nothing_keeps_say_what_it_would_take(shown, grid):
    number = """((name, value) => {
        const box = document.querySelector(`input[type=number][id$="-${name}"]`);
        box.value = value;
        box.dispatchEvent(new Event("input", { bubbles: true }));
    })"""
    shown.run(f"{number}('cost', 0.4)")
    assert shown.run("shownExplorer.found.front") == []
    said = shown.run("document.querySelector('[aria-live]').textContent")
    cheapest = grid.cost[grid.within_limits()].min()
    assert "No candidate keeps all limits" in said
    assert f"cost up to {cheapest:.2f}\N{NO-BREAK SPACE}USD" in said


@needs_browser
def test_keys_and_screen_readers_reach_everything(shown):
    roles = {"checkbox": 8, "slider": 5, "spinbutton": 5, "combobox": 1, "button": 4, "radio": 2}
    for role, least in roles.items():
        names = shown.names(role)
        assert len(names) >= least, role
        assert all(names), role
    front = shown.run("shownExplorer.found.front")
    before = shown.run("shownExplorer.row")
    shown.run("document.querySelector('circle[aria-checked=true]').focus()")
    shown.press("ArrowRight")
    after = shown.run("shownExplorer.row")
    assert after != before
    assert after in front
    assert shown.run("document.activeElement.getAttribute('aria-checked')") == "true"
    # The table has what the chart has.
    shown.run("document.querySelector('section:first-child details').open = true")
    shown.run("new Promise((done) => setTimeout(done, 50))")
    assert shown.run("document.querySelectorAll('section:first-child details tbody tr').length") == len(front)


def test_the_page_is_one_file_that_asks_for_nothing(grid):
    text = page(grid)
    assert len(text.encode()) < 2_000_000
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", text)
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\s\"'`]+", text)) == {"http://www.w3.org/2000/svg"}


@needs_browser
def test_the_same_module_serves_a_notebook(blank, grid):
    module = base64.b64encode(widget_module().encode()).decode()
    row, text = blank.run(
        f"""(async () => {{
            const module = await import("data:text/javascript;base64,{module}");
            const kept = {{ content: {json.dumps(as_json(grid))} }};
            const model = {{ get: (k) => kept[k], set: (k, v) => {{ kept[k] = v; }}, save_changes: () => {{}} }};
            const el = document.createElement("div");
            document.body.append(el);
            const end = module.default.render({{ model, el }});
            end();
            return [kept.row, kept.design];
        }})()"""
    )
    good = wanted_front(grid, grid.within_limits())
    assert row == min(good, key=lambda k: (grid.cost[k], grid.p95[k], k))
    assert text == commented(grid.design_of(row))


@needs_browser
def test_quantiles_of_the_gamma_law_are_those_of_scipy(blank):
    shapes = np.geomspace(0.5, 1e8, 25)
    shares = np.array([0.5, 0.6, 0.9, 0.95, 0.99, 0.999, 0.9999])
    blank.run(f"{script()}\nglobalThis.law = {{ gamma, gammaQuantile, deviations, deviationsOf }};")
    wanted = scipy.special.gammaincinv(shapes[:, None], shares)
    asked = f"{json.dumps(shapes.tolist())}.map((a) => {json.dumps(shares.tolist())}.map((p) => "
    got = np.array(blank.run(f"{asked}law.gammaQuantile(a, p)))")) + shapes[:, None]
    np.testing.assert_allclose(got, wanted, rtol=1e-11)
    # In standard deviations, of which a shape of 1e8 has ten thousand: the difference from the shape keeps nine digits.
    root = np.sqrt(shapes)[:, None]
    np.testing.assert_allclose((got - shapes[:, None]) / root, (wanted - shapes[:, None]) / root, atol=2e-10)
    at = (wanted - shapes[:, None]).tolist()
    asked = f"{json.dumps(at)}.map((row, k) => row.map((d) => law.gamma({json.dumps(shapes.tolist())}[k], d).above))"
    np.testing.assert_allclose(blank.run(asked), np.broadcast_to(1.0 - shares, wanted.shape), atol=1e-11)
    # Between the nodes of the table that all candidates are read from.
    skewness = np.linspace(0.0, np.sqrt(8.0), 40)
    shape = 4.0 / np.maximum(skewness, 1e-4) ** 2
    exact = (scipy.special.gammaincinv(shape, 0.99) - shape) / np.sqrt(shape)
    table = blank.run(f"{json.dumps(skewness.tolist())}.map(law.deviationsOf(0.99))")
    np.testing.assert_allclose(table, exact, atol=1e-9)


def test_a_widget_has_the_grid_and_what_was_chosen(grid):
    pytest.importorskip("anywidget", reason="the extra widget is not installed")
    from lmu_analog.output.explorer.widget import chosen, explorer

    widget = explorer(grid)
    assert json.loads(widget.content)["good"] == 0.9
    assert widget.row == -1
    assert chosen(grid, widget.row) is None
    widget.row = 3
    assert chosen(grid, widget.row).digest == grid.design_of(3).digest


def test_the_command_writes_the_page_and_counts_its_candidates(requirement, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("few.toml").write_text(REQUIREMENT.replace("orders = [3, 4]", "orders = [3]"))
    assert run_command(["explore", "few.toml", "-o", "page.html", "--workers", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bytes"] == Path("page.html").stat().st_size < job.LARGE
    counts = said["counts"]
    assert counts["grid"] == sum(counts[k] for k in ("failed", "unfit", "same", "pruned", "evaluated"))
    assert counts["evaluated"] == said["candidates"]


def test_circuits_on_a_chip_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    on_chip = 'families = ["gm-c"]\ntechnology = "cmos-180"\norders = [3]\n'
    Path("chip.toml").write_text(REQUIREMENT.partition("families")[0] + on_chip)
    assert run_command(["explore", "chip.toml", "-o", "page.html"]) == 2
    assert "the explorer shows circuits on a board" in capsys.readouterr().err
    assert not Path("page.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "few.toml"], "-o few.toml is the requirement itself"),
        (["-o", "none/page.html"], "-o none/page.html: a file in an existing folder is wanted"),
        (["-o", "page.html", "--workers", "0"], "0 workers; a whole number"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("few.toml").write_text(REQUIREMENT)
    assert run_command(["explore", "few.toml", *options]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    assert Path("few.toml").read_text() == REQUIREMENT
