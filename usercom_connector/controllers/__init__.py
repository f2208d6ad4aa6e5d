from . import usercom_connector
