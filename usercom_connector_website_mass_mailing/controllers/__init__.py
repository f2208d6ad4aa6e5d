from . import form, newsletter
