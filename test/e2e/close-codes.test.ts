import { expect, test } from "bun:test";
import { makeFrame, readFrames } from "../support/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { WsApp, WsPeer } from "../support/ws.ts";

const codes = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4321, 4401, 4999,
];
const reasons = ["", "x", "ü".repeat(61).padEnd(62, "x")];
const cases = codes.flatMap((code) => reasons.map((reason) => ({ code, reason })));

const kinds = [
  { scheme: "ws", isSecure: false },
  { scheme: "wss", isSecure: true },
];

test.each(kinds)(
  "AC-4.1: every code and reason of a backend reaches the client over $scheme, and its answer the backend",
  async ({ isSecure }) => {
    await using app = await WsApp.open((peer, request) => {
      const { code, reason } = cases[Number(request.url?.slice(1))] ?? { code: 1000, reason: "" };
      peer.socket.close(code, reason);
    });
    await using fixture = GatewayFixture.open({ to: [app], isSecure });
    const peers = await Promise.all(cases.map((_, at) => WsPeer.open(fixture.port, { path: `/${at}` })));
    expect(await Promise.all(peers.map((peer) => peer.untilEnd()))).toEqual(cases);
    const answers = await Promise.all(app.peers.map((peer) => peer.untilEnd()));
    expect(answers.map((end) => end.code).sort()).toEqual(cases.map(({ code }) => code).sort());
    await until(() => fixture.gateway.sessions.size === 0);
  },
);

test.each(kinds)("AC-4.1: every code and reason of a client over $scheme reaches the backend", async ({ isSecure }) => {
  await using app = await WsApp.open();
  await using fixture = GatewayFixture.open({ to: [app], isSecure });
  for (const { code, reason } of cases) {
    const client = await WsPeer.open(fixture.port);
    client.socket.close(code, reason);
    expect(await app.peers.at(-1)?.untilEnd()).toEqual({ code, reason });
    expect((await client.untilEnd()).code).toBe(code);
  }
});

test("AC-4.2: a Close without a code stays one, in both directions", async () => {
  await using app = await WsApp.open((peer, request) => request.url === "/now" && peer.socket.close());
  await using fixture = GatewayFixture.open({ to: [app] });
  const told = await WsPeer.open(fixture.port, { path: "/now" });
  expect(await told.untilEnd()).toEqual({ code: 1005, reason: "" });
  const telling = await WsPeer.open(fixture.port);
  telling.socket.close();
  expect(await app.peers[1]?.untilEnd()).toEqual({ code: 1005, reason: "" });
});

test("AC-4.3: a backend that closes with 4321 at once is heard every time", async () => {
  await using app = await WsApp.open((peer) => peer.socket.close(4321, "test"));
  await using fixture = GatewayFixture.open({ to: [app] });
  for (let round = 0; round < 20; round++) {
    const peers = await Promise.all(Array.from({ length: 20 }, () => WsPeer.open(fixture.port)));
    const ends = await Promise.all(peers.map((peer) => peer.untilEnd()));
    expect(ends).toEqual(ends.map(() => ({ code: 4321, reason: "test" })));
  }
});

test("AC-4.3: a client that closes with 4321 at once is heard every time", async () => {
  await using app = await WsApp.open();
  await using fixture = GatewayFixture.open({ to: [app] });
  for (let count = 0; count < 200; count++) {
    const client = await WsPeer.open(fixture.port);
    client.socket.close(4321, "test");
  }
  const ends = await Promise.all(app.peers.map((peer) => peer.untilEnd()));
  expect(ends).toEqual(Array.from({ length: 200 }, () => ({ code: 4321, reason: "test" })));
});

test("AC-4.2, AC-27.1: a backend that vanishes is 1014 for the client, or the configured code, within a second", async () => {
  await using app = await WsApp.open((peer) => peer.socket.terminate());
  await using fixture = GatewayFixture.open({
    to: [app],
    routes: { own: { match: { path: "/own" }, closeCodes: { upstreamLost: 4014 } }, all: {} },
  });
  const startedAt = performance.now();
  expect(await (await WsPeer.open(fixture.port)).untilEnd()).toEqual({ code: 1014, reason: "" });
  expect(await (await WsPeer.open(fixture.port, { path: "/own" })).untilEnd()).toEqual({ code: 4014, reason: "" });
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test("AC-4.2: a client that vanishes is 1001 for the backend, and then the end of its connection", async () => {
  await using app = await WsApp.open();
  await using fixture = GatewayFixture.open({ to: [app] });
  const client = await WsPeer.open(fixture.port);
  client.socket.terminate();
  expect(await app.peers[0]?.untilEnd()).toEqual({ code: 1001, reason: "" });
  await until(() => fixture.gateway.sessions.size === 0);
});

test("codes that must not stand in a Close frame are answered with 1002 and never passed on", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend] });
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000]) {
    const client = await fixture.connect();
    client.write(handshake());
    await client.response();
    const payload = Buffer.from([code >> 8, code & 255]);
    client.write(makeFrame({ opcode: 8, payload, mask: Uint8Array.of(1, 2, 3, 4) }));
    await client.untilEnd();
    expect(readFrames(client.received).frames).toMatchObject([{ opcode: 8, code: 1002 }]);
    client.end();
    const upstream = backend.connections.at(-1);
    await until(() => (upstream?.rest.length ?? 0) > 0);
    expect(readFrames(upstream?.rest ?? Buffer.alloc(0)).frames.slice(1)).toMatchObject([]);
  }
});
