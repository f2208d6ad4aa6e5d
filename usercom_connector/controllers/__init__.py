from . import portal
from . import usercom_connector
from . import usercom_visitor
from . import usercom_consents
