"""Progress lines."""

from __future__ import annotations

import sys
import time

_began = time.monotonic()


def say(text: str) -> None:
    """Tell on stderr what is being done, with the seconds since the command began."""
    print(f"[{time.monotonic() - _began:5.1f} s] {text}", file=sys.stderr, flush=True)
