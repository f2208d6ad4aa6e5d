from . import portal
from . import usercom_confirmation
from . import usercom_connector
from . import usercom_consents
from . import usercom_visitor
