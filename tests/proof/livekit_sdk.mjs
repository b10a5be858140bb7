// Signs webhooks as LiveKit does, with LiveKit's own library (npm `livekit-server-sdk`) and protobuf's own JSON: reads one JSON line a
// webhook from standard input, checks it with the library's receiver, and writes {body, authorization} a line. livekit.py runs it.

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

import { WebhookEvent as Message } from "@livekit/protocol";
import { AccessToken, WebhookReceiver } from "livekit-server-sdk";

const [key, secret] = process.argv.slice(2);
const receiver = new WebhookReceiver(key, secret);

for await (const line of createInterface({ input: process.stdin })) {
  const body = Message.fromJson(JSON.parse(line)).toJsonString();
  const token = new AccessToken(key, secret, { ttl: 300 });
  token.sha256 = createHash("sha256").update(body).digest("base64");
  const authorization = await token.toJwt();
  await receiver.receive(body, authorization);
  console.log(JSON.stringify({ body, authorization }));
}
