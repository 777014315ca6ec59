import { expect, test } from "bun:test";
import http2, { type ServerHttp2Stream } from "node:http2";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { Http2App } from "../support/http2-app.ts";
import { until } from "../support/until.ts";

const h2 = { protocol: "h2" };

/** Answers with what it got: the head as JSON, and the body. */
function mirror(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  const pieces: Buffer[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  stream.on("end", () => {
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.end(JSON.stringify({ headers, body: Buffer.concat(pieces).toString() }));
  });
}

function ask(fixture: GatewayFixture, path = "/", init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${fixture.port}${path}`, init);
}

const endpointOf = (fixture: GatewayFixture) => fixture.gateway.status().upstreams[0]?.endpoints[0];

/** Waits until a figure has not changed for twenty looks. */
async function untilStill(figure: () => number): Promise<void> {
  let last = figure();
  let looks = 0;
  await until(() => {
    looks = figure() === last && last > 0 ? looks + 1 : 0;
    last = figure();
    return looks === 20;
  });
}

const kinds = [
  { over: "in the clear", isSecure: false },
  { over: "over TLS", isSecure: true },
];

test.each(kinds)("requests of every method go to an HTTP/2 upstream $over on one connection", async ({ isSecure }) => {
  await using app = await Http2App.open({ onStream: mirror, isSecure });
  const tls = isSecure ? { tls: { ca: "authority.pem" } } : {};
  await using fixture = GatewayFixture.open({ to: [app], upstream: { ...h2, ...tls } });
  for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const sent = method === "GET" ? {} : { body: "hello" };
    const answer = await ask(fixture, "/a?b=c", { method, headers: { "X-Own": "1", Cookie: "a=b" }, ...sent });
    const seen = (await answer.json()) as { headers: object; body: string };
    expect([answer.status, seen.body]).toEqual([200, method === "GET" ? "" : "hello"]);
    expect(seen.headers).toMatchObject({
      ":method": method,
      ":path": "/a?b=c",
      ":scheme": isSecure ? "https" : "http",
      ":authority": `127.0.0.1:${fixture.port}`,
      "x-own": "1",
      cookie: "a=b",
      "x-forwarded-for": "127.0.0.1",
      te: "trailers",
      ...(method === "GET" ? {} : { "content-length": "5" }),
    });
    expect(seen.headers).not.toHaveProperty("host");
    expect(seen.headers).not.toHaveProperty("connection");
  }
  expect(app.sessions).toHaveLength(1);
  await until(() => endpointOf(fixture)?.idleConnections === 1);
});

test("a hundred requests at once share one connection, and more are made when the upstream takes no more streams", async () => {
  const waiting: ServerHttp2Stream[] = [];
  for (const { maxConcurrentStreams, sessions } of [
    { maxConcurrentStreams: 100, sessions: 1 },
    { maxConcurrentStreams: 30, sessions: 4 },
  ]) {
    const onStream = (stream: ServerHttp2Stream) => waiting.push(stream);
    await using app = await Http2App.open({ onStream, settings: { maxConcurrentStreams } });
    await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
    const answers = Array.from({ length: 100 }, () => ask(fixture));
    await until(() => waiting.length === 100);
    for (const stream of waiting.splice(0)) stream.respond({ ":status": 204 }, { endStream: true });
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(100).fill(204));
    expect(app.sessions).toHaveLength(sessions);
    expect(endpointOf(fixture)?.sharedConnections).toBe(sessions);
  }
});

test("an endpoint that chooses HTTP/1.1 over TLS is spoken to in HTTP/1.1", async () => {
  const versions: string[] = [];
  const onHttp1 = (request: { httpVersion: string }, response: { end(text: string): void }) => {
    versions.push(request.httpVersion);
    response.end("one");
  };
  const { createServer } = await import("node:https");
  const { markSecure, testSite } = await import("../support/test-certificates.ts");
  const server = createServer({ ...testSite() }, onHttp1);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  using _mark = markSecure(port);
  await using fixture = GatewayFixture.open({ to: [{ port }], upstream: { ...h2, tls: { ca: "authority.pem" } } });
  const answers = await Promise.all(Array.from({ length: 5 }, async () => (await ask(fixture)).text()));
  expect(answers).toEqual(Array(5).fill("one"));
  expect(versions).toEqual(Array(5).fill("1.1"));
  server.close();
});

test("HEAD, 204, 304, interim answers and large bodies pass as they are", async () => {
  const large = Buffer.alloc(3_000_000, "x");
  await using app = await Http2App.open({
    onStream: (stream, headers) => {
      const path = headers[":path"];
      if (path === "/large") {
        stream.respond({ ":status": 200, "content-length": String(large.length) });
        if (headers[":method"] === "HEAD") stream.end();
        else stream.end(large);
      } else if (path === "/early") {
        stream.additionalHeaders({ ":status": 103, link: "</a.css>; rel=preload" });
        stream.respond({ ":status": 200 });
        stream.end("late");
      } else stream.respond({ ":status": Number(path?.slice(1)) }, { endStream: true });
    },
  });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const head = await ask(fixture, "/large", { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "3000000", ""]);
  expect(Buffer.from(await (await ask(fixture, "/large")).arrayBuffer()).equals(large)).toBe(true);
  for (const status of [204, 304, 404, 503]) expect((await ask(fixture, `/${status}`)).status).toBe(status);
  const early = await fixture.ask("GET /early HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(early.text).toMatch(/^HTTP\/1\.1 103 .*link: <\/a\.css>.*HTTP\/1\.1 200 OK.*late/is);
});

test("gRPC passes: te goes up, and trailers come back behind the messages, over HTTP/2 on both sides", async () => {
  const message = Buffer.from([0, 0, 0, 0, 3, 1, 2, 3]);
  const seen: Record<string, unknown>[] = [];
  await using app = await Http2App.open({
    onStream: (stream, headers) => {
      seen.push(headers);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": "fine" }));
      stream.on("data", (piece: Buffer) => stream.write(piece));
      stream.on("end", () => stream.end());
    },
  });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2, listener: { h2c: true } });
  const session = http2.connect(`http://127.0.0.1:${fixture.port}`);
  const fields = { ":method": "POST", ":path": "/pkg.Echo/Say", te: "trailers", "content-type": "application/grpc" };
  const stream = session.request(fields);
  const trailers = Promise.withResolvers<Record<string, unknown>>();
  stream.on("trailers", trailers.resolve);
  // A call that talks both ways: each message is answered before the next one is sent.
  for (let count = 1; count <= 3; count++) {
    stream.write(message);
    expect(await new Promise((resolve) => stream.once("data", resolve))).toEqual(message);
  }
  stream.end();
  expect(await trailers.promise).toMatchObject({ "grpc-status": "0", "grpc-message": "fine" });
  expect(seen[0]).toMatchObject({ ":path": "/pkg.Echo/Say", te: "trailers", "content-type": "application/grpc" });
  session.destroy();
});

test("a slow client holds its own answer back, and no other one on the same connection", async () => {
  let written = 0;
  const piece = Buffer.alloc(65_536);
  await using app = await Http2App.open({
    onStream: (stream, headers) => {
      stream.respond({ ":status": 200 });
      if (headers[":path"] !== "/endless") return void stream.end("quick");
      const write = () => {
        for (let hasRoom = true; hasRoom && !stream.destroyed; written += piece.length) hasRoom = stream.write(piece);
      };
      stream.on("drain", write);
      write();
    },
  });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const slow = await fixture.connect();
  slow.pause();
  slow.write("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  await untilStill(() => written);
  expect(written).toBeLessThan(32_000_000);
  for (let count = 0; count < 20; count++) expect(await (await ask(fixture)).text()).toBe("quick");
  expect(app.sessions).toHaveLength(1);
});

test("a slow upstream holds the upload of a client back", async () => {
  await using app = await Http2App.open({ onStream: (stream) => stream.pause() });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const client = await fixture.connect();
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  client.write(Buffer.alloc(100_000_000));
  await untilStill(() => client.queued);
  expect(client.queued).toBeGreaterThan(60_000_000);
});

test("a request whose client goes away resets its stream, and the connection stays", async () => {
  let begun = 0;
  const ended: number[] = [];
  await using app = await Http2App.open({
    onStream(stream) {
      begun++;
      stream.on("close", () => ended.push(stream.rstCode ?? -1));
    },
  });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const client = await fixture.connect();
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => endpointOf(fixture)?.requests === 1 && begun === 1);
  client.reset();
  await until(() => ended.length === 1);
  expect(ended).toEqual([http2.constants.NGHTTP2_CANCEL]);
  await until(() => endpointOf(fixture)?.idleConnections === 1);
});
