"""Proof: the key that RealtimeKit signs by is fetched, and when it is replaced no delivery is lost.

    python3 tests/proof/realtimekit_keys.py       (needs openssl)
"""

import base64
import http.server
import json
import pathlib
import subprocess
import tempfile
import unittest

import harness

ACCOUNT, APP = "acme", "kit"
FOLDER = tempfile.TemporaryDirectory()


class Key:
    """A key of our own: nobody but Cloudflare has Cloudflare's."""

    def __init__(self, name):
        self.private = pathlib.Path(FOLDER.name, name)
        subprocess.run(
            ["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.private], check=True, stderr=subprocess.DEVNULL
        )
        self.public = subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout"], check=True, capture_output=True, text=True).stdout

    def sign(self, body):
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.private], input=body, check=True, capture_output=True)
        return base64.b64encode(signed.stdout).decode()


class Published(harness.Listener):
    """The well-known address."""

    def __init__(self, key):
        self.key, self.fetched = key, 0
        well = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                well.fetched += 1
                known = self.path == "/.well-known/webhooks.json" and well.key is not None
                content = json.dumps({"success": known, "data": {"publicKey": well.key.public} if known else None, "message": ""}).encode()
                self.send_response(200 if known else 500)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        super().__init__(Handler)
        self.url += "/.well-known/webhooks.json"


class Keys(unittest.TestCase):
    def setUp(self):
        self.first, self.second, self.strange = Key("first"), Key("second"), Key("strange")
        self.well = self.enterContext(Published(None))
        settings = pathlib.Path(FOLDER.name, "rollbook.toml")
        settings.write_text(f'[[engines]]\naccount = "{ACCOUNT}"\napp = "{APP}"\nengine = "realtimekit"\nkey_url = "{self.well.url}"\n')
        self.server = self.enterContext(harness.Server("--config", str(settings)))
        self.count = 0

    def joined(self):
        """The next webhook."""
        self.count += 1
        peer, session = f"e32f9a6e-0000-4000-8000-{self.count:012}", "05e59a6e-0000-4000-8000-000000000003"
        participant = {"peerId": peer, "userDisplayName": "Ann", "joinedAt": "2026-06-03T10:05:00.000Z"}
        return json.dumps({"event": "meeting.participantJoined", "meeting": {"id": session, "sessionId": session}, "participant": participant}).encode()

    def deliver(self, key, body):
        url = f"{self.server.url}/v1/accounts/{ACCOUNT}/apps/{APP}/engines/realtimekit"
        return harness.post(url, None, body, "application/json", {"rtk-signature": key.sign(body)}).status

    def test_the_key_is_fetched_and_replaced(self):
        # While nobody knows the key, every answer is one that Cloudflare repeats.
        early = self.joined()
        self.assertEqual(self.deliver(self.first, early), 503)
        self.well.key = self.first
        harness.wait_until(lambda: self.deliver(self.first, early), 200)

        # The key is replaced. What the old one signed and is still on its way is taken, and so is what the new one signs, as soon as it is known.
        self.well.key = self.second
        rotated = self.joined()
        harness.wait_until(lambda: self.deliver(self.second, rotated), 200)
        self.assertEqual(self.deliver(self.first, self.joined()), 200)

        # A stranger makes it be fetched now and then, and gets nowhere.
        fetched = self.well.fetched
        self.assertEqual([self.deliver(self.strange, self.joined()) for _ in range(10)], [503] * 10)
        self.assertLessEqual(self.well.fetched - fetched, 2)

        # With the well-known address away, what is known goes on to hold.
        self.well.key = None
        self.assertEqual(self.deliver(self.second, self.joined()), 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
