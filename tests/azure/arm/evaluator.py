"""Evaluates the expressions of one template in one environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.azure.arm.environment import Environment
from tests.azure.arm.errors import TemplateError, Unresolved
from tests.azure.arm.expression import Access, Call, Literal, Node, is_expression, parse
from tests.azure.arm.functions import FUNCTIONS, Function, expect
from tests.azure.arm.parameters import check_value, given_values

Outputs = Mapping[str, Any]


class Evaluator:
    """Parameters, variables, and what was deployed so far."""

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, Any],
        environment: Environment,
        *,
        preview: bool = False,
    ) -> None:
        """With `preview`, what only a deployment can tell stays the expression that it was."""
        self.environment = environment
        self.preview = preview
        self.nested_outputs: dict[str, Outputs] = {}
        self._template = template
        self._declarations = template.get("parameters", {})
        self._given = given_values(self._declarations, parameters)
        self._variables: dict[str, Any] = {}
        self._lambda: list[dict[str, Any]] = []
        self._underway: list[str] = []
        # These take their arguments unevaluated.
        self._special = {
            "if": Function(3, 3, self._if),
            "and": Function(2, None, self._and),
            "or": Function(2, None, self._or),
            "coalesce": Function(1, None, self._coalesce),
            "parameters": Function(1, 1, self._parameter),
            "variables": Function(1, 1, self._variable),
            "lambdavariables": Function(1, 1, self._lambda_variable),
            "map": Function(2, 2, self._map),
            "filter": Function(2, 2, self._filter),
            "resourceid": Function(2, None, self._resource_id),
            "subscriptionresourceid": Function(2, None, self._subscription_resource_id),
            "extensionresourceid": Function(3, None, self._extension_resource_id),
            "resourcegroup": Function(0, 0, self._resource_group),
            "subscription": Function(0, 0, self._subscription),
            "reference": Function(2, 3, self._reference),
            "listkeys": Function(2, 2, self._list_keys),
        }
        for name in self._declarations:
            self.parameter(name)

    def value(self, raw: Any, where: str = "") -> Any:
        """A piece of the template with every expression in it evaluated, keys included."""
        if isinstance(raw, dict):
            if "copy" in raw:
                raise TemplateError("copy loops are not known here", where=where)
            return {
                str(self.value(key)): self.value(item, f"{where}.{key}")
                for key, item in raw.items()
            }
        if isinstance(raw, list):
            return [self.value(item, f"{where}[{index}]") for index, item in enumerate(raw)]
        if not isinstance(raw, str):
            return raw
        if not is_expression(raw):
            return raw[1:] if raw.startswith("[[") else raw
        try:
            return self._node(parse(raw))
        except TemplateError as error:
            raise TemplateError(str(error), where=where or raw) from error
        except Unresolved:
            if self.preview:
                return raw
            raise

    def parameter(self, name: str) -> Any:
        """A parameter's value: the one that was given, else its default."""
        found = next((key for key in self._declarations if key.lower() == name.lower()), None)
        if found is None:
            raise TemplateError(f"the template declares no parameter {name!r}")
        if found not in self._given:
            value = self._once(
                f"parameter {found}", lambda: self.value(self._declarations[found]["defaultValue"])
            )
            check_value(found, self._declarations[found], value)
            self._given[found] = value
        return self._given[found]

    def _once(self, what: str, compute: Callable[[], Any]) -> Any:
        if what in self._underway:
            raise TemplateError(f"{' -> '.join([*self._underway, what])} goes round in circles")
        self._underway.append(what)
        try:
            return compute()
        finally:
            self._underway.pop()

    def _node(self, node: Node) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Access):
            return access(self._node(node.target), self._node(node.key))
        name = node.function.lower()
        special = self._special.get(name)
        function = special or FUNCTIONS.get(name)
        if function is None:
            raise TemplateError(f"the function {node.function} is not known here")
        count = len(node.arguments)
        if count < function.least or (function.most is not None and count > function.most):
            raise TemplateError(f"{node.function} does not take {count} arguments")
        if special:
            return special.apply(node.arguments)
        arguments = self._all(node.arguments)
        try:
            return function.apply(*arguments)
        except (TypeError, AttributeError, IndexError) as error:
            raise TemplateError(f"{node.function} can't take {arguments}: {error}") from error

    def _all(self, nodes: Sequence[Node]) -> list[Any]:
        return [self._node(node) for node in nodes]

    def _if(self, nodes: Sequence[Node]) -> Any:
        condition, then, otherwise = nodes
        return self._node(then if expect(self._node(condition), bool) else otherwise)

    def _and(self, nodes: Sequence[Node]) -> bool:
        return all(expect(self._node(node), bool) for node in nodes)

    def _or(self, nodes: Sequence[Node]) -> bool:
        return any(expect(self._node(node), bool) for node in nodes)

    def _coalesce(self, nodes: Sequence[Node]) -> Any:
        values = (self._node(node) for node in nodes)
        return next((value for value in values if value is not None), None)

    def _parameter(self, nodes: Sequence[Node]) -> Any:
        (name,) = self._all(nodes)
        return self.parameter(expect(name, str))

    def _variable(self, nodes: Sequence[Node]) -> Any:
        (name,) = self._all(nodes)
        if name not in self._template.get("variables", {}):
            raise TemplateError(f"the template declares no variable {name!r}")
        if name not in self._variables:
            raw = self._template["variables"][name]
            self._variables[name] = self._once(f"variable {name}", lambda: self.value(raw))
        return self._variables[name]

    def _lambda_variable(self, nodes: Sequence[Node]) -> Any:
        (name,) = self._all(nodes)
        for frame in reversed(self._lambda):
            if name in frame:
                return frame[name]
        raise TemplateError(f"no lambda has a variable {name!r}")

    def _map(self, nodes: Sequence[Node]) -> list[Any]:
        return [result for _, result in self._each(nodes)]

    def _filter(self, nodes: Sequence[Node]) -> list[Any]:
        return [item for item, result in self._each(nodes) if expect(result, bool)]

    def _each(self, nodes: Sequence[Node]) -> list[tuple[Any, Any]]:
        items, function = nodes
        if not isinstance(function, Call) or function.function.lower() != "lambda":
            raise TemplateError("the second argument must be a lambda")
        *names, body = function.arguments
        results = []
        for index, item in enumerate(expect(self._node(items), list)):
            bound = zip(self._all(names), (item, index), strict=False)
            self._lambda.append(dict(bound))
            try:
                results.append((item, self._node(body)))
            finally:
                self._lambda.pop()
        return results

    def _resource_id(self, nodes: Sequence[Node]) -> str:
        """``resourceId([subscription], [group], type, name, ...)``."""
        arguments = self._all(nodes)
        at = next((i for i, a in enumerate(arguments) if "/" in expect(a, str)), None)
        if at is None or at > 2:
            raise TemplateError(f"resourceId without a resource type: {arguments}")
        group = arguments[at - 1] if at else self.environment.resource_group
        subscription = arguments[0] if at == 2 else self.environment.subscription_id
        scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
        return extension_resource_id(scope, *arguments[at:])

    def _subscription_resource_id(self, nodes: Sequence[Node]) -> str:
        scope = f"/subscriptions/{self.environment.subscription_id}"
        return extension_resource_id(scope, *self._all(nodes))

    def _extension_resource_id(self, nodes: Sequence[Node]) -> str:
        return extension_resource_id(*self._all(nodes))

    def _resource_group(self, _: Sequence[Node]) -> dict[str, Any]:
        here = self.environment
        return {
            "id": f"/subscriptions/{here.subscription_id}/resourceGroups/{here.resource_group}",
            "name": here.resource_group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": here.location,
        }

    def _subscription(self, _: Sequence[Node]) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{self.environment.subscription_id}",
            "subscriptionId": self.environment.subscription_id,
            "tenantId": self.environment.tenant_id,
        }

    def _reference(self, nodes: Sequence[Node]) -> Any:
        resource_id, api_version, *full = self._all(nodes)
        if not resource_id.startswith("/subscriptions/"):
            raise TemplateError(f"reference takes a resource's id here, not {resource_id!r}")
        if resource_id.lower() in self.nested_outputs:
            return {"outputs": self.nested_outputs[resource_id.lower()]}
        whole = bool(full) and full[0].lower() == "full"
        return self.environment.reference(resource_id, api_version, whole)

    def _list_keys(self, nodes: Sequence[Node]) -> Any:
        resource_id, api_version = self._all(nodes)
        return self.environment.list_keys(resource_id, api_version)


def extension_resource_id(scope: str, kind: str, *names: str) -> str:
    """The id of a resource: its type's segments and its names in turns, below a scope."""
    namespace, *segments = kind.split("/")
    if len(segments) != len(names) or not all(names):
        raise TemplateError(f"{kind} takes {len(segments)} names, not {list(names)}")
    pairs = "/".join(f"{segment}/{name}" for segment, name in zip(segments, names, strict=True))
    return f"{scope}/providers/{namespace}/{pairs}"


def access(target: Any, key: Any) -> Any:
    """A property of an object, or an element of an array, which must exist."""
    if isinstance(target, Mapping) and isinstance(key, str):
        if key in target:
            return target[key]
        raise TemplateError(f"no property {key!r}; there are {sorted(target)}")
    if isinstance(target, list) and isinstance(key, int) and 0 <= key < len(target):
        return target[key]
    raise TemplateError(f"{key!r} is not in {target!r}")
