"""One line a call, without the key and without people.

Lines are DEBUG, or INFO where a call failed; whether that deserves more is the caller's to say. A
path keeps the API's own words and the internal numbers; custom ids (which may be e-mail addresses,
usercom-api.md 4) and the values of a query are left out.

urllib3 logs each request's address with its query, by itself, and at WARNING where headers are
odd. Those lines are dropped for the calls made here, and for no other user of urllib3 in the
process: the filter looks at whether the current thread is within one of our calls.
"""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

_logger = logging.getLogger(__name__)
_here = threading.local()
_HIDDEN = "…"


def redacted(url: str) -> str:
    """Give an address's path and the names in its query, fit for a log."""
    parts = urlsplit(url)
    previous, words = "", []
    for word in parts.path.split("/"):
        # What follows "users-by-id" or "attribute-type" is a name, not a word of the API.
        plain = re.fullmatch(r"[a-z_-]*|[0-9]+", word) and not previous.endswith(("-id", "-type"))
        words.append(word if plain else _HIDDEN)
        previous = word
    names = "&".join(f"{name}={_HIDDEN}" for name, _ in parse_qsl(parts.query, True))
    return "/".join(words) + (f"?{names}" if names else "")


def succeeded(method: str, url: str, status: int, seconds: float) -> None:
    """Log a call that did what it should."""
    _logger.debug("%s %s: %s in %.3f s", method, redacted(url), status, seconds)


def failed(
    method: str, url: str, kind: str, status: int | None, seconds: float, retry_after: float | None
) -> None:
    """Log a call that did not."""
    wait = "" if retry_after is None else f", retry after {retry_after:.0f} s"
    _logger.info(
        "%s %s: %s (%s) in %.3f s%s", method, redacted(url), kind, status or "-", seconds, wait
    )


@contextmanager
def quiet_urllib3() -> Iterator[None]:
    """Drop what urllib3 logs in this thread meanwhile."""
    _here.quiet = True
    try:
        yield
    finally:
        _here.quiet = False


def _not_ours(record: logging.LogRecord) -> bool:
    return not getattr(_here, "quiet", False)


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_not_ours)
