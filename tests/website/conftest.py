"""A database with Odoo's website and the glue addons, in place of the other tests' one."""

from __future__ import annotations

from collections.abc import Iterator

import odoo
import pytest
from _tooling.databases import Databases


@pytest.fixture(scope="package", autouse=True)
def website_database(load_registry: None, databases: Databases) -> Iterator[None]:
    """Have Odoo's test classes find the other database, as long as these tests run."""
    config = odoo.tools.config
    before = {name: config[name] for name in ("db_name", "dbfilter")}
    name = databases.copy(with_website=True)
    config["db_name"], config["dbfilter"] = [name], f"^{name}$"
    odoo.modules.registry.Registry(name)
    yield
    odoo.sql_db.close_db(name)
    odoo.modules.registry.Registry.delete(name)
    for key, value in before.items():
        config[key] = value
