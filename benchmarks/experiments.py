"""Run experiments as they are stored, and store their results in the package.

    python -m benchmarks.experiments NAME [NAME ...] [--data DIR] [--checkpoints DIR] [--no-train]

Takes the defaults of each experiment, prints its table and writes lmu_analog/experiments/stored/NAME.json. Experiments
that take hours keep their trainings in the folder of checkpoints; with --no-train what is there is stored.
"""

import argparse
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from lmu_analog.experiments import frame  # noqa: E402
from lmu_analog.files_out import write_text  # noqa: E402
from lmu_analog.output.progress import progress  # noqa: E402
from lmu_analog.output.summary import dumps  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("names", nargs="+", choices=list(frame.EXPERIMENTS), metavar="NAME")
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--checkpoints", type=Path, metavar="DIR")
    parser.add_argument("--no-train", action="store_false", dest="train")
    given = vars(parser.parse_args())
    for name in given.pop("names"):
        content = frame.execute(name, options_of(name, given), progress)
        write_text(frame.STORED / f"{name}.json", dumps(content) + "\n")
        print(frame.text(name, content))


def options_of(name: str, given: dict[str, Any]) -> Any:
    """Give an experiment the options that it has of those that are given."""
    kind = frame.module_of(name).Options
    return kind(**{field.name: given[field.name] for field in fields(kind) if field.name in given})


if __name__ == "__main__":
    main()
