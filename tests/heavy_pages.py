"""The pages journeys with a login page that breaks its budgets."""

from __future__ import annotations

from locustfiles import pages

pages.LOGIN_PATH = "/login?heavy=1"
pages.THINK_TIME_S = (0.1, 0.2)

PagesUser, ParentPagesUser = pages.PagesUser, pages.ParentPagesUser
