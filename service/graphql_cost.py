"""The cost of a GraphQL operation, computed before it runs.

A field costs 1 point, or what `@cost` says in the schema, plus the fields selected below it. A list costs as
much as one member, times `first`. A list without `first` counts as a single member. All lists below
`__schema` and `__type` are of that kind: hence these two cost more, and no aliases are allowed below them, so
that an answer is no larger than the schema. Fields that a directive skips count too.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    get_variable_values,
    is_introspection_type,
    is_list_type,
)
from graphql.execution.values import VariableValues

MAX_COST = 1000
MAX_FIRST = 100
INTROSPECTION_POINTS = {"__schema": 250, "__type": 25}
"""Added to the fields below them, by the time they take: tools ask for the whole schema at once."""


def measure_cost(
    schema: GraphQLSchema, document: DocumentNode, operation_name: str | None, variables: dict[str, Any]
) -> int:
    """Return the points of a valid document's operation; 0 when it cannot run, which its execution reports.

    Raises:
        GraphQLError: over MAX_COST points, or a `first` outside 1 to MAX_FIRST.
    """
    operation = get_operation_ast(document, operation_name)
    if operation is None or schema.query_type is None:
        return 0
    values = get_variable_values(schema, operation.variable_definitions or (), variables)
    if isinstance(values, list):
        return 0
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    cost = _Meter(schema, fragments, values).of_selection(operation.selection_set, schema.query_type)
    if cost > MAX_COST:
        raise GraphQLError(f"the query costs {cost} points, at most {MAX_COST} are allowed")
    return cost


class _Meter:
    """Adds up points, and remembers those of fragments: fragments nested many times are counted once."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], values: VariableValues
    ) -> None:
        self._schema = schema
        self._cost_directive = schema.get_directive("cost")
        self._fragments = fragments
        self._values = values
        self._known: dict[str, int] = {}

    def of_selection(self, selection: SelectionSetNode, parent: GraphQLObjectType) -> int:
        return sum(self._of_node(node, parent) for node in selection.selections)

    def _of_node(self, node: SelectionNode, parent: GraphQLObjectType) -> int:
        if isinstance(node, FragmentSpreadNode):
            # The schema has no interfaces and unions: a fragment is about the type it is spread in.
            name = node.name.value
            if name not in self._known:
                self._known[name] = self.of_selection(self._fragments[name].selection_set, parent)
            return self._known[name]
        if isinstance(node, InlineFragmentNode):
            return self.of_selection(node.selection_set, parent)
        assert isinstance(node, FieldNode)
        if node.alias and is_introspection_type(parent):
            raise GraphQLError("aliases are not allowed below __schema and __type")
        field = self._schema.get_field(parent, node.name.value)
        assert field is not None, "the document is valid"
        return INTROSPECTION_POINTS.get(node.name.value, 0) + self._of_field(node, field)

    def _of_field(self, node: FieldNode, field: GraphQLField) -> int:
        below = 0
        below_type = get_named_type(field.type)
        if node.selection_set is not None and isinstance(below_type, GraphQLObjectType):
            below = self.of_selection(node.selection_set, below_type)
            if is_list_type(get_nullable_type(field.type)):
                first = int(get_argument_values(field, node, self._values).get("first", 1))
                if not 1 <= first <= MAX_FIRST:
                    raise GraphQLError(f"first must be from 1 to {MAX_FIRST}, got {first}")
                return below * first
        cost = None
        if self._cost_directive is not None and field.ast_node is not None:
            cost = get_directive_values(self._cost_directive, field.ast_node)
        return below + (int(cost["points"]) if cost else 1)
