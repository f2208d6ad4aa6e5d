from . import res_partner
from . import usercom_mapping
from . import usercom_sentence
