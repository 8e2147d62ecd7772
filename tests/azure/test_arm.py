"""The evaluator of Azure's template language is right, and strict."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.azure.arm.deployment import SCHEMA, evaluate
from tests.azure.arm.errors import TemplateError, Unresolved
from tests.azure.paper_azure import SUBSCRIPTION, Azure

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/team"


def template(**parts: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [], **parts}


def value_of(expression: Any, **parts: Any) -> Any:
    outputs = {"it": {"type": "object", "value": expression}}
    return evaluate(template(outputs=outputs, **parts), {}, Azure()).outputs()["it"]["value"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("plain", "plain"),
        ("[[1]", "[1]"),
        ("[not the end", "[not the end"),
        ("['it''s']", "it's"),
        ("[format('{0}-{1}', 'a', 3)]", "a-3"),
        ("[concat('a', 'b')]", "ab"),
        ("[concat(createArray(1), createArray(2, 3))]", [1, 2, 3]),
        ('[union(json(\'{"a":{"b":1}}\'), json(\'{"a":{"c":2}}\'))]', {"a": {"b": 1, "c": 2}}),
        ("[union(createArray(1, 2), createArray(2, 3))]", [1, 2, 3]),
        ("[if(equals('a', 'A'), json('not read'), 'other')]", "other"),
        ("[coalesce(null(), '', 'x')]", ""),
        ("[and(true(), not(false()))]", True),
        ("[or(false(), equals(1, 2))]", False),
        ("[take('abcdef', 5)]", "abcde"),
        ("[take('abc', 5)]", "abc"),
        ("[substring('abcdef', 1, 2)]", "bc"),
        ("[toLower('AbC')]", "abc"),
        ("[empty(createArray())]", True),
        ("[contains(createArray('a'), 'b')]", False),
        ("[join(createArray('a', 'b'), '; ')]", "a; b"),
        ("[string(true())]", "True"),
        ("[resourceGroup().id]", GROUP),
        ("[take(uniqueString('hello', 'world'), 5)]", "a7wkl"),
        ("[resourceId('A.B/cs/ds', 'c', 'd')]", f"{GROUP}/providers/A.B/cs/c/ds/d"),
        (
            "[resourceId('other', 'A.B/cs', 'c')]",
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/A.B/cs/c",
        ),
        ("[createArray('a', 'b')[1]]", "b"),
        ("[createObject('a', createArray(createObject('b', 7))).a[0].b]", 7),
        ("[tryGet(createObject('a', 1), 'b')]", None),
        (
            "[map(createArray('a', 'b'), lambda('x', 'i', createArray(lambdaVariables('i'))))]",
            [[0], [1]],
        ),
        (
            "[filter(createArray(1, 2), lambda('x', equals(lambdaVariables('x'), 2)))]",
            [2],
        ),
    ],
)
def test_expressions(expression: str, value: Any) -> None:
    assert value_of(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "[utcNow()]",
        "[concat()]",
        "[if(true())]",
        "[take('abc', 'x')]",
        "[substring('abc', 2, 5)]",
        "[parameters('missing')]",
        "[variables('missing')]",
        "[lambdaVariables('x')]",
        "[resourceId('A.B/cs', 'c', 'd')]",
        "[reference('name', '2024-01-01')]",
        "[createObject('a')]",
        "[createObject('a', 1).b]",
        "[createArray(1)[1]]",
        "[not('true')]",
        "[equals(1, 1) 2]",
        "[equals(1,]",
        "[&]",
        "[]",
    ],
)
def test_what_is_wrong_or_unknown_is_an_error(expression: str) -> None:
    with pytest.raises(TemplateError):
        value_of(expression)


def test_a_loop_of_variables_is_an_error() -> None:
    with pytest.raises(TemplateError, match="circles"):
        value_of("[variables('a')]", variables={"a": "[variables('b')]", "b": "[variables('a')]"})


@given(st.text())
def test_any_text_comes_back_from_a_literal(text: str) -> None:
    quoted = text.replace("'", "''")
    assert value_of(f"['{quoted}']") == text
    assert value_of(f"[concat('{quoted}', 'x')]") == text + "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc []'", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz"), inner, max_size=3),
)


@given(st.dictionaries(st.text("xyz"), JSON), st.dictionaries(st.text("xyz"), JSON))
def test_a_union_has_every_key_and_the_second_wins(a: dict, b: dict) -> None:
    parameters = {"a": {"type": "object"}, "b": {"type": "object"}}
    outputs = {"u": {"type": "object", "value": "[union(parameters('a'), parameters('b'))]"}}
    given_ = {"a": {"value": a}, "b": {"value": b}}
    united = evaluate(template(parameters=parameters, outputs=outputs), given_, Azure())
    value = united.outputs()["u"]["value"]
    assert value.keys() == a.keys() | b.keys()
    assert all(value[key] == b[key] for key in b if not isinstance(b[key], dict))
    assert all(value[key] == a[key] for key in a.keys() - b.keys())


PARAMETERS = {
    "name": {"type": "string", "minLength": 2, "maxLength": 5},
    "size": {"type": "int", "defaultValue": 2, "minValue": 1, "maxValue": 9},
    "kind": {"type": "string", "defaultValue": "a", "allowedValues": ["a", "b"]},
    "key": {"type": "secureString", "defaultValue": ""},
    "twice": {"type": "string", "defaultValue": "[concat(parameters('name'), parameters('name'))]"},
}


@pytest.mark.parametrize(
    ("given_", "fault"),
    [
        ({}, "no value and no default"),
        ({"name": None}, "expected"),
        ({"name": "abc", "other": 1}, "no parameter other"),
        ({"name": "a"}, "length 1"),
        ({"name": "abcdef"}, "length 6"),
        ({"name": "abc", "size": "2"}, "int expected"),
        ({"name": "abc", "size": True}, "int expected"),
        ({"name": "abc", "size": 10}, "value 10"),
        ({"name": "abc", "kind": "c"}, "none of"),
        ({"name": "abc", "key": 7}, "a value given"),
    ],
)
def test_parameters_are_checked(given_: dict[str, Any], fault: str) -> None:
    holders = {name: {"value": value} for name, value in given_.items()}
    with pytest.raises(TemplateError, match=fault):
        evaluate(template(parameters=PARAMETERS), holders, Azure())


def test_a_default_may_use_other_parameters_and_names_know_no_case() -> None:
    outputs = {"it": {"type": "string", "value": "[parameters('twice')]"}}
    made = evaluate(
        template(parameters=PARAMETERS, outputs=outputs), {"NAME": {"value": "abc"}}, Azure()
    )
    assert made.outputs() == {"it": {"type": "String", "value": "abcabc"}}


def resource(name: str, **parts: Any) -> dict[str, Any]:
    return {"type": "A.B/cs", "apiVersion": "2024-01-01", "name": name, **parts}


def test_resources_come_in_the_order_of_their_dependencies_and_see_what_was_deployed() -> None:
    azure = Azure()
    second = resource(
        "second",
        dependsOn=["[resourceId('A.B/cs', 'first')]", "[resourceId('A.B/cs', 'never')]"],
        properties={
            "seen": "[reference(resourceId('A.B/cs', 'first'), '2024-01-01').made]",
            "key": "[listKeys(resourceId('A.B/cs', 'first'), '2024-01-01').keys[0].value]",
        },
    )
    never = resource("never", condition="[equals(1, 2)]")
    made = evaluate(template(resources=[second, never, resource("first")]), {}, azure)
    names, bodies = [], {}
    for put in made.resources():
        names.append(put.name)
        bodies[put.name] = put.body
        azure.resources[put.id] = {"properties": {"made": f"by {put.id}"}}
    assert names == ["first", "second"]
    first = f"{GROUP}/providers/A.B/cs/first"
    assert bodies["second"]["properties"] == {"seen": f"by {first}", "key": "key of first"}


def test_a_preview_leaves_what_only_a_deployment_tells() -> None:
    later = "[reference(resourceId('A.B/cs', 'first'), '2024-01-01').made]"
    body = resource("second", properties={"seen": later, "known": "[concat('a', 'b')]"})
    (put,) = evaluate(template(resources=[body]), {}, Azure(), preview=True).resources()
    assert put.body["properties"] == {"seen": later, "known": "ab"}
    with pytest.raises(Unresolved):
        list(evaluate(template(resources=[body]), {}, Azure()).resources())


@pytest.mark.parametrize(
    "resources",
    [
        [resource("a", copy={"name": "loop", "count": 2})],
        [resource("a", properties={"copy": []})],
        [resource("a"), resource("A")],
        [resource("a", dependsOn=["[resourceId('A.B/cs', 'other')]"])],
        [resource("a", dependsOn=["[resourceId('A.B/cs', 'a')]"])],
        [resource("a", condition="yes")],
        [resource("a", condition=False, properties={"a": "[fault()]"})],
        [resource("a/b")],
        [resource("a", sort="of")],
    ],
)
def test_resources_that_are_wrong_are_errors(resources: list[dict[str, Any]]) -> None:
    with pytest.raises(TemplateError):
        list(evaluate(template(resources=resources), {}, Azure()).resources())


def test_a_nested_deployment_goes_to_its_own_resource_group() -> None:
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2025-04-01",
        "name": "inner",
        "resourceGroup": "other",
        "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "mode": "Incremental",
            "parameters": {"name": {"value": "[resourceGroup().name]"}},
            "template": template(
                parameters={"name": {"type": "string"}},
                resources=[resource("[concat(parameters('name'), '-', resourceGroup().name)]")],
                outputs={"name": {"type": "string", "value": "[parameters('name')]"}},
            ),
        },
    }
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"
    outer = f"[reference('{group}/providers/Microsoft.Resources/deployments/inner', '2025-04-01')"
    outputs = {"it": {"type": "string", "value": f"{outer}.outputs.name.value]"}}
    made = evaluate(template(resources=[nested], outputs=outputs), {}, Azure())
    inner, deployment = made.resources()
    assert inner.id == f"{group}/providers/A.B/cs/team-other"
    assert deployment.id == f"{group}/providers/Microsoft.Resources/deployments/inner"
    assert made.outputs()["it"]["value"] == "team"
