"""Where an account lives: from what an administrator pastes to the address that is called.

The host is always ``<subdomain>.user.com`` (usercom-api.md 1.1). Only the environment of the
server process can name another one, never the database: whoever can write a record must not be
able to send the key elsewhere.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

ENVIRONMENT_VARIABLE = "USERCOM_BASE_URL"

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# ASCII, because with Unicode rules IGNORECASE takes a long s for an s, the Kelvin sign for a k.
_PASTED = re.compile(
    rf"(?P<plain>{_LABEL})|(?:https?://)?(?P<host>{_LABEL})\.user\.com(?:[/?#]\S*)?",
    re.ASCII | re.IGNORECASE,
)
# The vendor's own sites (usercom-api.md 0): likely pasted, never an account.
_VENDOR_SITES = frozenset({"apidocs", "docs", "help", "www"})


def subdomain_of(text: str) -> str:
    """Reduce ``acme``, ``acme.user.com`` or a pasted page address to the plain label ``acme``.

    Takes any text; gives a lower-case host label of 1 to 63 characters. Anything else raises
    ValueError with a sentence for the person who typed it; the sentence does not repeat the
    text, which may be a key pasted into the wrong field.
    """
    match = _PASTED.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "This is no User.com address: give the subdomain alone, such as acme, "
            "or the address of your application, such as https://acme.user.com."
        )
    label = (match["plain"] or match["host"]).lower()
    if label in _VENDOR_SITES:
        raise ValueError(
            f"{label}.user.com is a site of User.com itself: give the address at which "
            "you open your own application, such as https://acme.user.com."
        )
    return label


def overridden(environ: Mapping[str, str] = os.environ) -> str | None:
    """Give the address that the server's environment puts in place of User.com's, if it does.

    It is ``http(s)://host[:port]`` without a final slash. A value that is anything else raises
    ValueError with a sentence: falling back to the real User.com would be worse.
    """
    value = environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if not value:
        return None
    trouble = ValueError(
        f"{ENVIRONMENT_VARIABLE} in the server's environment must be a plain address such as "
        "http://localhost:8080, without a user, a path or a query."
    )
    if not re.fullmatch(r"[!-~]+", value) or re.search(r"[?#@\\]", value):
        raise trouble
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise trouble from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise trouble
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def base_url(subdomain: str, environ: Mapping[str, str] = os.environ) -> str:
    """Give the address to call for an account, without a final slash (usercom-api.md 1.1).

    The subdomain is checked again, since it comes from the database. Raises ValueError as
    `subdomain_of` and `overridden` do.
    """
    label = subdomain_of(subdomain)
    return overridden(environ) or f"https://{label}.user.com"
