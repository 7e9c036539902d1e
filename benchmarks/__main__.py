"""Run the benchmarks and print their tables as Markdown, ready for README."""

from __future__ import annotations

import argparse
import os
import platform

import psutil

from benchmarks import demo, load


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--companies", type=int, default=8000, help="companies of the demonstration")
    parser.add_argument("--rows", type=int, default=1_000_000, help="débit rows of the load benchmark")
    parser.add_argument("--runs", type=int, default=3, help="runs of each load, interleaved; medians are printed")
    parser.add_argument("--only", choices=["demo", "load"], help="one of the two")
    options = parser.parse_args()
    memory = psutil.virtual_memory().total / 1024**3
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f} at start\n"
    )
    if options.only != "load":
        print(demo.measure(options.companies), flush=True)
    if options.only != "demo":
        print(load.measure(options.rows, options.runs), flush=True)


if __name__ == "__main__":
    main()
