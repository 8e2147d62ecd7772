"""What the template creates is of Bicep's own types, where those are at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.azure.bicep.__main__ import COMPILED
from tests.azure.bicep.types import read_types
from tests.azure.paper_azure import Azure, deploy


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("azmcp") is None, reason="azmcp (msmcp-azure) is not installed")
def test_every_resource_is_of_bicep_s_types(tmp_path: Path) -> None:
    keys = {"apiKey": "k" * 20, "adminKey": "a" * 20}
    more = {"hfToken": "token", "allowedIpRanges": ["203.0.113.0/24"], "tags": {"a": "b"}}
    template = json.loads(COMPILED.read_text(encoding="utf-8"))
    resources = deploy(template, keys | more, Azure()).resources
    resources += deploy(template, keys | {"keepCommands": True}, Azure()).resources
    resources = [r for r in resources if not r.type.endswith("/deployments")]
    types = {kind: read_types(kind, tmp_path) for kind in {r.type for r in resources}}
    for resource in resources:
        assert resource.api_version == types[resource.type].api_version
        assert types[resource.type].faults(resource.body) == [], resource.id
    broken = {**resources[0].body, "kind": "Storage3", "sort": 1}
    assert len(types[resources[0].type].faults(broken)) == 2
