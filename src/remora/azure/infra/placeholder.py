"""Answers in a container until something is deployed, and then becomes Remora.

``python3 -c "$(cat placeholder.py)" serve|front``, as the template runs it. Without it a container
would end and be started anew, time after time, until the first deployment. Standard library alone.
"""

import importlib.util
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 7860
PROBES = ("/livez", "/readyz")
MESSAGE = "Nothing is deployed to this endpoint yet: run `remora deploy`."


class Handler(BaseHTTPRequestHandler):
    """The probes succeed; any other request is told what to do."""

    def answer(self) -> None:
        """503 in the form of OpenAI's errors, or 200 to a probe."""
        ready = self.path in PROBES
        error = {"message": MESSAGE, "type": "service_unavailable", "code": "nothing_deployed"}
        body = json.dumps({"status": "waiting"} if ready else {"error": error}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if not ready:
            self.send_header("Retry-After", "30")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing: probes come every few seconds."""


def has_release(remora: Path) -> bool:
    """Whether something was deployed to the share."""
    try:
        return any(entry.suffix == ".json" for entry in (remora / "log").iterdir())
    except OSError:
        return False


def main() -> None:
    """Wait for a release, and start it in this process's place."""
    role = sys.argv[1]
    remora = Path(os.environ.get("REMORA_SHARE") or "/mount") / ".remora"
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # As process 1 it would be ignored.
    start = remora / "start.py"
    inside = importlib.util.find_spec("remora") is not None
    server = None
    while not (has_release(remora) and (inside or start.is_file())):
        if server is None:
            print(json.dumps({"event": "waiting", "message": MESSAGE}), flush=True)  # noqa: T201
            server = ThreadingHTTPServer(("0.0.0.0", PORT), Handler)  # noqa: S104  For the ingress.
            threading.Thread(target=server.serve_forever, daemon=True).start()
        time.sleep(2)
    program = ["-m", "remora.container.start"] if inside else [str(start)]
    os.execv(sys.executable, [sys.executable, *program, role])  # noqa: S606  Ends the server, too.


if __name__ == "__main__":
    main()
