"""How fast contacts come in, beside the fastest way Python could put the same rows into the same table.

    python bench/import_contacts.py [--rows 1000000] [--directory DIR]

The reference reads the file with csv.reader and inserts it with one executemany into a store's
contacts table, with its indexes, in one transaction: no address is checked, no type read, nobody
merged, nothing resumable; reference-json also makes the attributes' JSON. Each runs in a process of
its own. On a machine that does other things besides, the processor's time says more than the rate.
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEADER = (
    "email",
    "phone",
    "first_name",
    "last_name",
    "country",
    "city",
    "birthday",
    "orders",
    "revenue",
    "vip",
    "language",
    "timezone",
)
FIRST = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "Jana", "Kurt", "Zoë", "Łukasz", "José")
LAST = ("Smith", "Jones", "Novak", "Kowalski", "Müller", "Dubois", "Rossi", "García", "Tanaka", "Brown", "Lee")
PLACES = (
    ("Canada", "Toronto", "en", "America/Toronto", "+1416555"),
    ("Poland", "Kraków", "pl", "Europe/Warsaw", "+4860555"),
    ("Germany", "Köln", "de", "Europe/Berlin", "+4915123"),
    ("France", "Lyon", "fr", "Europe/Paris", "+3361234"),
    ("United Kingdom", "Leeds", "en", "Europe/London", "+4479112"),
    ("United States", "Boston", "en", "America/New_York", "+1617555"),
)
DIGITS = {"+1": 4, "+48": 4, "+49": 6, "+33": 4, "+44": 5}


def write_people(path: Path, rows: int) -> None:
    """Believable contacts in no order of their addresses."""
    chance = random.Random(7)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        for number in range(rows):
            country, city, language, zone, start = chance.choice(PLACES)
            size = next(size for code, size in DIGITS.items() if start.startswith(code))
            writer.writerow(
                (
                    f"{chance.randrange(10**9):09d}.{number}@mail{number % 97}.example.com",
                    f"{start}{chance.randrange(10**size):0{size}d}",
                    chance.choice(FIRST),
                    chance.choice(LAST),
                    country,
                    city,
                    f"{chance.randrange(1940, 2006)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
                    chance.randrange(60),
                    f"{chance.random() * 5000:.2f}",
                    "true" if chance.random() < 0.1 else "false",
                    language,
                    zone,
                )
            )


def run_reference(store_path: Path, file: Path, *, as_json: bool) -> None:
    from macli.store import open_store

    def rows():
        with file.open(newline="", encoding="utf-8") as handle:
            reader = csv.reader(handle)
            next(reader)
            for row in reader:
                attributes = json.dumps(dict(zip(HEADER[2:10], row[2:10], strict=True))) if as_json else "{}"
                yield row[0], row[1], row[10], row[11], attributes

    with open_store(store_path, create=True) as store, store.write():
        store.executemany(
            """
            INSERT INTO contacts (email, phone, locale, timezone, attributes, added_at, updated_at)
            VALUES (?, ?, ?, ?, ?, 1, 1)
            """,
            rows(),
        )


def run_import(store_path: Path, file: Path) -> None:
    from macli.clock import system_clock
    from macli.importer import Options, prepare, run
    from macli.importer.source import opened
    from macli.store import open_store

    with open_store(store_path, create=True) as store, opened(str(file)) as source:
        report = run(store, prepare(store, source, Options()), system_clock)
    if report.counts.refused:
        sys.exit(f"{report.counts.refused} rows were refused: {report.reasons[0].reason}")


def measured(what: str, store_path: Path, file: Path) -> tuple[float, float, float]:
    """Seconds, seconds of the processor, and peak MB of one way, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--do", what, "--store", str(store_path), "--file", str(file)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, worked, peak = done.stdout.split()
    return float(seconds), float(worked), float(peak)


def do(what: str, store_path: Path, file: Path) -> None:
    start = time.perf_counter()
    if what == "import":
        run_import(store_path, file)
    else:
        run_reference(store_path, file, as_json=what == "reference-json")
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--do", choices=("import", "reference", "reference-json"), help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.do:
        do(asked.do, asked.store, asked.file)
        return
    with tempfile.TemporaryDirectory(dir=asked.directory) as folder:
        memory = {}
        for rows in (asked.rows // 10, asked.rows):
            file = Path(folder, f"{rows}.csv")
            write_people(file, rows)
            print(f"{rows:,} contacts, {len(HEADER)} columns, {file.stat().st_size / 1e6:.0f} MB")
            rates, worked = {}, {}
            for what in ("reference", "reference-json", "import", "again"):
                store_path = Path(folder, f"{rows}-{what}.db" if what != "again" else f"{rows}-import.db")
                seconds, worked[what], peak = measured("import" if what == "again" else what, store_path, file)
                rates[what] = rows / seconds
                memory[what, rows] = peak
                told = f"{rates[what]:9,.0f} rows/s  {worked[what]:7.1f} s CPU  {peak:4.0f} MB"
                print(f"  {what:15} {seconds:7.1f} s  {told}", flush=True)
                if what.startswith("reference"):
                    store_path.unlink()
            for what in ("reference", "reference-json"):
                ratio, cpu = rates["import"] / rates[what], worked[what] / worked["import"]
                print(f"  import / {what:14} {ratio:.2f} of its rate, {cpu:.2f} by the processor's time")
        small, large = memory["import", asked.rows // 10], memory["import", asked.rows]
        print(f"peak memory, ten times the rows: {large / small:.2f} times")


if __name__ == "__main__":
    main()
