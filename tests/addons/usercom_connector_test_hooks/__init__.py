from . import converters
from . import models
