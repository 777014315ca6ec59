import { afterAll, expect, test } from "bun:test";
import { readSync, writeSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { makeContext } from "../../src/dataplane/net/secure-context.ts";
import { issueCertificate } from "../../src/kit/issue-certificate.ts";
import { connectProxied } from "../support/proxied-tls.ts";
import { signedPair, testAuthority } from "../support/test-certificates.ts";
import { askTls, commonName } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";

// What TLS relies on and Bun's documentation does not promise. An upgrade of Bun that moves one of these fails here.

type Odd = Bun.Socket & { readonly fd: number; setKeyCert(context: unknown): void };
type Handlers = {
  readonly open?: (socket: Odd) => void;
  readonly handshake?: (socket: Odd, isDone: boolean, error: (Error & { readonly code?: string }) | null) => void;
  readonly serverName?: (listener: unknown, name: unknown) => unknown;
  readonly data?: (socket: Odd, bytes: Buffer) => void;
  readonly end?: (socket: Odd) => void;
  readonly close?: () => void;
};

const bound = signedPair({ name: "bound" });
const other = signedPair({ name: "other" });
const otherContext = makeContext({ cert: [other.cert], key: [other.key] });
const open: Disposable[] = [];
afterAll(() => {
  for (const listener of open) listener[Symbol.dispose]();
});

function listen(socket: Handlers, options: object = {}): number {
  // Handlers and options that the types do not know are what this is about.
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    tls: { ...bound, ...options },
    socket: { data() {}, ...socket } as Bun.SocketHandler,
  });
  open.push(listener);
  return listener.port;
}

test("serverName chooses a certificate for a name, is not asked without one, and false is no connection", async () => {
  const asked: unknown[] = [];
  const port = listen({
    serverName(_, name) {
      asked.push(name);
      return name === "other.test" ? otherContext : name === "no.test" ? false : undefined;
    },
  });
  expect(commonName(await askTls(port, { servername: "other.test" }))).toBe("other");
  expect(commonName(await askTls(port, { servername: "unknown.test" }))).toBe("bound");
  expect(commonName(await askTls(port, {}))).toBe("bound");
  expect((await askTls(port, { servername: "no.test" })).failure).toBeDefined();
  expect(asked).toEqual(["other.test", "unknown.test", "no.test"]);
});

test("a serverName that throws costs its own connection only", async () => {
  const port = listen({
    serverName(_, name) {
      if (name === "throw.test") throw new Error("thrown on purpose");
      return undefined;
    },
  });
  expect((await askTls(port, { servername: "throw.test" })).failure).toBeDefined();
  expect(commonName(await askTls(port, { servername: "x.test" }))).toBe("bound");
});

test("setKeyCert gives one socket other certificates before its handshake", async () => {
  // Only where there is a handler for the handshake, `open` comes before it.
  const port = listen({ open: (socket) => socket.setKeyCert(otherContext), handshake() {} });
  expect(commonName(await askTls(port, {}))).toBe("other");
});

test("setVerifyMode asks one socket for a certificate, and the authorities are those of its certificates' context", async () => {
  const { ca } = { ca: testAuthority().cert };
  const context = makeContext({ cert: [other.cert], key: [other.key], ca });
  const heard: unknown[] = [];
  const port = listen({
    open(socket) {
      socket.setKeyCert(context);
      socket.setVerifyMode(true, false);
    },
    handshake: (socket, isDone, error) =>
      heard.push([isDone, error?.code ?? null, socket.getPeerCertificate()?.raw !== undefined]),
  });
  await askTls(port, { ...signedPair({ name: "client" }) });
  await askTls(port, { ...issueCertificate({ name: "stranger" }) });
  await askTls(port, {});
  await until(() => heard.length === 3);
  expect(heard).toEqual([
    [true, null, true],
    [true, expect.any(String), true],
    [true, expect.any(String), false],
  ]);
});

test("versions are numbers, and ALPN is as on the wire", async () => {
  const port = listen({}, { minVersion: 0x0304, ALPNProtocols: "\x02h2\x08http/1.1" });
  expect((await askTls(port, { maxVersion: "TLSv1.2" })).failure).toBeDefined();
  expect(await askTls(port, { ALPNProtocols: ["http/1.1", "h2"] })).toMatchObject({
    version: "TLSv1.3",
    protocol: "h2",
  });
});

test("a request in the clear is a failed handshake whose socket can still be written to past TLS", async () => {
  const port = listen({
    handshake(socket, isDone, error) {
      if (!isDone && error?.message.includes("HTTP_REQUEST") === true) writeSync(socket.fd, "in the clear");
    },
  });
  const heard = Promise.withResolvers<string>();
  let text = "";
  const socket = net.connect(port, "127.0.0.1");
  socket.on("data", (bytes) => {
    text += bytes.toString();
  });
  socket.on("close", () => heard.resolve(text));
  socket.write("GET / HTTP/1.1\r\n\r\n");
  expect(await heard.promise).toBe("in the clear");
});

test("shutdown() ends one direction only, and close() both at once without losing what was written", async () => {
  const size = 1 << 20;
  const events: string[] = [];
  const port = listen({
    data(socket, bytes) {
      events.push(bytes.toString());
      if (bytes.toString() === "half") socket.shutdown();
      if (bytes.toString() === "all") {
        events.push(String(socket.write(new Uint8Array(size))));
        socket.close();
      }
    },
    close: () => events.push("close"),
  });
  const halfOpen = { port, host: "127.0.0.1", rejectUnauthorized: false, allowHalfOpen: true };
  const client = tls.connect(halfOpen);
  const ended = Promise.withResolvers<void>();
  client.on("data", () => {});
  client.on("end", () => ended.resolve());
  client.write("half");
  await ended.promise;
  client.write("late");
  await until(() => events.includes("late"));
  client.end();
  await until(() => events.includes("close"));
  expect(events).toEqual(["half", "late", "close"]);

  let count = 0;
  const second = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  second.on("data", (bytes) => {
    count += bytes.length;
  });
  second.write("all");
  await until(() => count === size);
  expect(events.slice(3)).toEqual(["all", String(size), "close"]);
});

test("a client verifies chain and name, the chain first, and takes a prepared context", async () => {
  const { cert: ca } = testAuthority();
  const context = makeContext({ ca });
  const [good, stranger] = [
    signedPair({ name: "x", hosts: ["x.test"] }),
    issueCertificate({ name: "y", hosts: ["x.test"] }),
  ];
  const codeOf = async (pair: object, serverName: string): Promise<unknown> => {
    const port = listen({}, pair);
    const heard = Promise.withResolvers<unknown>();
    const tls = { secureContext: context, serverName, rejectUnauthorized: true };
    await Bun.connect({
      hostname: "127.0.0.1",
      port,
      tls,
      socket: {
        data() {},
        handshake: (_, isDone, error) => heard.resolve(isDone ? "fine" : error && "code" in error && error.code),
      },
    });
    return heard.promise;
  };
  expect(await codeOf(good, "x.test")).toBe("fine");
  expect(await codeOf(good, "z.test")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  expect(await codeOf(stranger, "z.test")).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "with %s a session resumes with the listener that began it, and with no other one, whatever ticketKeys says",
  async (version) => {
    const keys = { ticketKeys: Buffer.alloc(48, "the same everywhere"), sessionIdContext: "the same" };
    const echo: Handlers = { handshake() {}, data: (socket, bytes) => socket.write(bytes) };
    const ports = [listen(echo, keys), listen(echo, keys)] as const;
    const first = await talk(ports[0], { minVersion: version, maxVersion: version });
    const again = { session: first.session, minVersion: version, maxVersion: version };
    expect(first.isResumed).toBe(false);
    expect((await talk(ports[0], again)).isResumed).toBe(true);
    expect((await talk(ports[1], again)).isResumed).toBe(false);
  },
);

/** What a connection on which something was said and answered leaves to the next one. */
async function talk(
  port: number,
  options: tls.ConnectionOptions,
): Promise<{ readonly isResumed: boolean; readonly session: Buffer }> {
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  // With TLS 1.3 the ticket comes behind the handshake.
  const ticket = new Promise<Buffer>((resolve) => socket.once("session", resolve));
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const isResumed = socket.isSessionReused();
  socket.write("x");
  await new Promise((resolve) => socket.once("data", resolve));
  const session = isResumed ? Buffer.alloc(0) : await ticket;
  socket.destroy();
  return { isResumed, session };
}

test("a socket that is paused when it opens reads nothing before TLS, so that what comes first can be read off its descriptor", async () => {
  const start = Buffer.from("what comes before TLS");
  const found: string[] = [];
  const port = listen({
    open(socket) {
      socket.pause();
      const bytes = Buffer.alloc(start.length);
      const read = () => {
        if (!canRead(socket.fd, bytes)) return setTimeout(read, 1);
        found.push(bytes.toString());
        return socket.resume();
      };
      read();
    },
    handshake() {},
  });
  const client = await connectProxied(port, { header: start, delivery: "together", servername: "bound" });
  expect(client.getPeerCertificate().subject.CN).toBe("bound");
  expect(found).toEqual([start.toString()]);
  client.destroy();
});

function canRead(descriptor: number, bytes: Buffer): boolean {
  try {
    return readSync(descriptor, bytes, 0, bytes.length, null) === bytes.length;
  } catch {
    return false;
  }
}
