"""The compiled template is what its source says, and the compiler knows when it does not know."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.azure.arm.deployment import evaluate
from tests.azure.bicep.__main__ import COMPILED, SOURCE, rendered
from tests.azure.bicep.compiler import compile_file
from tests.azure.bicep.syntax import BicepError
from tests.azure.paper_azure import Azure, deploy


def compiled(tmp_path: Path, source: str) -> dict[str, Any]:
    file = tmp_path / "it.bicep"
    file.write_text(source, encoding="utf-8")
    return compile_file(file)


def test_the_compiled_template_is_up_to_date() -> None:
    assert COMPILED.read_text(encoding="utf-8") == rendered(), "run python -m tests.azure.bicep"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'plain'", "plain"),
        ("'[x]'", "[[x]"),
        (r"' it\'s $1  \\ '", " it's $1  \\ "),
        ("'a${p}b{c}'", "[format('a{0}b{{c}}', parameters('p'))]"),
        ("7", 7),
        ("true", True),
        ("[\n  1\n  'x'\n]", [1, "x"]),
        ("{\n  a: p\n  'b-c': 2\n}", {"a": "[parameters('p')]", "b-c": 2}),
        (
            "p == 'x' ? [1] : []",
            "[if(equals(parameters('p'), 'x'), createArray(1), createArray())]",
        ),
        ("(p != '') && (p == 'x')", None),
        ("!empty(p)", "[not(empty(parameters('p')))]"),
        ("{\n  '${p}': {}\n}", {"[format('{0}', parameters('p'))]": {}}),
        ("p == 'a' ? p : o.a[0].b", None),
        ("map([p], (x, i) => '${i}${x}')", None),
        ("concat([p], [\n  {\n    a: true\n  }\n])", None),
    ],
)
def test_expressions(tmp_path: Path, expression: str, value: Any) -> None:
    known = {
        "(p != '') && (p == 'x')": (
            "[and(not(equals(parameters('p'), '')), equals(parameters('p'), 'x'))]"
        ),
        "p == 'a' ? p : o.a[0].b": (
            "[if(equals(parameters('p'), 'a'), parameters('p'), parameters('o').a[0].b)]"
        ),
        "map([p], (x, i) => '${i}${x}')": (
            "[map(createArray(parameters('p')), lambda('x', 'i',"
            " format('{0}{1}', lambdaVariables('i'), lambdaVariables('x'))))]"
        ),
        "concat([p], [\n  {\n    a: true\n  }\n])": (
            "[concat(createArray(parameters('p')), createArray(createObject('a', true())))]"
        ),
    }
    source = f"param p string\nparam o object\nvar u = [\n  p\n  o\n]\nvar it = {expression}\n"
    source += "output it array = it\noutput u array = u\n"
    made = compiled(tmp_path, source)["variables"]["it"]
    assert made == known.get(expression, value)


@given(st.text(st.characters(exclude_characters="$", exclude_categories=("Cc", "Cs"))))
def test_any_text_survives_compiling_and_evaluating(text: str) -> None:
    written = text.replace("\\", "\\\\").replace("'", "\\'")
    with TemporaryDirectory() as folder:
        source = f"param p string\noutput plain string = '{written}'\n"
        source += f"output filled string = '${{p}}{written}'\n"
        template = compiled(Path(folder), source)
    outputs = evaluate(template, {"p": {"value": "[x]"}}, Azure()).outputs()
    assert outputs["plain"]["value"] == text
    assert outputs["filled"]["value"] == f"[x]{text}"


@pytest.mark.parametrize(
    "declaration",
    [
        "output o string = unknown",
        "output o string = utcNow()",
        "output o string = p.?x",
        "output o bool = p == 'a' && p == 'b'",
        "output o string = p == 'a' ? p : p == 'b' ? p : ''",
        "output o array = [take(p, 5), p]",
        r"output o string = '\${p}'",
        "output o array = [for i in range(0, 2): i]",
        "output o string = '''\nx'''",
        "param q string?",
        "@secure()\noutput o string = p",
        "@discriminator('a')\nparam q object",
        "var unused = 1",
        "param p string",
        "type t = string",
        "func f(a string) string => a",
        "var v = environment().name\noutput o string = v",
        "resource r 'A.B/cs@2024-01-01' = {\n  location: p\n}",
        "resource r 'A.B/cs@2024-01-01' = {\n  name: p\n  '${p}': 1\n}",
        "output o string = p +",
        "module m 'missing.bicep' = {\n  name: p\n}",
    ],
)
def test_what_is_not_known_is_an_error(tmp_path: Path, declaration: str) -> None:
    with pytest.raises((BicepError, FileNotFoundError)):
        compiled(tmp_path, f"param p string\noutput p string = p\n{declaration}\n")


def test_resources_refer_to_each_other_by_their_ids(tmp_path: Path) -> None:
    source = """
param group string
resource there 'A.B/cs@2024-01-01' existing = {
  name: 'there'
  scope: resourceGroup(group)
}
resource first 'A.B/cs@2024-01-01' = if (group == 'x') {
  name: 'first'
}
resource child 'A.B/cs/ds@2024-01-02' = {
  parent: first
  name: 'child'
  properties: {
    id: there.id
    key: there.listKeys().keys[0].value
  }
}
output seen string = child.properties.seen
"""
    template = compiled(tmp_path, source)
    first, child = template["resources"]
    there = (
        "extensionResourceId(format('/subscriptions/{0}/resourceGroups/{1}',"
        " subscription().subscriptionId, parameters('group')), 'A.B/cs', 'there')"
    )
    assert first == {
        "condition": "[equals(parameters('group'), 'x')]",
        "type": "A.B/cs",
        "apiVersion": "2024-01-01",
        "name": "first",
    }
    assert child["name"] == "[format('{0}/{1}', 'first', 'child')]"
    assert child["dependsOn"] == ["[resourceId('A.B/cs', 'first')]"]
    assert child["properties"] == {
        "id": f"[{there}]",
        "key": f"[listKeys({there}, '2024-01-01').keys[0].value]",
    }
    seen = "[reference(resourceId('A.B/cs/ds', 'first', 'child'), '2024-01-02').seen]"
    assert template["outputs"]["seen"]["value"] == seen


@pytest.mark.skipif(shutil.which("bicep") is None, reason="the official Bicep CLI is not installed")
@pytest.mark.parametrize("kept", [False, True])
def test_the_official_compiler_agrees(kept: bool) -> None:
    built = subprocess.run(
        ["bicep", "build", "--stdout", str(SOURCE)], capture_output=True, text=True, check=True
    )
    official = json.loads(built.stdout)
    values = {"apiKey": "k" * 20, "adminKey": "a" * 20, "keepCommands": kept, "tags": {"a": "b"}}
    values |= {"hfToken": "token", "allowedIpRanges": ["203.0.113.0/24"]}
    ours = deploy(json.loads(COMPILED.read_text(encoding="utf-8")), values, Azure())
    theirs = deploy(official, values, Azure())
    assert theirs.outputs == ours.outputs
    plain = [r for r in ours.resources if not r.type.endswith("/deployments")]
    assert [r for r in theirs.resources if not r.type.endswith("/deployments")] == plain
