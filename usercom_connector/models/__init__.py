# In the order in which they build on each other.
from . import usercom_sentence
from . import usercom_account
from . import usercom_limiter
from . import usercom_stream
from . import usercom_binding
from . import usercom_conflict
from . import usercom_consent_event
from . import usercom_queue
from . import usercom_change
from . import usercom_ping
from . import usercom_comparison
from . import usercom_attribute
from . import usercom_mapping
from . import usercom_mapping_choice
from . import res_partner
from . import res_config_settings
