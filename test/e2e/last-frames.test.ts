import { expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { until } from "../support/until.ts";
import { WsApp, WsPeer } from "../support/ws.ts";

const megabyte = 1 << 20;

test("AC-4.4: 100 messages of 1 MB and then a Close reach a client that reads slowly, all and in this order", async () => {
  await using app = await WsApp.open((peer) => {
    for (let at = 0; at < 100; at++) peer.send(Buffer.alloc(megabyte, at));
    peer.socket.close(4321, "done");
  });
  await using fixture = GatewayFixture.open({ to: [app], route: { timeouts: { close: "500ms" } } });
  const client = await fixture.connect({ keep: false });
  client.write(handshake());
  const total = 100 * (megabyte + 10);
  // Reads a few MB, stops for a moment, and so on: the end takes several times the time limit of closing.
  while (client.count < total) {
    client.pause();
    await Bun.sleep(30);
    const enough = Math.min(total, client.count + 2 * megabyte);
    client.resume();
    await until(() => client.count >= enough, 3000);
  }
  await client.untilEnd();
  expect(client.count).toBeLessThan(total + 500);
  client.end();
  await until(() => fixture.gateway.sessions.size === 0);
}, 20_000);

test("AC-4.4: what `ws` gets is complete and in order, and the Close comes last", async () => {
  await using app = await WsApp.open((peer) => {
    for (let at = 0; at < 100; at++) peer.send(Buffer.alloc(megabyte, at));
    peer.socket.close(4321, "done");
  });
  await using fixture = GatewayFixture.open({ to: [app] });
  const client = await WsPeer.open(fixture.port);
  expect(await client.untilEnd(15_000)).toEqual({ code: 4321, reason: "done" });
  expect(client.messages.map((message) => message[megabyte - 1])).toEqual(Array.from({ length: 100 }, (_, at) => at));
}, 20_000);

test("what a client sends before its Close reaches a backend that reads late", async () => {
  await using app = await WsApp.open((peer) => peer.socket.pause());
  await using fixture = GatewayFixture.open({ to: [app] });
  const client = await WsPeer.open(fixture.port);
  for (let at = 0; at < 20; at++) client.send(Buffer.alloc(megabyte, at));
  client.socket.close(4000, "bye");
  await until(() => fixture.gateway.sessions.find({})[0]?.summary().queuedToUpstream !== 0);
  const [peer] = app.peers;
  peer?.socket.resume();
  expect(await peer?.untilEnd()).toEqual({ code: 4000, reason: "bye" });
  expect(peer?.messages.map((message) => message[0])).toEqual(Array.from({ length: 20 }, (_, at) => at));
});
