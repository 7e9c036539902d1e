"""Run the benchmarks and print their tables as Markdown, ready for README."""

from __future__ import annotations

import argparse
import os
import platform

import psutil

from benchmarks import demo, ingest


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--companies", type=int, default=8000, help="companies of the demonstration")
    sizes = ingest.Sizes()
    parser.add_argument("--rows", type=int, nargs="+", default=sizes.rows, help="débit rows of the loads compared")
    parser.add_argument("--runs", type=int, default=sizes.runs, help="runs of the smallest load, interleaved; medians")
    parser.add_argument(
        "--memory-rows",
        type=int,
        nargs=2,
        default=sizes.memory_rows,
        help="débit rows of the loads whose memory is compared",
    )
    parser.add_argument("--wide-lines", type=int, default=sizes.wide_lines, help="lines of the wide effectif file")
    parser.add_argument("--only", choices=["demo", "ingest"], help="one of the two")
    options = parser.parse_args()
    memory = psutil.virtual_memory().total / 1024**3
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f} at start\n"
    )
    if options.only != "ingest":
        print(demo.measure(options.companies), flush=True)
    if options.only != "demo":
        chosen = ingest.Sizes(tuple(options.rows), options.runs, tuple(options.memory_rows), options.wide_lines)
        print(ingest.measure(chosen), flush=True)


if __name__ == "__main__":
    main()
