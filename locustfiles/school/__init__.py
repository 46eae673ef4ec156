"""What journeys of the bundled service share: accounts, login, health, GraphQL budgets, stamped messages.

The names of its files begin with _, so that Locust takes none of them for a locustfile.
"""

from locustfiles.school._accounts import AccountPool, Credentials
from locustfiles.school._member import BudgetedGraphqlUser, MemberUser, PricedQuery, health_of
from locustfiles.school._pools import ADMINS, PARENTS, SCHOOL_ID, STUDENTS, remove
from locustfiles.school._stamps import StampedListener, StampedSender

__all__ = [
    "ADMINS",
    "PARENTS",
    "SCHOOL_ID",
    "STUDENTS",
    "AccountPool",
    "BudgetedGraphqlUser",
    "Credentials",
    "MemberUser",
    "PricedQuery",
    "StampedListener",
    "StampedSender",
    "health_of",
    "remove",
]
