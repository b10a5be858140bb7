// Asks a LiveKit who is in, with LiveKit's own client (npm `livekit-server-sdk`), and writes what it understood as one line of JSON.
// livekit.py runs it.

import { RoomServiceClient } from "livekit-server-sdk";

const [url, key, secret] = process.argv.slice(2);
const client = new RoomServiceClient(url, key, secret);

const told = {};
for (const room of await client.listRooms()) {
  const participants = await client.listParticipants(room.name);
  told[room.name] = {
    sid: room.sid,
    numParticipants: room.numParticipants,
    participants: participants.map(({ sid, identity, name, state, kind, joinedAt, joinedAtMs }) => ({
      sid, identity, name, state, kind, joinedAt: Number(joinedAt), joinedAtMs: Number(joinedAtMs),
    })),
  };
}
const some = await client.listRooms(Object.keys(told).slice(0, 1).concat("no such room"));
console.log(JSON.stringify({ rooms: told, some: some.map((room) => room.name) }));
