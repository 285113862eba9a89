"""The command that puts designs side by side. Heavy modules load inside the command."""

from dataclasses import dataclass
from pathlib import Path

from lmu_analog.cli.options import InputDesign, Json, Seed, load, show
from lmu_analog.errors import DesignError
from lmu_analog.files_in import real
from lmu_analog.option import argument, option
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Compare(Seed, Json):
    designs: list[Path] = argument("DESIGN", "Design files (TOML), two or more; all stand beside the first.")
    samples: int = option(2000, "Circuits of every design, on common draws.", short="-n", least=1)
    nrmse: str | None = option(None, "One limit of the window error for all, in place of their own.", "TEXT")
    prices: Path | None = option(
        None, "Price list, rows of part,price; the middles of price classes unless given.", "FILE.csv"
    )


def compare(options: _Compare) -> None:
    """Put designs side by side: keys that differ, errors by cause, yield, cost, power; on common draws."""
    from lmu_analog.circuits.devices.prices import read_prices
    from lmu_analog.codesign.side_by_side import side_by_side
    from lmu_analog.design_keys import KEYS, labelled
    from lmu_analog.output import side_by_side as shown

    designs = {name: load(InputDesign(design=path)) for name, path in _named(options.designs).items()}
    limit = None if options.nrmse is None else labelled("--nrmse", KEYS["nrmse"].read, options.nrmse)
    prices = None if options.prices is None else read_prices(options.prices)
    with progress("designs side by side"):
        found = side_by_side(designs, samples=options.samples, seed=options.seed, nrmse=limit, prices=prices)
    show(options, shown.content(found), shown.text)


def _named(paths: list[Path]) -> dict[str, Path]:
    """Name files by what tells them apart: their stems, or where two are equal the paths as they were given."""
    if len(paths) < 2:
        raise DesignError(f"{paths[0]} stands beside no other design; give two or more")
    for k, path in enumerate(paths):
        if twin := next((other for other in paths[:k] if real(other) == real(path)), None):
            raise DesignError(f"{path} and {twin} are the same file; give each design once")
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else list(map(str, paths))
    return dict(zip(names, paths, strict=True))
