"""Proof: schemathesis asks whatever /openapi.json allows, and much that it doesn't; every answer must be as described there.

    target/proof-venv/bin/python tests/proof/schema.py [further options of `schemathesis run`]

A failure prints the request as a curl line. Nothing is random: the same description gives the same requests.
"""

import os
import pathlib
import subprocess
import sys

import harness
import scene

HERE = pathlib.Path(__file__).resolve().parent
WITHIN = 900  # seconds


def main():
    with harness.Server() as server:
        tokens = scene.load(server)
        # An account's token, so that apps other than the scene's are allowed too.
        environment = {
            **os.environ,
            "ROLLBOOK_READER": server.token(scene.ACCOUNT, "realtime_admin"),
            "ROLLBOOK_WRITER": server.token(scene.ACCOUNT, "ingest"),
        }
        command = [
            pathlib.Path(sys.executable).parent / "schemathesis",
            "--config-file", HERE / "schemathesis.toml",
            "run", f"{server.url}/openapi.json", "--no-color", *sys.argv[1:],
        ]  # fmt: skip
        ran = subprocess.run(command, env=environment, cwd=server.data, stdin=subprocess.DEVNULL, timeout=WITHIN)
        # Whatever was asked, the server is well and still answers right.
        answer = harness.get(f"{server.url}/accounts/{scene.ACCOUNT}/realtime/kit/{scene.APP}/sessions/{scene.WEEKLY}", tokens["admin"])
        if answer.status != 200:
            raise SystemExit(f"after the run the server answers {answer}")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
