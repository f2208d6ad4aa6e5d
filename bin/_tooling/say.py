"""Progress lines."""

from __future__ import annotations

import os
import sys
import time

# Handed on by a command that goes on as another one.
BEGAN = "USERCOM_BEGAN"
_began = float(os.environ.pop(BEGAN, time.monotonic()))


def began() -> dict[str, str]:
    """Return the variable by which the next command counts on."""
    return {BEGAN: str(_began)}


def say(text: str) -> None:
    """Tell on stderr what is being done, with the seconds since the command began."""
    print(f"[{time.monotonic() - _began:5.1f} s] {text}", file=sys.stderr, flush=True)
