"""Odoo's own checks of its code (its addon ``test_lint``), applied to this addon.

Its checks by pylint are part of ``bin/lint``. Not applied: the checks of the checkers themselves,
ESLint (needs node and Odoo's set-up for it), and what looks at ``l10n_*`` addons or at a ``tests``
folder inside the addon, of which there are none.
"""

from __future__ import annotations

from _tooling.places import CHECKOUT
from odoo.addons.test_lint.tests import (
    test_docstring,
    test_dunderinit,
    test_i18n,
    test_index,
    test_jstranslate,
    test_manifests,
    test_markers,
    test_naming,
    test_onchange_domains,
    test_override_signatures,
    test_pofile,
    test_routes,
)
from odoo.modules import Manifest
from odoo.tests import BaseCase


class OurAddons(BaseCase):
    """Shows a check no addon but those of this checkout."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        ours = [m for m in Manifest.all_addon_manifests() if m.path.startswith(str(CHECKOUT))]
        assert ours
        cls.classPatch(Manifest, "all_addon_manifests", lambda: ours)


class TestDocstring(OurAddons, test_docstring.TestDocstring):
    pass


class TestDunderinit(OurAddons, test_dunderinit.TestDunderinit):
    pass


class TestI18n(OurAddons, test_i18n.TestI18n):
    pass


class TestIndex(OurAddons, test_index.TestIndex):
    pass


class TestJsTranslations(OurAddons, test_jstranslate.TestJsTranslations):
    pass


class TestManifests(OurAddons, test_manifests.ManifestLinter):
    pass


class TestMarkers(OurAddons, test_markers.TestConflictMarkers):
    pass


class TestNaming(OurAddons, test_naming.TestNaming):
    pass


class TestOnchange(OurAddons, test_onchange_domains.TestOnchangeDomains):
    pass


class TestOverrides(OurAddons, test_override_signatures.TestLintOverrideSignatures):
    pass


class TestPot(OurAddons, test_pofile.PotLinter):
    pass


class TestRoutes(OurAddons, test_routes.RoutesLinter):
    pass
