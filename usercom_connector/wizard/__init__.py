from . import base_partner_merge
from . import usercom_always
from . import usercom_carry
from . import usercom_consent_word
from . import usercom_creation
from . import usercom_settle
from . import usercom_trial
