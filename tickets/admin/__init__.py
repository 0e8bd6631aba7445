"""The admin pages of tickets, customers and staff; one module a topic. Django imports this package."""

from tickets.admin import audit, customers, groups, staff, tickets

__all__ = ["audit", "customers", "groups", "staff", "tickets"]
