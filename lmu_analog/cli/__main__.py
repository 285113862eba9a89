"""``python -m lmu_analog.cli``."""

from lmu_analog.cli.app import main

if __name__ == "__main__":
    main()
