"""The test users of the service, one roster for each kind."""

from __future__ import annotations

from clients.identities import Roster

# Every size of the bundled service has at least these. There is one roster per kind for all user classes.
STUDENTS = Roster("student", seeded=1000)
# Nobody can enrol an admin: where there are more users than admins, several are the same one.
ADMINS = Roster("admin", seeded=20, way="circular")
