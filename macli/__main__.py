"""The entry of the program: ``macli`` and ``python -m macli``."""

import sys


def main() -> None:
    from macli.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
