"""`python -m orchestration.cli` = `vigie`."""

from orchestration.cli import main

main()
