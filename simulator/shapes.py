"""How records are written in answers: both versions, flat or listed (sections 1.2, 1.4, 1.5)."""

from __future__ import annotations

from typing import Any

from .state import (
    COMPANY,
    COMPANY_FIELDS,
    USER,
    USER_FIELDS,
    Account,
    Attribute,
    Company,
    Record,
    User,
)
from .switches import Switches
from .validation import GENDERS, STATUSES


def user_write_names(version: int) -> dict[str, str]:
    """The names a user is written with, to the names in the state (section 1.2)."""
    names = {name: name for name in USER_FIELDS} | {"tags": "tags"}
    names["company_custom_id"] = "company_custom_id"
    if version == 1:
        del names["custom_id"], names["company_custom_id"]
        names["user_id"] = "custom_id"
        names["company_id"] = "company_custom_id"
    return names


def company_write_names(version: int) -> dict[str, str]:
    """The names a company is written with, to the names in the state (section 1.2)."""
    names = {name: name for name in COMPANY_FIELDS} | {"tags": "tags"}
    names["approx_employees"] = "size"
    if version == 1:
        del names["custom_id"]
        names["company_id"] = "custom_id"
    return names


class Shapes:
    """Writes records as the account's switches and the asked version want them."""

    def __init__(self, account: Account, switches: Switches) -> None:
        self.account = account
        self.switches = switches

    def user(self, user: User, version: int) -> dict[str, Any]:
        """The full user object of section 1.4."""
        fields, facts = user.fields, user.facts
        shape: dict[str, Any] = {
            "id": user.id,
            "key" if version == 1 else "user_key": user.key,
            "name": user.name,
            "email": fields["email"],
            "gender": GENDERS[fields["gender"]],
            "status": STATUSES[fields["status"]],
            "phone_number": fields["phone_number"],
            "first_seen": user.first_seen,
            "last_seen": user.last_seen,
            "page_views": facts["page_views"],
            "last_ip": facts["last_ip"],
            "timezone": fields["timezone"],
            "city": fields["city"],
            "region": fields["region"],
            "country": fields["country"],
            "unsubscribed": fields["unsubscribed"],
            "browser_language": facts["browser_language"],
            "score": fields["score"],
            "browser": facts["browser"],
            "os_type": facts["os_type"],
            "resolution": facts["resolution"],
            "created_at": user.created_at,
            "updated_at": user.updated_at,
            "companies": self._memberships(user),
            "gravatar_url": fields["gravatar_url"],
            "lists": None if self.switches.null_lists else user.lists,
            "tags": self._tags(user),
            "notifications": fields["notifications"],
            "facebook_url": fields["facebook_url"],
            "linkedin_url": fields["linkedin_url"],
            "twitter_url": fields["twitter_url"],
            "google_url": fields["google_url"],
            "last_contacted": facts["last_contacted"],
            "user_id" if version == 1 else "custom_id": fields["custom_id"],
        }
        if version == 2:
            shape["web_push_subscription"] = facts["web_push_subscription"]
            shape["assigned_to"] = fields["assigned_to"]
            shape["company_id"] = min(user.companies, default=None)
            shape["most_active_time"] = facts["most_active_time"]
        if self.switches.with_names:
            shape["first_name"] = fields["first_name"]
            shape["last_name"] = fields["last_name"]
        return self._with_attributes(shape, user, USER, version)

    def company(self, company: Company, version: int) -> dict[str, Any]:
        """The company object of section 1.5."""
        shape: dict[str, Any] = {"id": company.id, **company.fields}
        if version == 1:
            shape["company_id"] = shape.pop("custom_id")
        shape["employees"] = self.account.employees(company)
        shape["tags"] = self._tags(company)
        shape["created_at"] = company.created_at
        shape["updated_at"] = company.updated_at
        return self._with_attributes(shape, company, COMPANY, version)

    def attribute(self, attribute: Attribute) -> dict[str, Any]:
        """An attribute of section 1.7; the word for a contact's differs by the switch."""
        content_type = attribute.content_type
        if content_type == USER:
            content_type = self.switches.attribute_content_type
        shape: dict[str, Any] = {
            "id": attribute.id,
            "name": attribute.name,
            "name_std": attribute.name_std,
            "value_type": attribute.value_type,
            "content_type": content_type,
        }
        if attribute.value_type == "fixed":
            shape["choices"] = attribute.choices
            shape["allow_multiple_choices"] = attribute.allow_multiple_choices
        return shape

    def webhook_user(self, user: User) -> dict[str, Any]:
        """The user in an outbound call: the version 1 object and one more key (section 3)."""
        return {**self.user(user, 1), "emails_enabled": not user.fields["unsubscribed"]}

    def _memberships(self, user: User) -> list[dict[str, Any]]:
        return [
            {
                "id": number,
                "name": self.account.companies[number].fields["name"],
                "member_since": since,
            }
            for number, since in user.companies.items()
        ]

    def _tags(self, record: Record) -> list[dict[str, Any]] | None:
        if self.switches.null_lists:
            return None
        return [{"id": self.account.tags[name], "name": name} for name in record.tags]

    def _value(self, attribute: Attribute, value: Any) -> Any:
        as_array = self.switches.array_values and attribute.value_type in ("string", "fixed")
        return [value] if as_array and value is not None and not isinstance(value, list) else value

    def _with_attributes(
        self, shape: dict[str, Any], record: Record, content_type: str, version: int
    ) -> dict[str, Any]:
        """Custom attributes: all of them as keys where flat, those with a value where listed."""
        held = [
            (item, self._value(item, record.attributes.get(item.name_std)))
            for item in self.account.attributes.values()
            if item.content_type == content_type
        ]
        if version == 2 and self.switches.flatten_v2:
            return {**{item.name_std: value for item, value in held}, **shape}
        shape["attributes"] = [
            {
                "id": item.id,
                "name": item.name,
                "name_std": item.name_std,
                "value": value,
                "description": item.description,
            }
            for item, value in held
            if value is not None
        ]
        return shape
