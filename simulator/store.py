"""The state file: JSON, written some moments after a change, never half."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEBOUNCE = 0.2


class StateFileError(Exception):
    """The file cannot be used; the message says so in one sentence."""


class Store:
    """Keeps what ``dump`` gives in a file."""

    def __init__(self, path: Path, dump: Callable[[], dict[str, Any]]) -> None:
        self.path = path
        self._dump = dump
        self._timer: asyncio.TimerHandle | None = None

    def read(self) -> dict[str, Any] | None:
        """What the file holds; nothing when there is none yet."""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateFileError(f"Cannot read the state file {self.path}: {error}.") from None
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise self.corrupt()
        return data

    def corrupt(self) -> StateFileError:
        return StateFileError(
            f"The state file {self.path} holds no state of this simulator; "
            "move it away or name another with --state."
        )

    def schedule(self) -> None:
        """Write soon; many changes in a row are written once."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DEBOUNCE, self.write)

    def write(self) -> None:
        """Write to a file beside it, then put that in its place."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(self._dump(), file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    def check(self) -> None:
        """Whether the file can be written, before anything depends on it."""
        try:
            self.write()
        except OSError as error:
            raise StateFileError(f"Cannot write the state file {self.path}: {error}.") from None
