"""User.com's standard attributes that can be mapped (usercom-api.md, sections 1.4 and 1.5).

Custom attributes are read from the account. Not here, and so never mapped: consents
(``unsubscribed``, ``notifications``), identities (``custom_id``, the company's id), ``status``,
and whatever User.com measures itself.

Beside the types that custom attributes have (section 1.7), a standard attribute may be of a type
of ours that says how it is written and read:

* ``name`` is written as first and last name and read as one;
* ``email``, ``phone``, ``country`` and ``region`` are texts with a meaning;
* ``phones`` is a list of numbers, ``list`` one of names;
* ``gender`` is read as a word and written as a number.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import mapping

#: User.com's words for a gender, and the numbers they are written as (usercom-api.md, 1.2).
GENDERS = {"unknown": 1, "male": 2, "female": 3}

#: The longest text that User.com takes where nothing else is known (usercom-api.md, 1.4).
LONGEST_TEXT = 255


@dataclass(frozen=True)
class StandardAttribute:
    """An attribute that every account has.

    ``limit`` is the longest text it takes (for ``name`` each of its two parts). ``readable`` says
    whether a read shows the value that was written, so that it may come in, ``writable`` whether
    it may go out. ``multiple`` means a list of values.
    """

    name: str
    label: str
    value_type: str = "string"
    limit: int | None = LONGEST_TEXT
    readable: bool = True
    writable: bool = True
    choices: tuple[str, ...] = ()
    multiple: bool = False


# Tags are only added by a write, so a read shows others than ours: they go out only (section 1.4).
_TAGS = StandardAttribute("tags", "Tags", "list", readable=False, multiple=True)
_EMAIL = StandardAttribute("email", "Email", "email", limit=254)
_PLACE = (
    StandardAttribute("city", "City", limit=64),
    StandardAttribute("region", "Region", "region"),
    StandardAttribute("country", "Country", "country"),
)

STANDARD: dict[str, tuple[StandardAttribute, ...]] = {
    mapping.CONTACT: (
        StandardAttribute("name", "First name and last name", "name", limit=40),
        _EMAIL,
        StandardAttribute("phone_number", "Phone number", "phone", limit=64),
        StandardAttribute("gender", "Gender", "gender", limit=None, choices=tuple(GENDERS)),
        *_PLACE,
        StandardAttribute("timezone", "Timezone"),
        StandardAttribute("score", "Score", "integer", limit=None),
        StandardAttribute("facebook_url", "Facebook URL"),
        StandardAttribute("linkedin_url", "LinkedIn URL"),
        StandardAttribute("twitter_url", "Twitter URL"),
        StandardAttribute("google_url", "Google URL"),
        _TAGS,
    ),
    mapping.COMPANY: (
        StandardAttribute("name", "Name"),
        _EMAIL,
        StandardAttribute("description", "Description"),
        StandardAttribute("address", "Address"),
        *_PLACE,
        StandardAttribute("postal_code", "Postal code"),
        StandardAttribute("phone_numbers", "Phone numbers", "phones", limit=64, multiple=True),
        StandardAttribute("size", "Size", "integer", limit=None),
        _TAGS,
    ),
}
