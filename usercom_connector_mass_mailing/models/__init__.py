from . import mail_thread
from . import usercom_consent_event
from . import mailing_list
from . import mailing_subscription
from . import mailing_contact
