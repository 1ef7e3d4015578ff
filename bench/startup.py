"""What a start costs: macli on its installed wheel against `sqlite-utils --help`, taken in turns.

    python bench/startup.py [--rounds 30]

An editable checkout may be compiled at every start, so the wheel is built and installed first, in an
environment of its own. The ratio of the medians is what counts; the times are this machine's.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
REFERENCE = "sqlite-utils --help"
GOALS = {"macli --help": 0.7, "macli tick (idle)": 1.0}
LIMITS = {"macli --help": 1.0, "macli tick (idle)": 1.5}


def installed(scratch: Path) -> Path:
    """The bin directory of a fresh environment with the wheel of this checkout."""
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", scratch / "dist", ROOT], **quiet)
    subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], **quiet)
    (wheel,) = (scratch / "dist").glob("*.whl")
    pip = [scratch / "venv" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, wheel], **quiet)
    return scratch / "venv" / "bin"


def once(words: list[str], folder: Path) -> tuple[float, float]:
    """Seconds on the wall, and of processor, of one run."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = scratch / "shop"
        place = installed(scratch)
        once([str(place / "macli"), "init", str(folder)], scratch)
        commands = {
            REFERENCE: [str(place / "sqlite-utils"), "--help"],
            "macli --help": [str(place / "macli"), "--help"],
            "macli tick (idle)": [str(place / "macli"), "tick"],
            "macli settings get timezone": [str(place / "macli"), "settings", "get", "timezone"],
        }
        times: dict[str, list[tuple[float, float]]] = {label: [] for label in commands}
        for turn in range(rounds + 2):
            for label, words in commands.items():
                taken = once(words, folder)
                if turn >= 2:  # the first write bytecode and fill the caches
                    times[label].append(taken)
    wall = {label: statistics.median(one for one, _ in taken) for label, taken in times.items()}
    processor = {label: statistics.median(one for _, one in taken) for label, taken in times.items()}
    missed = False
    for label in commands:
        ratio = wall[label] / wall[REFERENCE]
        line = f"{label:30}{wall[label] * 1000:7.0f} ms{processor[label] * 1000:7.0f} ms cpu{ratio:7.2f}×"
        if label in GOALS:
            line += f"   goal {GOALS[label]}×, limit {LIMITS[label]}×"
            missed |= ratio > LIMITS[label]
        print(line)
    sys.exit(missed)


if __name__ == "__main__":
    main()
