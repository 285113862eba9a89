"""Commands that choose what a circuit is made of. Heavy modules load inside the commands."""

import math
from dataclasses import dataclass
from pathlib import Path

from lmu_analog.cli.options import InputDesign, Json, load, say, show
from lmu_analog.errors import DesignError
from lmu_analog.option import option
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Allocate(InputDesign, Json):
    output: Path | None = option(None, "Design file to write, with the tolerances.", "FILE", short="-o")
    resistor: str | None = option(
        None, "Tolerances that may be bought, for example '0.1 %, 1 %'; all that are sold unless given."
    )
    capacitor: str | None = option(None, "The same of capacitors.")
    prices: Path | None = option(
        None, "Price list, rows of part,price such as 'resistor 1 %,0.01'.", "FILE.csv"
    )
    task: Path | None = option(
        None, "A network and its data, for --loss in place of [spec] nrmse (docs/networks.md).", "FILE.npz"
    )
    loss: float | None = option(None, "Limit of the network's loss, for example 0.02.")
    samples: int | None = option(
        None, "Exact circuits that decide; 5000 unless given, 500 of a network.", short="-n", least=100
    )


def allocate(options: _Allocate) -> None:
    """Choose cheap tolerances, part by part, with which circuits keep [spec] nrmse, or the loss of a network."""
    from lmu_analog.circuits.devices.prices import read_prices
    from lmu_analog.codesign import allocation
    from lmu_analog.design_keys import labelled
    from lmu_analog.files_in import real
    from lmu_analog.files_out import check_file, write_text
    from lmu_analog.output import allocation as shown
    from lmu_analog.output.design_text import commented
    from lmu_analog.units import tolerance

    output = options.output
    if output is not None:
        if output.exists():
            raise DesignError(f"{output} exists; give another name, or remove it first")
        check_file(output)
    design = load(options)
    if output is not None and design.parts is not None and real(output).parent != real(design.parts).parent:
        raise DesignError(
            f"-o {output}: {design.parts} must lie in its folder; copy it there, or write beside it"
        )
    given = {"resistor": options.resistor, "capacitor": options.capacitor}
    classes = {
        kind: [labelled(f"--{kind}", tolerance, part.strip()) for part in text.split(",")]
        for kind, text in given.items()
        if text is not None
    }
    prices = None if options.prices is None else read_prices(options.prices)
    limit = None
    if (options.task is None) != (options.loss is None):
        raise DesignError("--task and --loss go together: a network with its data, and the limit of its loss")
    if options.task is not None and options.loss is not None:
        from lmu_analog.networks.task import read_task

        if not 0.0 < options.loss < math.inf:
            raise DesignError(f"--loss {options.loss}: a positive number is wanted")
        limit = allocation.Limit("loss", options.loss, read_task(options.task))
    with progress("allocating tolerances"):
        found = allocation.allocate(
            design, limit=limit, tolerances=classes, prices=prices, samples=options.samples
        )
    if output is not None:
        write_text(output, commented(found.design))
        say(f"wrote {output}; next: lmu-analog montecarlo {output} -n 10000")
    show(options, shown.content(found), shown.text)
