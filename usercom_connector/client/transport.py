"""One HTTP exchange: bounded in time and size, to one host, with one key.

What `requests` does not do by itself is done here: a limit on the whole exchange rather than on
each read, a limit on the answer's size, and errors that carry no address and no header.
"""

import http.client
import io
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar

from . import log
from .errors import AccountRefused, AgainLater, Kind, UserComError

LARGEST_ANSWER = 10 * 1024 * 1024
"""Bytes of an answer that are read, unpacked; a page of 100 contacts has a few hundred thousand."""

_HEADERS = {
    "Accept": "*/*; version=2",  # usercom-api.md 1.1
    "Accept-Encoding": "gzip",  # nothing that packs tighter: an answer is unpacked piece by piece
    "Content-Type": "application/json",
    "User-Agent": "usercom_connector (Odoo)",
}
_PIECE = 16 * 1024
_clock = threading.local()


class Answer(NamedTuple):
    """An answer that arrived whole."""

    status: int
    retry_after: str | None
    body: bytes


class Transport:
    """A pool of connections that carry one account's key; usable from several threads."""

    def __init__(self, key: str, timeout: tuple[float, float], pool_size: int) -> None:
        self._connect, self._total = timeout
        self._session = _Session()
        self._session.auth = _TokenAuth(key)
        # Checked here because http.client would quote an impossible key in its complaint.
        self._has_key = re.fullmatch(r"[!-~]+", key or "") is not None
        adapter = _Adapter(pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def send(self, method: str, url: str, body: bytes | None) -> Answer:
        """Send one request and read the whole answer, whatever its status.

        Raises AgainLater or AccountRefused where there is no such answer. The error is raised
        outside the handler, so that it does not drag along the exception of `requests`, which
        holds the address with its query.
        """
        if not self._has_key:
            raise AccountRefused(
                Kind.UNAUTHORISED, sentence="The REST key of the account is missing or mistyped."
            )
        outer = sys.exc_info()[1]
        with log.quiet_urllib3():
            try:
                return self._send(method, url, body)
            except _FAILURES as exc:
                error = _error_of(exc, outer)
        raise error

    def _send(self, method: str, url: str, body: bytes | None) -> Answer:
        _clock.deadline = time.monotonic() + self._total
        # A proxy for the server's outgoing calls cannot reach what runs on the server itself.
        host = urllib3.util.parse_url(url).host or ""
        local = host in ("localhost", "[::1]") or host.startswith("127.")
        response = self._session.request(
            method,
            url,
            data=body,
            headers=_HEADERS,
            timeout=(self._connect, self._total),
            proxies={"no_proxy": host} if local else None,
            allow_redirects=False,
            stream=True,
        )
        with response:
            content = b"".join(_limited(response))
            # Older urllib3 takes a cut answer for a whole one.
            if getattr(response.raw, "length_remaining", None):
                raise AgainLater(Kind.CONNECTION)
            return Answer(response.status_code, response.headers.get("Retry-After"), content)


def _limited(response: requests.Response) -> Iterator[bytes]:
    """Give the body piece by piece, unpacked, up to the limit."""
    size = 0
    for piece in response.iter_content(_PIECE):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise AgainLater(Kind.TOO_LARGE, response.status_code)
        yield piece


class _TokenAuth(AuthBase):
    """The key of an account. As an auth object it cannot be replaced by a line in a .netrc."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Token {self._key}"  # usercom-api.md 1.1
        return request


class _NoCookies(RequestsCookieJar):
    """Keeps nothing: a cookie of one answer has no business in another thread's request."""

    def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> None:
        pass


class _Session(requests.Session):
    """Follows nothing and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies = _NoCookies()

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Say that there is none: else the body is read, without limit, to prepare for one."""
        return None


class _UntilDeadline(io.RawIOBase):
    """A socket's bytes, until the deadline that the exchange began with.

    A timeout of a socket is one for each read, so a server that sends a byte now and then could
    hold a thread for as long as it likes.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline: float = _clock.deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        return super().close()


class _Response(http.client.HTTPResponse):
    """Reads status, headers and body against the deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_UntilDeadline(self.fp.detach(), sock))


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _Response
    debuglevel = 0  # at 1 http.client prints the headers, and so the key


class _SecureConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response
    debuglevel = 0


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    """Makes the connections above, also through a proxy of the server's environment."""

    def __init__(self, pool_size: int) -> None:
        super().__init__(pool_maxsize=pool_size, max_retries=0)
        _use_own_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        _use_own_pools(manager)
        return manager


def _use_own_pools(manager: Any) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def _error_of(exc: BaseException, outer: BaseException | None) -> UserComError:
    """Sort an exception of `requests`, urllib3 or the socket by its causes.

    urllib3 wraps them, and differently from version to version, so the whole chain is looked at,
    but for `outer`, what the caller was handling already.
    """
    causes = list(_causes(exc, outer))
    if any(isinstance(cause, _TIMEOUTS) and not isinstance(cause, _REFUSED) for cause in causes):
        return AgainLater(Kind.TIMEOUT)
    # With a proxy in between, it is the proxy's name or certificate that failed.
    if not any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
        if any(isinstance(cause, _TLS_ERRORS) for cause in causes):
            return AgainLater(Kind.TLS)
        for cause in causes:
            if isinstance(cause, socket.gaierror):
                definite = cause.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
                return (AccountRefused if definite else AgainLater)(Kind.UNKNOWN_HOST)
    if any(isinstance(cause, requests.exceptions.ContentDecodingError) for cause in causes):
        return AgainLater(Kind.NOT_JSON)
    return AgainLater(Kind.CONNECTION)


_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,
)
_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError, socket.timeout)
_REFUSED = urllib3.exceptions.NewConnectionError  # to urllib3 a kind of timeout
_TLS_ERRORS = (requests.exceptions.SSLError, urllib3.exceptions.SSLError)


def _causes(exc: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    """Give an exception and all that it wraps, by whatever means."""
    seen = {id(outer)}
    waiting: list[object] = [exc]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting += [
                current.__cause__,
                current.__context__,
                getattr(current, "reason", None),
                *current.args,
            ]
