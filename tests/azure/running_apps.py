"""Apps that run on the Azure double: what is put there, and how one looks at it."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from tests.azure.double.sdk import Clients
from tests.azure.double.seed import Names
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import SUBSCRIPTION

GROUP = "team"
NAMES = Names()

SERVER = """
import http.client, json, os, signal, ssl, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = 200, {}
        if self.path == "/readyz":
            status = 200 if os.path.exists("/mount/go") else 503
        elif self.path == "/stream":
            self.stream()
            return
        elif self.path.startswith("/ask/"):
            trust = ssl.create_default_context()
            connection = http.client.HTTPSConnection("127.0.0.1", int(self.path[5:]), context=trust)
            connection.request("GET", "/who")
            body = json.load(connection.getresponse())
        else:
            while self.path == "/slow" and not os.path.exists("/mount/done"):
                time.sleep(0.01)
            body = {"environ": dict(os.environ), "files": os.listdir("/mount")}
            body["writable"] = os.access("/mount", os.W_OK)
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def stream(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"4\\r\\nmore\\r\\n")
                time.sleep(0.01)
        except OSError:
            print("left", flush=True)
            self.close_connection = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (body, b"end"):
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\\r\\n\\r\\n")

    def log_message(self, *_):
        pass

print("serving", flush=True)
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), os._exit(0)))
ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
"""
PROBES: list[dict[str, Any]] = [
    {"type": "Startup", "httpGet": {"path": "/livez", "port": 7860}, "periodSeconds": 1},
    {"type": "Readiness", "httpGet": {"path": "/readyz", "port": 7860}, "periodSeconds": 1},
]


T = TypeVar("T")


def until(ask: Callable[[], T], limit: float = 20) -> T:
    """The first answer that holds; fails after ``limit`` seconds."""
    end = time.monotonic() + limit
    while not (answer := ask()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return answer


class Azure:
    """A group with what fine-tuning leaves there, where apps really run."""

    def __init__(self, double: AzureDouble, clients: Clients) -> None:
        self.double, self.clients = double, clients
        self.share = double.state.share_folder(NAMES.account, NAMES.share)
        self.trust = ssl.create_default_context(cafile=double.certificate)
        self.http = httpx.Client(verify=self.trust, timeout=30)

    def mount_storage(self) -> None:
        """Gives the environment the share, to be read only, with the account's key of now."""
        keys = self.clients.storage.storage_accounts.list_keys(GROUP, NAMES.account)["keys"]
        file = {
            "accountName": NAMES.account,
            "accountKey": keys[0].value,
            "shareName": NAMES.share,
            "accessMode": "ReadOnly",
        }
        self.clients.apps.managed_environments_storages.create_or_update(
            GROUP, NAMES.environment, f"{NAMES.storage}ro", {"properties": {"azureFile": file}}
        )

    def put(self, name: str, **more: Any) -> str:
        """An app of that name; returns its address."""
        apps = self.clients.apps.container_apps
        made = apps.begin_create_or_update(GROUP, name, body(**more)).result()
        return f"https://{made.properties.configuration.ingress.fqdn}"

    def revision(self, name: str) -> Any:
        revision = self.clients.apps.container_apps.get(GROUP, name).properties.latest_revision_name
        return self.clients.apps.container_apps_revisions.get_revision(GROUP, name, revision)

    def replicas(self, name: str) -> list[Any]:
        revision = self.revision(name).name
        found = self.clients.apps.container_apps_revision_replicas.list_replicas(
            GROUP, name, revision
        )
        return list(found.value)

    def containers(self, name: str) -> list[Any]:
        return [replica.properties.containers[0] for replica in self.replicas(name)]

    def stream(self, name: str, url: str) -> list[str]:
        token = self.clients.apps.container_apps.get_auth_token(GROUP, name).properties.token
        answer = self.http.get(url, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        return answer.text.splitlines()

    def answers(self, url: str) -> bool:
        try:
            return self.http.get(url).is_success
        except httpx.TransportError:
            return False

    def follow(self, url: str) -> list[str]:
        """What a stream tells until it breaks off."""
        lines: list[str] = []
        try:
            with self.http.stream("GET", f"{url}?follow=true&output=json") as stream:
                lines.extend(stream.iter_lines())
        except httpx.RemoteProtocolError:
            return lines
        raise AssertionError("the stream has an end")

    def reasons(self, name: str) -> list[str]:
        url = self.clients.apps.container_apps.get(GROUP, name).properties.event_stream_endpoint
        return [json.loads(line)["Reason"] for line in self.stream(name, f"{url}?tailLines=300")]


def body(
    command: list[str] | None = None,
    *,
    external: bool = True,
    gpu: bool = False,
    scale: dict[str, Any] | None = None,
    probes: list[dict[str, Any]] | None = None,
    suffix: str = "",
    rules: list[dict[str, Any]] | None = None,
    mode: str = "ro",
) -> dict[str, Any]:
    kinds = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.App"
    container = {
        "name": "main",
        "image": "docker.io/library/python:3.11-slim",
        "command": command or ["python3", "-c", SERVER],
        "env": [{"name": "KEY", "secretRef": "key"}, {"name": "PLAIN", "value": "text"}],
        "resources": {"cpu": 0.5, "memory": "1Gi"},
        "volumeMounts": [{"volumeName": "share", "mountPath": "/mount"}],
        "probes": PROBES if probes is None else probes,
    }
    storage = f"{NAMES.storage}{mode}" if mode == "ro" else NAMES.storage
    return {
        "location": "westus3",
        "properties": {
            "environmentId": f"{kinds}/managedEnvironments/{NAMES.environment}",
            "workloadProfileName": "GPU" if gpu else "Consumption",
            "configuration": {
                "activeRevisionsMode": "Single",
                "secrets": [{"name": "key", "value": "hush"}],
                "ingress": {
                    "external": external,
                    "targetPort": 7860,
                    "stickySessions": {"affinity": "sticky"},
                    "ipSecurityRestrictions": rules or [],
                },
            },
            "template": {
                "containers": [container],
                "revisionSuffix": suffix,
                "scale": {"minReplicas": 0, "maxReplicas": 1, **(scale or {})},
                "terminationGracePeriodSeconds": 5,
                "volumes": [{"name": "share", "storageType": "AzureFile", "storageName": storage}],
            },
        },
    }
