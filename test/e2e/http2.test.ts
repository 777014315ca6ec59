import { expect, test } from "bun:test";
import http2 from "node:http2";
import { errorCode, flag, frameType, numberFrame } from "../../src/dataplane/http2/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { request } from "../support/handshake.ts";
import { header } from "../support/http-message.ts";
import { getFields, Http2Client } from "../support/http2-client.ts";
import { RawClient } from "../support/raw-client.ts";
import { answering, friendly, okAnswer, ScriptedBackend } from "../support/scripted-backend.ts";
import { testAuthority } from "../support/test-certificates.ts";
import { until } from "../support/until.ts";

const listener = { h2c: true };

type Answer = { readonly headers: http2.IncomingHttpHeaders; readonly body: Buffer };

/** A client that is not ours. */
class Peer implements AsyncDisposable {
  readonly session: http2.ClientHttp2Session;

  constructor(fixture: GatewayFixture, options: http2.SecureClientSessionOptions = {}) {
    const scheme = options.ca === undefined ? "http" : "https";
    // In megabytes: what one stream has not sent yet shall not keep it from opening others.
    this.session = http2.connect(`${scheme}://127.0.0.1:${fixture.port}`, { maxSessionMemory: 100, ...options });
    this.session.on("error", () => {});
  }

  ask(headers: http2.OutgoingHttpHeaders, body?: Uint8Array): Promise<Answer> {
    const stream = this.session.request(headers, { endStream: body === undefined });
    const pieces: Buffer[] = [];
    let answered: http2.IncomingHttpHeaders = {};
    return new Promise((resolve, reject) => {
      stream.on("response", (headers) => (answered = headers));
      stream.on("data", (bytes) => pieces.push(Buffer.from(bytes)));
      stream.on("end", () => resolve({ headers: answered, body: Buffer.concat(pieces) }));
      stream.on("error", reject);
      if (body !== undefined) stream.end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
  }
}

test.each(["h2c", "h2"])(
  "over %s, many requests share a connection and take the way that all requests take",
  async (how) => {
    await using backend = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({
      to: [backend],
      isDirect: true,
      ...(how === "h2" ? { isSecure: true } : { listener }),
    });
    await using peer = new Peer(fixture, how === "h2" ? { ca: testAuthority().cert } : {});
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, nth) =>
        peer.ask({ ":path": `/${nth}?q=1`, cookie: ["a=1", "b=2"], te: "trailers" }),
      ),
    );
    expect(answers.every(({ headers }) => Number(headers[":status"]) === 200)).toBe(true);
    expect(fixture.gateway.status().connections).toBe(1);
    const first = backend.requests[0] ?? { line: "", headers: [] };
    expect(first.line).toMatch(/^GET \/\d+\?q=1 HTTP\/1\.1$/);
    expect(header(first, "cookie")).toBe("a=1; b=2");
    expect(header(first, "host")).toBe(`127.0.0.1:${fixture.port}`);
    expect(header(first, "te")).toBeUndefined();
    expect(header(first, "x-forwarded-proto")).toBe(how === "h2" ? "https" : "http");
    await until(() => fixture.records.length === 100);
    expect(fixture.records.every((record) => record.kind === "http" && record.status === 200)).toBe(true);
  },
);

test("megabytes go through in both directions, larger than any window", async () => {
  const size = 5_000_000;
  await using backend = ScriptedBackend.open(async (connection) => {
    const asked = await connection.request();
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${asked.body.length}\r\n\r\n`);
    connection.write(asked.body);
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using peer = new Peer(fixture);
  const body = Buffer.alloc(size, "0123456789abcdef!");
  const answer = await peer.ask({ ":method": "POST", ":path": "/" }, body);
  expect(answer.body.equals(body)).toBe(true);
});

test("trailers, interim answers and answers to HEAD come as they are", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    for (;;) {
      const asked = await connection.request();
      if (asked.line.startsWith("HEAD")) connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
      else
        connection.write(
          "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
            "3\r\nabc\r\n0\r\nX-Sum: 6\r\nContent-Length: 9\r\n\r\n",
        );
    }
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1).ask(3, { ...getFields, ":method": "HEAD" });
  await until(() => client.heard(1).isEnded && client.heard(3).isEnded);
  const blocks = client.frames.filter(({ type, stream }) => type === frameType.headers && stream === 1);
  expect(blocks).toHaveLength(3);
  expect(client.heard(1)).toMatchObject({ fields: { link: "</a.css>", ":status": "200", "x-sum": "6" } });
  expect(client.heard(1).fields["content-length"]).toBeUndefined();
  expect(client.heard(1).content.toString()).toBe("abc");
  expect(client.heard(3).fields["content-length"]).toBe("1234");
});

test("the content of a request ends with its trailers, and those that a backend could believe are dropped", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, { ...getFields, ":method": "POST" }, false).send(frameType.data, 0, 1, "hello");
  client.ask(1, { "x-sum": "5", authorization: "Basic x", "content-length": "1" });
  await until(() => client.heard(1).isEnded);
  expect(backend.connections[0]?.text).toContain("5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n");
  expect(backend.connections[0]?.text).not.toContain("Basic");
});

test("AC-17.3: a stream whose answer is not read holds up no other", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    const asked = await connection.request();
    const isLarge = asked.line.includes("/large");
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${isLarge ? 10_000_000 : 2}\r\n\r\n`);
    connection.write(isLarge ? Buffer.alloc(10_000_000) : "ok");
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.raw.write(numberFrame(frameType.windowUpdate, 0, 10_000_000));
  client.ask(1, { ...getFields, ":path": "/large" });
  await until(() => client.heard(1).content.length === 65_535);
  client.ask(3);
  await until(() => client.heard(3).isEnded);
  expect(client.heard(1).content.length).toBe(65_535);
  client.raw.write(numberFrame(frameType.windowUpdate, 1, 20_000_000));
  client.raw.write(numberFrame(frameType.windowUpdate, 0, 10_000_000));
  await until(() => client.heard(1).isEnded);
  expect(client.heard(1).content.length).toBe(10_000_000);
});

test("no more is sent on all streams together than the client takes", async () => {
  await using backend = ScriptedBackend.open(answering(okAnswer("x".repeat(100_000))));
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1).ask(3).ask(5);
  const sizes = () => [1, 3, 5].map((id) => client.heard(id).content.length);
  const sum = () => sizes().reduce((sum, size) => sum + size, 0);
  await until(() => sum() === 65_535);
  client.send(frameType.ping, 0, 0, "are you ");
  await until(() => client.frames.some(({ type }) => type === frameType.ping));
  expect(sum()).toBe(65_535);
  for (const id of [0, 1, 3, 5]) client.raw.write(numberFrame(frameType.windowUpdate, id, 300_000));
  await until(() => [1, 3, 5].every((id) => client.heard(id).isEnded));
  expect(sizes()).toEqual([100_000, 100_000, 100_000]);
});

test("AC-17.3: a stream whose content nobody reads holds up no other", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.until(() => connection.text.includes("\r\n\r\n"));
    if (connection.text.includes("/slow")) return connection.pause();
    await connection.request();
    connection.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").end();
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using peer = new Peer(fixture);
  const slow = peer.session.request({ ":method": "POST", ":path": "/slow" });
  slow.on("error", () => {});
  slow.write(Buffer.alloc(30_000_000));
  await until(() => (backend.connections[0]?.text.length ?? 0) > 0);
  // More than the window of the connection, which stays open for these.
  for (let round = 0; round < 20; round++) {
    const { headers } = await peer.ask({ ":method": "POST", ":path": "/" }, Buffer.alloc(200_000));
    expect(Number(headers[":status"])).toBe(200);
  }
  expect(slow.writableLength).toBeGreaterThan(0);
});

test("a client that resets its stream ends the request upstream, and not its connection", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    const asked = await connection.request();
    if (!asked.line.includes("/silent")) connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, { ...getFields, ":path": "/silent" });
  await until(() => backend.requests.length === 1);
  client.reset(1);
  expect(await fixture.record()).toMatchObject({ status: 499, error: "client_gone" });
  client.ask(3);
  await until(() => client.heard(3).isEnded);
  expect(client.heard(3).fields[":status"]).toBe("200");
});

test("a request whose answer does not wait for its content is told to stop, without an error", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.until(() => connection.text.includes("\r\n\r\n"));
    connection.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, { ...getFields, ":method": "POST" }, false).send(frameType.data, 0, 1, "a beginning");
  await until(() => client.heard(1).reset !== undefined);
  expect(client.heard(1)).toMatchObject({ isEnded: true, reset: errorCode.none });
  expect(client.heard(1).content.toString()).toBe("no");
});

test("an upstream that breaks off in the middle of its answer resets the stream", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.request();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.end();
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1);
  await until(() => client.heard(1).reset !== undefined);
  expect(client.heard(1)).toMatchObject({ isEnded: false, reset: errorCode.internal });
});

test("a drain tells the client twice, lets what it has asked for end, and then ends the connection", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.request();
    await until(() => isOpen);
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  let isOpen = false;
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1);
  await until(() => backend.requests.length === 1);
  void fixture.gateway.drain({ windowMs: 0, graceMs: 5000, code: 1012, reason: "" });
  await until(() => client.goAway === errorCode.none);
  const lastStreams = () =>
    client.frames.filter(({ type }) => type === frameType.goAway).map(({ payload }) => payload.readUInt32BE(0));
  expect(lastStreams()).toEqual([0x7fffffff]);
  // Its answer to the ping behind the first GOAWAY says that the client has heard it.
  client.send(frameType.ping, flag.ack, 0, "causeway");
  await until(() => lastStreams().length === 2);
  expect(lastStreams()[1]).toBe(1);
  isOpen = true;
  await until(() => client.heard(1).isEnded);
  await client.raw.untilEnd();
  expect(client.heard(1).content.toString()).toBe("ok");
});

test("a connection without a request is ended after its time, and one on which nothing comes as well", async () => {
  await using backend = ScriptedBackend.open(friendly);
  const timeouts = { head: "1s", keepAlive: "1s" };
  await using fixture = GatewayFixture.open({ to: [backend], listener: { ...listener, timeouts } });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1);
  await using silent = await RawClient.open(fixture.port);
  silent.write("PRI * HTTP/2.0\r\n\r\nSM");
  await using inside = await Http2Client.open(fixture.port);
  inside.send(frameType.headers, 0, 1, "");
  await Promise.all([client.raw.untilEnd(), silent.untilEnd(), inside.raw.untilEnd()]);
  expect(client.goAway).toBe(errorCode.none);
  await until(() => fixture.gateway.status().connections <= 3);
});

test("with h2c, HTTP/1.1 is served as before, and without it the preface is no request", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using both = GatewayFixture.open({ to: [backend], listener });
  await using one = await RawClient.open(both.port);
  expect((await one.write(request()).response()).status).toBe(200);
  await using slow = await RawClient.open(both.port);
  for (const char of "PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n") slow.write(char);
  expect((await slow.response()).status).toBe(200);
  await using plain = GatewayFixture.open({ to: [backend], isSecure: false, isDirect: true, listener: { h2c: false } });
  await using client = await Http2Client.open(plain.port);
  expect(await client.raw.untilEnd()).toStartWith("HTTP/1.1 505 ");
});
