import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Descriptors } from "../../src/dataplane/net/descriptors.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { Random } from "../support/random.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { signedPair, testSite } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { askTls } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

goWithoutBridge();

/** The beginning of a ClientHello, which announces more than ever comes. */
const half = Buffer.from("16030102000100020003", "hex");

/** Connects from one of the addresses of this machine, says something, and then nothing any more. */
function hold(port: number, localAddress: string, bytes: Uint8Array): Promise<Socket> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.on("error", () => {});
  socket.on("connect", () => {
    socket.write(bytes);
    resolve(socket);
  });
  return promise;
}

/** Fewer where a process may have fewer descriptors than 14,000, in the same proportion. */
const share = Math.min(1, Descriptors.ofProcess().limit / 14_000);
const [bad, good] = [Math.floor(share * 40) * 250, Math.floor(share * 200) * 5];

test("AC-26.3: ten thousand half-open handshakes do not make a thousand good clients wait", async () => {
  using files = TlsFiles.make();
  await using app = await WsApp.open(echo);
  const certificates = JSON.stringify([files.add("site", testSite())]);
  await using gateway = await RunningGateway.open(`
admin: { address: "127.0.0.1:0" }
drain: { window: 0s, grace: 1s }
listeners: { web: { address: "127.0.0.1:0", tls: { certificates: ${certificates} }, limits: { pending: 20000 } } }
upstreams: { app: { endpoints: [ "127.0.0.1:${app.port}" ] } }
routes: { all: { to: app } }
`);
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const connections = async (): Promise<unknown> => {
    const { body } = await gateway.admin("/api/listeners");
    return (body.items as readonly { readonly connections: number }[])[0]?.connections;
  };
  const idle: Socket[] = [];
  while (idle.length < bad)
    idle.push(
      ...(await Promise.all(Array.from({ length: 250 }, (_, at) => hold(port, `127.0.0.${2 + (at % 100)}`, half)))),
    );
  await until(async () => (await connections()) === bad);

  const took: number[] = [];
  const peers: WsPeer[] = [];
  const open = async (): Promise<void> => {
    const startedAt = performance.now();
    peers.push(await WsPeer.open(port, { isSecure: true }));
    took.push(performance.now() - startedAt);
  };
  while (peers.length < good) await Promise.all([open(), open(), open(), open(), open()]);
  expect(took.sort((a, b) => a - b)[Math.floor(good * 0.99)]).toBeLessThan(200);
  expect(await connections()).toBe(bad + good);
  for (const socket of idle) socket.destroy();
  await until(async () => (await connections()) === good);
  for (const peer of peers) peer.send("still here");
  await until(() => peers.every(({ messages }) => messages.length === 1));
  for (const { socket } of peers) socket.terminate();
}, 30_000);

test("AC-26.1: half-open handshakes end after timeouts.tlsHandshake, and sessions do not", async () => {
  await using app = await WsApp.open(echo);
  const timeouts = { tlsHandshake: "300ms" };
  await using fixture = GatewayFixture.open({ to: [app], isSecure: true, listener: { timeouts } });
  const peer = await WsPeer.open(fixture.port);
  const idle = await Promise.all([half, Buffer.alloc(0)].map((bytes) => hold(fixture.port, "127.0.0.1", bytes)));
  await until(() => idle.every((socket) => socket.readyState === "closed"));
  peer.send("still here");
  await until(() => peer.messages.length === 1);
});

/** A whole ClientHello that asks for this name. */
async function clientHello(servername: string): Promise<Buffer> {
  const heard = Promise.withResolvers<Buffer>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_, bytes) => heard.resolve(Buffer.from(bytes)) },
  });
  const socket = connectTls({ port: listener.port, host: "127.0.0.1", servername });
  socket.on("error", () => {});
  const hello = await heard.promise;
  socket.destroy();
  listener.stop(true);
  return hello;
}

const seed = 20_260_101;

test(`S25: no name of a client breaks the choice of a certificate (seed ${seed})`, async () => {
  using files = TlsFiles.make();
  const certificates = [files.add("site", signedPair({ name: "site", hosts: ["site.test", "*.site.test"] }))];
  const random = new Random(seed);
  const fixed = [
    "__proto__",
    "constructor",
    "*.site.test",
    "..",
    ".",
    "xn--\u00ff",
    "site.test\0.evil",
    "a".repeat(63),
  ];
  const names = [
    ...fixed.map((name) => Buffer.from(name, "latin1")),
    ...Array.from({ length: 200 }, () => random.bytes(1 + random.below(40))),
  ];
  for (const unknownNames of ["default", "refuse"]) {
    await using fixture = GatewayFixture.open({ listener: { tls: { certificates, unknownNames } } });
    const hellos = new Map<number, Buffer>();
    for (const name of names) {
      const wanted = "n".repeat(name.length);
      const hello = hellos.get(name.length) ?? (await clientHello(`${wanted}`));
      hellos.set(name.length, hello);
      const bytes = Buffer.from(hello);
      bytes.set(name, bytes.indexOf(wanted, 0, "latin1"));
      const socket = await hold(fixture.port, "127.0.0.1", bytes);
      await new Promise((resolve) => {
        socket.once("data", resolve);
        socket.once("close", resolve);
      });
      socket.destroy();
    }
    expect((await askTls(fixture.port, { servername: "x.site.test" })).version).toBe("TLSv1.3");
    await until(() => fixture.gateway.status().connections === 0);
  }
});

test("a client that ends in the middle of its handshake, or renegotiates, costs its own connection only", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app], isSecure: true });
  const peer = await WsPeer.open(fixture.port);
  const hello = await clientHello("app.example");
  for (const length of [1, 5, 40, hello.length]) {
    const socket = await hold(fixture.port, "127.0.0.1", hello.subarray(0, length));
    socket.resetAndDestroy();
  }
  const old = connectTls({ port: fixture.port, host: "127.0.0.1", rejectUnauthorized: false, maxVersion: "TLSv1.2" });
  const over = new Promise((resolve) => old.on("close", resolve));
  old.on("error", () => {});
  old.on("secureConnect", () => {
    try {
      old.renegotiate({ rejectUnauthorized: false }, () => old.destroy());
    } catch {
      old.destroy();
    }
  });
  await over;
  await until(() => fixture.gateway.status().connections === 1);
  peer.send("still here");
  await until(() => peer.messages.length === 1);
});
