"""These tests run in the database with the glue addons, too."""

from tests.website.conftest import website_database

__all__ = ["website_database"]
