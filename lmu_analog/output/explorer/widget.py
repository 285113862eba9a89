"""The explorer in a notebook, by anywidget."""

from typing import Any

from lmu_analog.codesign.grid import Grid
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.explorer.content import as_json
from lmu_analog.output.explorer.page import style, widget_module

WANTED = "the explorer in a notebook needs anywidget; install it with pip install 'lmu-analog[widget]'"


def explorer(grid: Grid) -> Any:
    """Show all candidates of a grid in a notebook, as the page of ``lmu-analog explore`` does.

    Parameters
    ----------
    grid : Grid
        For example ``codesign.search.gathered(requirement, *structures(requirement)).grid``.

    Returns
    -------
    widget : anywidget.AnyWidget
        With ``row``, the chosen candidate's place in the grid, -1 where nothing is left, and ``design``, its design
        file as text; both follow what is chosen, and can be observed.

    Raises
    ------
    DesignError
        If anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise DesignError(WANTED) from error

    base: Any = anywidget.AnyWidget

    class Explorer(base):
        """The grid, and what was chosen of it."""

        _esm = widget_module()
        _css = style()
        content = traitlets.Unicode().tag(sync=True)
        row = traitlets.Int(-1).tag(sync=True)
        design = traitlets.Unicode().tag(sync=True)

    return Explorer(content=as_json(grid))


def chosen(grid: Grid, row: int) -> Design | None:
    """Give the design of a widget's ``row``; None where nothing is left."""
    return grid.design_of(row) if row >= 0 else None
