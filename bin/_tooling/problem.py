"""The one way in which a command gives up."""

from __future__ import annotations

import errno


class Problem(Exception):
    """Something the reader can put right; its text is one sentence that says how."""


def sentence_for(error: OSError) -> str | None:
    """Say what to do about an error of the operating system, or None if it is a bug of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            "The disk is full: free about 4 GB, or set USERCOM_CACHE to a folder on another disk, "
            "and start again."
        )
    if isinstance(error, PermissionError):
        return (
            f"{error.filename} may not be written by this user: run the command as the user who "
            "owns it, or remove it."
        )
    if error.errno == errno.EROFS:
        return f"{error.filename} lies on a read-only disk: set USERCOM_CACHE to another folder."
    return None
