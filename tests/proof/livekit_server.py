"""What a LiveKit server says when it is asked who is in: its RoomService, as far as rollbook asks it. Standard library only.

Names, values and refusals are those of LiveKit's own server (Twirp in JSON: names of the proto file, defaults written out, 64-bit numbers
as texts; livekit 788d4c35). livekit.py lets LiveKit's own client ask it too, so that both see the same.
"""

import base64
import hashlib
import hmac
import http.server
import json
import time

import harness


class Room:
    def __init__(self, sid):
        self.sid, self.participants = sid, {}


class LiveKit(harness.Listener):
    """Rooms and who is in them. `with LiveKit(key, secret) as livekit:` starts and stops it."""

    def __init__(self, key, secret):
        self.key, self.secret = key, secret
        self.rooms = {}
        self.down = False
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, answer = fake.answer(self.path, self.headers, body)
                content = json.dumps(answer).encode()
                self.send_response(status)  # with a Date, as Go sends one
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        super().__init__(Handler)

    def join(self, room, identity, ago=60.0, state="ACTIVE", kind="STANDARD"):
        """Someone comes into a room, so many seconds ago. Returns the participant's sid."""
        self.rooms.setdefault(room, Room(f"RM_{room}"))
        joined = int((time.time() - ago) * 1000)
        self.rooms[room].participants[identity] = {
            "sid": f"PA_{identity}",
            "identity": identity,
            "state": state,
            "tracks": [],
            "metadata": "",
            "joined_at": str(joined // 1000),
            "joined_at_ms": str(joined),
            "name": identity.title(),
            "version": 0,
            "permission": {"can_subscribe": True, "can_publish": True, "can_publish_data": True, "hidden": False},
            "region": "",
            "is_publisher": False,
            "kind": kind,
            "attributes": {},
            "disconnect_reason": "UNKNOWN_REASON",
            "kind_details": [],
        }
        return f"PA_{identity}"

    def leave(self, room, identity):
        del self.rooms[room].participants[identity]

    def finish(self, room):
        """The room goes, with whoever is in."""
        del self.rooms[room]

    def answer(self, path, headers, body):
        if self.down:
            return 503, {"code": "unavailable", "msg": "no response from servers"}
        grants = self._grants(headers["authorization"])
        if grants is None:
            return 401, {"code": "unauthenticated", "msg": "invalid token"}
        denied = 403, {"code": "permission_denied", "msg": "permissions denied"}
        if path == "/twirp/livekit.RoomService/ListRooms":
            if not grants.get("roomList"):
                return denied
            names = body.get("names") or list(self.rooms)
            return 200, {"rooms": [self._told(name) for name in names if name in self.rooms]}
        if path == "/twirp/livekit.RoomService/ListParticipants":
            if not grants.get("roomAdmin") or grants.get("room") != body["room"]:
                return denied
            room = self.rooms.get(body["room"])
            return 200, {"participants": list(room.participants.values()) if room else []}
        return 404, {"code": "bad_route", "msg": f"no handler for path {path!r}"}

    def _told(self, name):
        room = self.rooms[name]
        return {
            "sid": room.sid,
            "name": name,
            "empty_timeout": 300,
            "departure_timeout": 20,
            "max_participants": 0,
            "creation_time": "1732000000",
            "creation_time_ms": "1732000000123",
            "turn_password": "",
            "enabled_codecs": [],
            "metadata": "",
            "num_participants": len(room.participants),
            "num_publishers": 0,
            "active_recording": False,
        }

    def _grants(self, authorization):
        """What the token of a request allows; None where it is no token of ours."""
        scheme, _, token = (authorization or "").partition(" ")
        parts = token.split(".")
        if scheme != "Bearer" or len(parts) != 3:
            return None
        decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        made = hmac.new(self.secret.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256).digest()
        claims = json.loads(decode(parts[1]))
        if not hmac.compare_digest(made, decode(parts[2])) or claims["iss"] != self.key:
            return None
        if not claims.get("nbf", 0) <= time.time() <= claims["exp"]:
            return None
        return claims.get("video", {})
