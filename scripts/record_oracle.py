"""Records what the tests against transformers and PEFT have shown; `compatibility.py` tells it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from compatibility import RESULTS, Results

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "lora" / "test_peft_options.py"


def main() -> int:
    """Run the tests; write the results if none has failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-k", "answers or refused", "-o", "junit_family=xunit1"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", str(TESTS)],
            cwd=ROOT,
            env={"OMP_NUM_THREADS": "1", **os.environ},
            check=False,
        )
        if done.returncode:
            return done.returncode
        results = read(report)
    text = json.dumps(results, indent=1, sort_keys=True) + "\n"
    RESULTS.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {RESULTS}; run scripts/docs")
    return 0


def read(report: Path) -> Results:
    """What the tests that passed have noted: family, kind of adapter, and how it is served."""
    results: Results = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest has written it
        noted = {each.get("name"): each.get("value") or "" for each in case.iter("property")}
        if "family" in noted and not {"failure", "error", "skipped"} & {part.tag for part in case}:
            results.setdefault(noted["family"], {})[noted["adapter"]] = noted["served"]
    return results


if __name__ == "__main__":
    raise SystemExit(main())
