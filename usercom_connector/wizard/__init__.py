from . import usercom_creation
