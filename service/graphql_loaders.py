"""What the resolvers of one GraphQL request share: who asks, the database, and loaders that batch."""

import json
from typing import Any, TypeAlias

from aiodataloader import DataLoader

from service.careers import Careers
from service.database import Database, Parameters
from service.tokens import Account

Key: TypeAlias = tuple[int, int]
"""Whose rows, and how many of them."""


class GraphqlRequest:
    """One request: resolvers that ask for the same kind of thing at the same time share one query."""

    def __init__(self, database: Database, careers: Careers, account: Account) -> None:
        self._database = database
        self.careers = careers
        self.account = account
        self.cost = 0
        self.users = DataLoader(self._load_users)
        self.posts = DataLoader(self.load_posts)
        self.comments = DataLoader(self._load_comments)

    async def fetch(self, query: str, parameters: Parameters) -> Any:
        """Run a query that answers JSON and parse it; None when it has no row."""
        found = await self._database.fetch_json(query, parameters)
        return None if found is None else json.loads(found)

    async def load_posts(self, keys: list[Key]) -> list[Any]:
        """Return the newest posts of each user in one query."""
        return await self._load("load_posts", keys)

    async def _load_users(self, keys: list[Key]) -> list[Any]:
        return await self._load("load_users", keys)

    async def _load_comments(self, keys: list[Key]) -> list[Any]:
        return await self._load("load_comments", keys)

    async def _load(self, query: str, keys: list[Key]) -> list[Any]:
        ids, firsts = zip(*keys, strict=True)
        found: list[Any] = await self.fetch(query, {"ids": [*ids], "firsts": [*firsts]})
        return found
