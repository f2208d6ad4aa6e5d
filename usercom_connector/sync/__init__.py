"""The rules of synchronising: plain Python, without database and without network.

``mapping`` says which field meets which attribute, ``values`` brings both sides' values into one
form, ``merge`` compares by three, ``consent`` dates and weighs consents, ``waiting`` says when to
try again. The Odoo models feed these functions and carry out what they answer.
"""
