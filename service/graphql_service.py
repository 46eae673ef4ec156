"""Runs GraphQL requests: parse, validate, weigh, execute; every fault is reported in `errors`."""

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ariadne import graphql
from graphql import DocumentNode, GraphQLError, parse

from service.careers import Careers
from service.database import Database
from service.errors import ApiError
from service.graphql_cost import measure_cost
from service.graphql_loaders import GraphqlRequest
from service.graphql_schema import make_schema
from service.tokens import Account

REMEMBERED_QUERIES = 256
MAX_TOKENS = 1000
"""The rules of validation compare the fields of a selection with one another: 10,000 take seconds."""
UNREADABLE_NUMBER = re.compile(rf"\d{{{sys.int_info.default_max_str_digits}}}")
# Ariadne would log every mistake of a client with a traceback; what is our own fault is logged below.
MUTED = logging.getLogger(f"{__name__}.muted")
MUTED.setLevel(logging.CRITICAL)


class Graphql:
    """Answers GraphQL requests of known accounts."""

    def __init__(self, database: Database, careers: Careers) -> None:
        self._database = database
        self._careers = careers
        self._schema = make_schema()

    async def answer(self, account: Account, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return `data`, `errors` when there are some, and `complexity` in points in `extensions`."""
        context = GraphqlRequest(self._database, self._careers, account)
        _, answer = await graphql(
            self._schema,
            {**request},
            context_value=context,
            root_value=self._weigh,
            query_parser=_parse,
            error_formatter=_format_error,
            logger=MUTED,
        )
        return {**answer, "extensions": {"complexity": context.cost}}

    def _weigh(
        self,
        context: GraphqlRequest,
        operation_name: str | None,
        variables: dict[str, Any] | None,
        document: DocumentNode,
    ) -> None:
        """Note what a valid operation costs; one that costs too much ends here, before it runs."""
        context.cost = measure_cost(self._schema, document, operation_name, variables or {})


def _parse(_: object, request: dict[str, Any]) -> DocumentNode:
    return _parse_text(request["query"])


@lru_cache(maxsize=REMEMBERED_QUERIES)
def _parse_text(text: str) -> DocumentNode:
    if UNREADABLE_NUMBER.search(text):
        raise GraphQLError(f"a number must have less than {sys.int_info.default_max_str_digits} digits")
    return parse(text, max_lexical_tokens=MAX_TOKENS)


def _format_error(error: GraphQLError, _debug: bool = False) -> dict[str, Any]:
    cause = error.original_error
    if cause is None or isinstance(cause, (ApiError, GraphQLError)):
        return {**error.formatted}
    logging.getLogger(__name__).error("a GraphQL field failed", exc_info=cause)
    return {**error.formatted, "message": "the service failed; its log says why"}
