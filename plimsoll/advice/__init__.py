"""What would make the database faster: rules over plans, over samples of a run and over the catalogue.

Rules are pure. Whatever executes a statement of the load does so on a branch, never on the database itself.
"""
