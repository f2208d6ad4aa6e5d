"""What the commands in bin/ share: Odoo, Python packages, PostgreSQL, databases, processes.

Standard library only: this code runs before any package is installed.
"""
