"""A stand-in for the HTTP API of User.com, for tests and demonstrations.

It keeps the contract written down in section 7 of ``usercom-api.md``; the words "contract 7.x" in
this package refer to it. Start it with ``python -m simulator`` or, inside a test, with
:func:`simulator.testing.running_simulator`.
"""
