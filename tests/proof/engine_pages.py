"""Proof: what the pages in docs/engines tell a user to do works, as they tell it.

    python3 tests/proof/engine_pages.py       (needs curl and openssl)

Of each page, the first TOML block goes into the settings of one server, and every block in `sh` is run as it stands, but for the
server's address. It must answer that one event was accepted; run again, that it was a duplicate. So does the very same request, sent twice.
With another secret, with a body that is not the one that was signed, or with an old signature nothing is recorded, and the status is the one that
the engine understands. Signatures are made by openssl.
"""

import base64
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness

PAGES = sorted((harness.ROOT / "docs" / "engines").glob("*.md"))
NEW, KNOWN = '{"accepted":1,"duplicates":0}', '{"accepted":0,"duplicates":1}'
# Its events have neither an id nor a time.
WITHOUT_IDENTITY = {"videosdk.md"}
# For these a 401 is a reason never to come again.
REPEATS_ONLY_AFTER_503 = {"bigbluebutton.md", "realtimekit.md"}
WRONG = base64.b64encode(b"another secret").decode()
SECRETS = tempfile.TemporaryDirectory()


def blocks(page, language):
    """The code blocks of a page, less their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in block.splitlines(keepends=True)) for indent, block in found]


def prepared(page):
    """The settings of a page, with a secret in every place that they name. A second TOML block is the mapping file."""
    settings, *mapping = blocks(page, "toml") or [""]
    for variable in re.findall(r'secret_env = "(\w+)"', settings):
        # That is base64 as well, for engines that give out such secrets.
        os.environ[variable] = base64.b64encode(f"the secret in {variable}".encode()).decode()
    for path in re.findall(r'mapping_file = "([^"]+)"', settings):
        file = pathlib.Path(SECRETS.name, pathlib.Path(path).name)
        file.write_text(mapping[0])
        settings = settings.replace(path, str(file))
    for path in re.findall(r'secret_file = "([^"]+)"', settings):
        private = pathlib.Path(SECRETS.name, "private.pem")
        public = pathlib.Path(SECRETS.name, pathlib.Path(path).name)
        if not private.exists():
            quiet = {"check": True, "stderr": subprocess.DEVNULL}
            subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", private], **quiet)
            os.environ["PRIVATE_KEY"] = str(private)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        settings = settings.replace(path, str(public))
    return settings


def setUpModule():
    global server
    pages = [page for page in PAGES if page.name != "README.md"]
    settings = pathlib.Path(SECRETS.name, "rollbook.toml")
    settings.write_text("\n".join(prepared(page) for page in pages))
    server = unittest.enterModuleContext(harness.Server("--config", str(settings)))
    os.environ["NO_PROXY"] = "127.0.0.1"
    os.environ["TOKEN"] = server.token("acme", "ingest", "school")


def scripts():
    """Each page with its script, for the server of this run."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            yield page, block.replace("http://127.0.0.1:8080", server.url)


def run(script, **environment):
    return subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


class Pages(unittest.TestCase):
    def test_each_page_proves_itself(self):
        proved = 0
        for page, script in scripts():
            with self.subTest(page=page.name):
                for expected in (NEW, NEW if page.name in WITHOUT_IDENTITY else KNOWN):
                    told = run(script)
                    self.assertIn(expected, told.stdout, f"{told.stderr}\n{server.tail()}")
                if page.name not in WITHOUT_IDENTITY:
                    # The very same request, signature and all, twice.
                    told = run(f"{script}\n{script[script.index('curl -sS'):]}")
                    self.assertTrue(told.stdout.endswith(f'"data":{KNOWN}}}'), f"{told.stdout}\n{told.stderr}")
                proved += 1
        self.assertEqual(proved, len(PAGES) - 1, "every page but the overview has a proof")

    def test_a_forgery_is_refused_as_the_engine_understands(self):
        refused = 0
        for page, script in scripts():
            status = "503" if page.name in REPEATS_ONLY_AFTER_503 else "401"
            script = script.replace("curl -sS", "curl -sS -w ' %{http_code}'")
            for what, forged, environment in forgeries(script):
                with self.subTest(page=page.name, what=what):
                    told = run(forged, **environment)
                    self.assertTrue(told.stdout.endswith(f" {status}"), f"{told.stdout}\n{told.stderr}")
                    self.assertNotIn("accepted", told.stdout)
                    refused += 1
        # Another secret for each, another body for those that sign it, an old signature for those that tell when.
        self.assertEqual(refused, 11 + 8 + 5)


def forgeries(script):
    secrets = {name: WRONG for name in re.findall(r"\$([A-Z_]+)", script) if name != "PRIVATE_KEY"}
    if "PRIVATE_KEY" in script:
        other = pathlib.Path(SECRETS.name, "other.pem")
        if not other.exists():
            command = ["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", other]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        secrets["PRIVATE_KEY"] = str(other)
    yield "another secret", script, secrets
    if "openssl" in script:
        yield "another body", script.replace('-d "$body"', '-d "${body/Ann/Eve}"'), {}
    if "now=$(date +%s)" in script:
        yield "an old signature", script.replace("now=$(date +%s)", "now=$(($(date +%s) - 100000))"), {}


if __name__ == "__main__":
    unittest.main(verbosity=2)
