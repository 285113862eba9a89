"""Run experiments as they are stored, and store their results in the package.

    python -m benchmarks.experiments NAME [NAME ...]

Takes the defaults of each experiment, prints its table and writes lmu_analog/experiments/stored/NAME.json.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from lmu_analog.experiments import frame  # noqa: E402
from lmu_analog.files_out import write_text  # noqa: E402
from lmu_analog.output.progress import progress  # noqa: E402
from lmu_analog.output.summary import dumps  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="+", choices=list(frame.EXPERIMENTS), metavar="NAME")
    for name in parser.parse_args().names:
        content = frame.execute(name, progress=progress)
        write_text(frame.STORED / f"{name}.json", dumps(content) + "\n")
        print(frame.text(name, content))


if __name__ == "__main__":
    main()
