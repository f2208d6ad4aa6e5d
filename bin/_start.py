"""Entry point of the commands in this folder; `_start` has picked the Python that runs it."""

from _tooling.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
