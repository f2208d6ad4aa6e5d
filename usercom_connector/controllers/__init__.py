from . import portal
from . import usercom_connector
