from _tooling.places import GLUE
from odoo.tests.common import TransactionCase, tagged

from tests.models.test_translations import assert_has_terms


@tagged("post_install", "-at_install")
class TestGlueTranslations(TransactionCase):
    def test_templates_have_the_terms_of_the_code_and_the_views(self):
        for addon in GLUE:
            with self.subTest(addon=addon.name):
                assert_has_terms(self, addon)
