"""What a call of the API is made of, and the log of the calls (contract 7.1)."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import unquote

from .switches import Switches

MISSING_PAGE = "<!doctype html><html><head><title>Not Found</title></head><body><h1>Not Found</h1>\
<p>The requested resource was not found on this server.</p></body></html>"

KEPT_CALLS = 20_000


@dataclass
class Answer:
    """A status with a JSON body, an HTML page or nothing."""

    status: int = 200
    body: Any = None
    html: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Send nothing at all, as a 204 or an empty 200.
    empty: bool = False

    def payload(self) -> bytes:
        if self.empty:
            return b""
        if self.html is not None:
            return self.html.encode()
        return json.dumps(self.body, ensure_ascii=False).encode()

    def content_type(self) -> str:
        return "text/html" if self.html is not None else "application/json"


class CallError(Exception):
    """Ends a call with an answer that is no success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def not_found(detail: str = "Not found.") -> CallError:
    return CallError(Answer(404, {"detail": detail}))


def bad_request(errors: dict[str, list[str]]) -> CallError:
    """Contract 7.4: ``{"errors": {"<field>": ["…"]}}``."""
    return CallError(Answer(400, {"errors": errors}))


@dataclass
class Call:
    """One request as it arrived: everything a handler may look at."""

    method: str
    #: The path behind ``/api/public``, still encoded.
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes
    #: Scheme and host, for absolute addresses.
    origin: str
    query_string: str = ""
    params: dict[str, str] = field(default_factory=dict)
    #: What the path means, once it has been looked up.
    route: Route | None = None

    @property
    def version(self) -> int:
        """``version=2`` in Accept selects version 2, everything else version 1."""
        return 2 if "version=2" in self.headers.get("accept", "").replace(" ", "") else 1

    def json(self) -> dict[str, Any]:
        """The JSON object of the body; nothing at all counts as an empty one."""
        if not self.content.strip():
            return {}
        kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise CallError(Answer(415, {"detail": f'Unsupported media type "{kind}" in request.'}))
        try:
            data = json.loads(self.content)
        except ValueError as error:
            raise CallError(Answer(400, {"detail": f"JSON parse error - {error}"})) from None
        if not isinstance(data, dict):
            name = type(data).__name__
            message = f"Invalid data. Expected a dictionary, but got {name}."
            raise bad_request({"non_field_errors": [message]})
        return data


Handler = Callable[[Call], Answer]
#: A template, its parameters and its handlers.
Route = tuple[str, dict[str, str], dict[str, Handler]]


class Routes:
    """Path templates such as ``/users/:id/`` with a handler for each method."""

    def __init__(self) -> None:
        #: By the number of words.
        self._table: dict[int, list[tuple[str, list[str], dict[str, Handler]]]] = {}

    def add(self, template: str, **handlers: Handler) -> None:
        words = template.strip("/").split("/")
        self._table.setdefault(len(words), []).append((template, words, handlers))

    def find(self, raw_path: str) -> Route | None:
        """The template, its parameters and its handlers; none without the final slash."""
        if not raw_path.endswith("/"):
            return None
        parts = [unquote(part) for part in raw_path.strip("/").split("/")]
        for template, wanted, handlers in self._table.get(len(parts), ()):
            params = self._match(wanted, parts)
            if params is not None:
                return template, params, handlers
        return None

    @staticmethod
    def _match(wanted: list[str], parts: list[str]) -> dict[str, str] | None:
        params: dict[str, str] = {}
        for want, part in zip(wanted, parts, strict=True):
            if want.startswith(":"):
                if not part or (want == ":id" and not (part.isascii() and part.isdigit())):
                    return None
                params[want[1:]] = part
            elif want != part:
                return None
        return params


@dataclass
class Entry:
    """One line of the log. The status is null while, or if, no answer was sent."""

    number: int
    time: float
    method: str
    path: str
    raw_path: str
    query: str
    version: int
    body: Any
    status: int | None = None
    fault: str | None = None


class Log:
    """The calls of the API: each of the latest, and how many there were of each kind."""

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.entries: deque[Entry] = deque(maxlen=KEPT_CALLS)
        self.total = 0
        self.clear()

    def add(self, call: Call, template: str) -> Entry:
        """Note a call; with the switch *log_calls* off it is only counted."""
        self.total += 1
        kept = self.switches.log_calls
        entry = Entry(
            number=self.total,
            time=time.time(),
            method=call.method,
            path=template,
            raw_path=call.raw_path,
            query=call.query_string,
            version=call.version,
            body=self._body(call) if kept else None,
        )
        self._counted[call.method, template] += 1
        if kept:
            self.entries.append(entry)
        return entry

    @staticmethod
    def _body(call: Call) -> Any:
        try:
            return json.loads(call.content) if call.content else None
        except ValueError:
            return call.content.decode(errors="replace")

    def answered(self, entry: Entry, status: int) -> None:
        entry.status = status
        self._statuses[entry.method, entry.path, status] += 1

    def clear(self) -> None:
        self.entries.clear()
        self._counted: Counter[tuple[str, str]] = Counter()
        self._statuses: Counter[tuple[str, str, int]] = Counter()

    def counts(self) -> list[dict[str, Any]]:
        """How many calls there were of each method and path template, and with which answers."""
        statuses: dict[tuple[str, str], dict[int, int]] = {}
        for (method, path, status), count in sorted(self._statuses.items()):
            statuses.setdefault((method, path), {})[status] = count
        return [
            {
                "method": method,
                "path": path,
                "count": count,
                "statuses": statuses.get((method, path), {}),
            }
            for (method, path), count in sorted(self._counted.items())
        ]

    def as_list(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]
