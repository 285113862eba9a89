"""The documentation is true: links resolve, examples run, and nothing that users can write is left out."""

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
import test_house
from kits import MISSING

from lmu_analog.circuits.devices.tolerance import CLASSES, DISTRIBUTIONS
from lmu_analog.cli import app
from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def blocks(text: str, language: str) -> list[tuple[int, str]]:
    """Give line and source of every block whose first line is the language alone, without ``fragment``."""
    return [
        (text.count("\n", 0, found.start(2)) + 1, found[2])
        for found in BLOCK.finditer(text)
        if found[1] == language
    ]


def prose(text: str) -> str:
    return BLOCK.sub("", text)


def anchors(text: str) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings."""
    heads = re.findall(r"^#+ +(.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path, text: str) -> list[str]:
    """Name the relative links of a page that lead nowhere, inside the page or outside."""
    broken = []
    for link in re.findall(r"\]\(([^()\s]+)\)", prose(text)) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        missing_anchor = anchor and target.suffix == ".md" and target.exists()
        if not target.exists() or (missing_anchor and anchor not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    return broken


def table(page: Path, header: str) -> dict[str, str]:
    """Give first and last cell of every row of the table whose first cell is called ``header``."""
    _, _, after = page.read_text("utf-8").partition(f"\n| {header} |")
    rows = after.split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: row[-1] for row in cells}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_resolves(page: Path):
    assert broken_links(page, page.read_text("utf-8")) == []


def test_a_broken_link_is_found(tmp_path: Path):
    (tmp_path / "b.md").write_text("# One & two\n")
    text = '[a](b.md) [b](b.md#one--two) [c](b.md#three) [d](c.md) [e](https://x.org) <img src="e.png">'
    assert broken_links(tmp_path / "a.md", text) == ["b.md#three", "c.md", "e.png"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if MISSING and "find_pdk(" in page.read_text("utf-8"):
        pytest.skip(f"needs the models of GF180MCU: {MISSING}")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    for line, source in blocks(page.read_text("utf-8"), "python"):
        code = compile("\n" * (line - 1) + source, str(page), "exec")  # an error names the page's own line
        exec(code, names)


def test_fragments_are_left_out_and_blocks_keep_their_lines():
    text = "a\n\n```python\nx = 1\ny = 2\n```\n\n```python fragment\nz\n```\n\n```toml\n```\n"
    assert blocks(text, "python") == [(4, "x = 1\ny = 2\n")]


def test_the_floors_are_those_that_the_house_enforces():
    shown = {}
    for line in (ROOT / "docs/architecture.md").read_text("utf-8").splitlines():
        if row := re.match(r"\| (\d+) \| `(\w+)(?:\.py|/)` \|", line):
            shown[row[2]] = int(row[1])
    built = {path.stem for path in test_house.PACKAGE.iterdir() if path.stem in test_house.FLOORS}
    assert shown == {room: floor for room, floor in test_house.FLOORS.items() if room in built}
    assert list(shown.values()) == sorted(shown.values(), reverse=True)


def test_every_key_of_the_design_file_is_documented():
    keys = table(ROOT / "docs/design-file.md", "key")
    assert set(keys) == {f"`[{k.table}]`" if k.name == k.table else f"`{k.label}`" for k in KEYS.values()}


def test_every_mismatch_class_and_distribution_is_documented():
    page = ROOT / "docs/design-file.md"
    assert {name.split("`")[1] for name in table(page, "class")} == set(CLASSES)
    assert {name.split("`")[1] for name in table(page, "distribution")} == set(DISTRIBUTIONS)


def test_the_glossary_has_the_special_terms_and_every_page_for_users_links_to_it():
    text = (ROOT / "docs/glossary.md").read_text("utf-8")
    terms = " ".join(row.split("|")[1] for row in text.splitlines() if row.startswith("| "))
    special = ("window", "theta", "delay r", "order", "realization", "truncation error", "window NRMSE")
    for term in (*special, "added error", "yield", "lot", "sigma"):
        assert term in terms, term
    for page in ("README", "docs/README", "docs/theory", "docs/design-file", "docs/networks", "docs/spiking"):
        assert "glossary.md" in (ROOT / f"{page}.md").read_text("utf-8"), page


def test_every_command_is_documented():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    assert {row.strip("`").split()[0] for row in table(ROOT / "docs/design-file.md", "command")} == commands


def test_the_design_file_shown_is_a_design(tmp_path: Path):
    text = (ROOT / "docs/design-file.md").read_text("utf-8")
    (_, shown), (_, opamp) = blocks(text, "toml")
    path = tmp_path / "design.toml"
    path.write_text(shown.replace('opamp = "OPA2192"\n', opamp), "utf-8")
    assert Design.load(path).opamp_model.name == "mine"
    path.write_text(shown, "utf-8")
    assert Design.load(path).order == 6


def percent_cells(text: str) -> list[str]:
    """Give the code cells of a percent script; markdown cells and the header are left out."""
    marks = [m.start() for m in re.finditer(r"^# %%", text, re.MULTILINE)] + [len(text)]
    cells = (text[start:stop].partition("\n") for start, stop in pairwise(marks))
    return [body.strip() for mark, _, body in cells if "[markdown]" not in mark]


def code_cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"]


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_and_its_script_agree(notebook: Path):
    assert percent_cells(notebook.with_suffix(".py").read_text("utf-8")) == code_cells(notebook)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asks_a_question_and_defines_no_function(notebook: Path):
    content = json.loads(notebook.read_text("utf-8"))
    assert re.match(r"# .*\?$", "".join(content["cells"][0]["source"]).splitlines()[0])
    tree = ast.parse("\n".join(code_cells(notebook)))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
    assert [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, kinds)] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_output_that_names_no_machine(notebook: Path):
    text = notebook.read_text("utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert any(cell["outputs"] for cell in cells)
    assert all(cell["execution_count"] for cell in cells)
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert re.findall(r"(?<![\w.])/(?:home|root|tmp|Users|usr|work)/[\w.-]+", json.dumps(outputs)) == []
    assert len(text) < 500_000  # bytes: small enough to read over a slow line
