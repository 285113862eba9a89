"""The notebooks run, every cell, in a kernel of their own; ngspice cells where it is installed."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
TIMEOUT = 300  # s for a cell: a hung kernel, not a slow machine


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run all cells; the kernel inherits this process' environment, one BLAS thread included."""
    where = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", resources=where).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path):
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    # A warning is shown on stderr; a reader should meet none.
    assert "".join(output.text for output in outputs if output.get("name") == "stderr") == ""
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_fails_is_an_error(tmp_path: Path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(
        nbclient.exceptions.CellExecutionError, match=r"ZeroDivisionError.*: division by zero"
    ):
        execute(notebook, tmp_path)
