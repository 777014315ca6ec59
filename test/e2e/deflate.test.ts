import { expect, test } from "bun:test";
import { makeFrame, readFrames, someMask } from "../support/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { Random } from "../support/random.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

const deflate = { threshold: 0 };
const words = ["gateway", "session", "frame", "close", "route", "upstream"];

test("AC-15.1: permessage-deflate is end to end, both ways, with the context of earlier messages", async () => {
  await using app = await WsApp.open(echo, { perMessageDeflate: deflate });
  await using fixture = GatewayFixture.open({ to: [app] });
  const client = await WsPeer.open(fixture.port, { perMessageDeflate: deflate });
  expect(client.socket.extensions).toContain("permessage-deflate");
  const random = new Random(15);
  const text = () => Array.from({ length: 300 }, () => random.pick(words)).join(" ");
  const first = text();
  const messages = [first, first, ...Array.from({ length: 50 }, text), "", "x", "y".repeat(200_000)];
  for (const message of messages) client.send(message);
  await until(() => client.messages.length === messages.length);
  expect(client.messages.map(String)).toEqual(messages);
  const [session] = fixture.gateway.sessions.find({});
  const plain = messages.reduce((sum, message) => sum + message.length, 0);
  expect(session?.summary().fromClient.bytes).toBeLessThan(plain / 3);
  expect(session?.summary().fromUpstream.bytes).toBeLessThan(plain / 3);
  client.socket.close(4000);
  expect(await client.untilEnd()).toMatchObject({ code: 4000 });
});

test("AC-15.1: what was offered goes upstream as it is, and the answer comes back as it is", async () => {
  const offer = 'permessage-deflate; client_max_window_bits; server_no_context_takeover, x-unknown; a="b, c"';
  await using backend = ScriptedBackend.open(async (connection) => {
    const request = await connection.request();
    connection.switch(request, {
      lines: "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
    });
  });
  await using fixture = GatewayFixture.open({ to: [backend] });
  const client = await fixture.connect();
  client.write(handshake({ headers: { "Sec-WebSocket-Extensions": offer } }));
  const response = await client.response();
  expect(header(response, "sec-websocket-extensions")).toBe("permessage-deflate; server_no_context_takeover");
  const [request] = backend.requests;
  expect(request && header(request, "sec-websocket-extensions")).toBe(offer);
});

test("AC-15.1: an application that does not compress is not made to", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app] });
  const client = await WsPeer.open(fixture.port, { perMessageDeflate: true });
  expect(client.socket.extensions).toBe("");
  client.send("plain");
  await until(() => client.messages.length === 1);
});

test("AC-15.2: a reserved bit that nobody negotiated is answered with 1002, from either side", async () => {
  const reserved = { opcode: 1, reserved: 0x40, payload: "x" } as const;
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend] });
  const client = await fixture.connect();
  client.write(handshake({ headers: { "Sec-WebSocket-Extensions": "permessage-deflate" } }));
  await client.response();
  client.write(makeFrame({ ...reserved, mask: someMask }));
  await client.untilEnd();
  expect(readFrames(client.received).frames).toMatchObject([{ opcode: 8, code: 1002 }]);
  const connection = await backend.connection();
  await until(() => connection.rest.length > 0);
  expect(readFrames(connection.rest).frames).toMatchObject([{ opcode: 8, code: 1001 }]);

  const other = await fixture.connect();
  other.write(handshake());
  await other.response();
  const second = await backend.connection(1);
  second.write(makeFrame(reserved));
  await until(() => other.received.length > 0);
  expect(readFrames(other.received).frames).toMatchObject([{ opcode: 8, code: 1014 }]);
  await until(() => second.rest.length > 0);
  expect(readFrames(second.rest).frames).toMatchObject([{ opcode: 8, code: 1002 }]);
});
