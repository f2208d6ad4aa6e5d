from . import ir_qweb
from . import res_config_settings
from . import usercom_account
from . import usercom_consent_confirmation
from . import usercom_consent_text
from . import website
from . import website_page
