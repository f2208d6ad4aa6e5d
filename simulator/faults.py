"""The faults of contract 7.7: what they are, when they strike, and what they answer."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, fields
from typing import Any

from .calls import Answer, Call
from .switches import Switches

#: A status from 400 is a fault of its own; these are the others.
KINDS = (
    "timeout",  # the request is held without an answer
    "drop",  # the connection is cut
    "hold",  # the request waits until it is released through the control interface
    "half",  # Content-Length promises more than is sent
    "not_json",  # 200 with an HTML page
    "empty",  # 200 with nothing
    "redirect",  # 302 to elsewhere
    "slow",  # the right answer, late
    "null_lists",  # the switch of that name, for one call
    "array_values",  # the switch of that name, for one call
    "next_404",  # the switch last_next_404, for one call
)
SWITCHED = {"null_lists": "null_lists", "array_values": "array_values", "next_404": "last_next_404"}

#: These take effect in the state unless ``commit`` says otherwise.
COMMITTING = ("half", "empty", "slow", *SWITCHED)

DETAILS = {
    401: "Invalid token.",
    403: "You do not have permission to perform this action.",
    404: "Not found.",
}


@dataclass
class Fault:
    """A fault and the calls it strikes."""

    kind: str
    #: How many calls it strikes; null for every one.
    times: int | None = 1
    #: How many matching calls pass before.
    after: int = 0
    method: str | None = None
    #: A path template, such as ``/users/:id/``.
    path: str | None = None
    #: Searched in the real path with its query, such as ``/users/12/``.
    path_regex: str | None = None
    #: Whether the call takes effect although its answer is lost; null for what is usual.
    commit: bool | None = None
    #: The Retry-After header of a 429 or 503, in seconds or as a date.
    retry_after: int | str | None = None
    #: Seconds to wait before anything else.
    delay: float = 0.0
    #: How long a *timeout* holds a request.
    seconds: float = 600.0
    #: Where a *redirect* leads.
    location: str = "https://elsewhere.example/"
    number: int = 0
    struck: int = 0

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        known = {field.name for field in fields(cls)} - {"number", "struck"}
        unknown = sorted(set(data) - known)
        if unknown or "kind" not in data:
            raise ValueError(f"A fault takes {', '.join(sorted(known))}; not {unknown}.")
        fault = cls(**data)
        fault.kind = str(fault.kind)
        if fault.kind not in KINDS and not re.fullmatch(r"[45]\d\d", fault.kind):
            raise ValueError(f"There is no fault {fault.kind!r}; there are {', '.join(KINDS)}.")
        if fault.path_regex is not None:
            try:
                re.compile(fault.path_regex)
            except re.error as error:
                raise ValueError(f"path_regex is no regular expression: {error}.") from None
        return fault

    @property
    def commits(self) -> bool:
        return self.kind in COMMITTING if self.commit is None else self.commit

    def matches(self, call: Call, template: str) -> bool:
        if self.method is not None and self.method.upper() != call.method:
            return False
        if self.path is not None and self.path != template:
            return False
        whole = f"{call.raw_path}?{call.query_string}"
        return self.path_regex is None or re.search(self.path_regex, whole) is not None

    def answer(self, real: Answer | None) -> Answer:
        """What is sent instead of the real answer; the real one where only its way differs."""
        if self.kind == "not_json":
            return Answer(200, html="<html><body><p>One moment, please.</p></body></html>")
        if self.kind == "empty":
            return Answer(200, empty=True)
        if self.kind == "redirect":
            return Answer(302, empty=True, headers={"Location": self.location})
        if self.kind.isdigit():
            return self._status(int(self.kind))
        return real or Answer(200, empty=True)

    def _status(self, status: int) -> Answer:
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if status == 429:
            return throttled(self.retry_after, headers)
        if status == 401:
            headers["WWW-Authenticate"] = "Token"
        if status < 500:
            return Answer(status, {"detail": DETAILS.get(status, "Error.")}, headers=headers)
        title = {500: "Server Error", 502: "Bad gateway", 504: "Gateway time-out"}.get(status, "")
        page = f"<html><head><title>{status} {title}</title></head><body>{status}</body></html>"
        return Answer(status, html=page, headers=headers)


def throttled(wait: int | str | None, headers: dict[str, str]) -> Answer:
    """A 429 (section 1.9)."""
    detail = "Request was throttled."
    if isinstance(wait, int):
        detail += f" Expected available in {wait} seconds."
    return Answer(429, {"detail": detail}, headers=headers)


class Faults:
    """The faults that wait for a call. The first that matches strikes."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self._number = 0

    def add(self, fault: Fault) -> Fault:
        self._number += 1
        fault.number = self._number
        self.waiting.append(fault)
        return fault

    def remove(self, number: int | None = None) -> None:
        self.waiting = [item for item in self.waiting if number not in (None, item.number)]

    def take(self, call: Call, template: str) -> Fault | None:
        for fault in self.waiting:
            if not fault.matches(call, template):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.struck += 1
            if fault.times is not None and fault.struck >= fault.times:
                self.waiting.remove(fault)
            return fault
        return None


class Bucket:
    """A token bucket over all calls, as the switches set it (section 1.9)."""

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.refill()

    def refill(self) -> None:
        self._tokens = float(self.switches.rate_burst)
        self._at = time.monotonic()

    def take(self) -> Answer | None:
        """Nothing when the call may pass, else the 429."""
        rate = self.switches.rate_limit
        if rate <= 0:
            return None
        now = time.monotonic()
        filled = self._tokens + (now - self._at) * rate
        self._tokens, self._at = min(float(self.switches.rate_burst), filled), now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        wait = max(1, math.ceil((1 - self._tokens) / rate))
        headers = {"Retry-After": str(wait)} if self.switches.rate_retry_after else {}
        return throttled(wait, headers)
