"""Proof: what the pages in docs/engines tell a user to do works, as they tell it.

    python3 tests/proof/engine_pages.py       (needs curl and openssl)

Of each page, the first TOML block goes into the settings of one server, and every block in `sh` is run as it stands, but for the
server's address. It must answer that one event was accepted; run again, that it was a duplicate.
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


class Pages(unittest.TestCase):
    def test_each_page_proves_itself(self):
        proved = 0
        for page in PAGES:
            for block in blocks(page, "sh"):
                with self.subTest(page=page.name):
                    script = block.replace("http://127.0.0.1:8080", server.url)
                    for expected in (NEW, NEW if page.name in WITHOUT_IDENTITY else KNOWN):
                        run = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60)
                        self.assertIn(expected, run.stdout, f"{run.stderr}\n{server.tail()}")
                    proved += 1
        self.assertEqual(proved, len(PAGES) - 1, "every page but the overview has a proof")


if __name__ == "__main__":
    unittest.main(verbosity=2)
