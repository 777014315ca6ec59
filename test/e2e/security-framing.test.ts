import { describe, expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { friendly, okAnswer, ScriptedBackend } from "../support/scripted-backend.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

type Refusal = readonly [says: string, bytes: string, status?: number];

const host = "Host: app.example\r\n";
const get = (lines: string): string => `GET / HTTP/1.1\r\n${host}${lines}\r\n`;
const post = (lines: string, body = ""): string => `POST / HTTP/1.1\r\n${host}${lines}\r\n${body}`;

/** Heads that RFC 9112 does not allow, or that two programs could read in two ways. 400 where nothing else is said. */
const badHeads: readonly Refusal[] = [
  ["a folded line", get("X-A: a\r\n b\r\n")],
  ["a line folded with a tab", get("X-A: a\r\n\tb\r\n")],
  ["a first line that is folded", `GET / HTTP/1.1\r\n ${host}\r\n`],
  ["a bare LF after the request line", `GET / HTTP/1.1\n${host}\r\n`],
  ["a bare LF after a header", get("X-A: a\n")],
  ["bare LFs everywhere", "GET / HTTP/1.1\nHost: app.example\n\n"],
  ["a bare LF that hides a header", get("X-A: a\nContent-Length: 5\r\n")],
  ["a bare CR in a header", get("X-A: a\rX-B: b\r\n")],
  ["a bare CR in the request line", `GET /\rx HTTP/1.1\r\n${host}\r\n`],
  ["two CRs before the LF", `GET / HTTP/1.1\r\r\n${host}\r\n`],
  ["a NUL in a header", get("X-A: a\0b\r\n")],
  ["a NUL in a name", get("X\0A: a\r\n")],
  ["a NUL in the target", `GET /\0 HTTP/1.1\r\n${host}\r\n`],
  ["a control character in a header", get("X-A: a\x01b\r\n")],
  ["DEL in a header", get("X-A: a\x7fb\r\n")],
  ["a space before the colon", get("X-A : a\r\n")],
  ["a tab before the colon", get("X-A\t: a\r\n")],
  ["a space before the colon of Content-Length", post("Content-Length : 5\r\n", "abcde")],
  ["a space in a name", get("X A: a\r\n")],
  ["no colon", get("X-A\r\n")],
  ["no name", get(": a\r\n")],
  ["a name with an umlaut", get("X-\xc4: a\r\n")],
  ["a name with a slash", get("X/A: a\r\n")],
  ["a lower-case protocol", `GET / http/1.1\r\n${host}\r\n`],
  ["no protocol", `GET /\r\n${host}\r\n`],
  ["HTTP/0.9", "GET /\r\n\r\n"],
  ["HTTP/1.2", `GET / HTTP/1.2\r\n${host}\r\n`, 505],
  ["HTTP/2.0", `GET / HTTP/2.0\r\n${host}\r\n`, 505],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["HTTP/1.10", `GET / HTTP/1.10\r\n${host}\r\n`],
  ["HTTP/1", `GET / HTTP/1\r\n${host}\r\n`],
  ["a protocol with something behind it", `GET / HTTP/1.1x\r\n${host}\r\n`],
  ["a missing space", `GET/ HTTP/1.1\r\n${host}\r\n`],
  ["another missing space", `GET /HTTP/1.1\r\n${host}\r\n`],
  ["two spaces", `GET  / HTTP/1.1\r\n${host}\r\n`],
  ["two spaces before the protocol", `GET /  HTTP/1.1\r\n${host}\r\n`],
  ["a tab instead of a space", `GET\t/ HTTP/1.1\r\n${host}\r\n`],
  ["a space at the end of the line", `GET / HTTP/1.1 \r\n${host}\r\n`],
  ["a space at the beginning", ` GET / HTTP/1.1\r\n${host}\r\n`],
  ["a method that is no token", `G(T / HTTP/1.1\r\n${host}\r\n`],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
  ["no Host", "GET / HTTP/1.1\r\n\r\n"],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"],
  ["two Hosts", get("Host: evil.example\r\n")],
  ["two equal Hosts", get(host)],
  ["a list of hosts", "GET / HTTP/1.1\r\nHost: app.example, evil.example\r\n\r\n"],
  ["Host with userinfo", "GET / HTTP/1.1\r\nHost: app.example@evil.example\r\n\r\n"],
  ["Host with a path", "GET / HTTP/1.1\r\nHost: app.example/x\r\n\r\n"],
  ["TRACE", `TRACE / HTTP/1.1\r\n${host}\r\n`, 405],
];

/** Lengths of bodies that nobody may guess about. */
const badFraming: readonly Refusal[] = [
  ["CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")],
  ["CL: 0 and TE", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["two different lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef")],
  ["two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde")],
  ["a list of lengths", post("Content-Length: 5, 5\r\n", "abcde")],
  ...["+5", "-5", "5x", "0x5", "5.0", "5 5", "", "5e1", "99999999999999999999", "9007199254740992", "\x0b5"].map(
    (length): Refusal => [`Content-Length "${length}"`, post(`Content-Length: ${length}\r\n`, "abcde")],
  ),
  ["two codings in one field", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 501],
  ["two codings in two fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")],
  ["chunked not last", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 501],
  ...["xchunked", "chunkedx", "identity", "gzip", "gzip, chunked", "x", "", "chunked;q=1", '"chunked"', "chunked,"].map(
    (coding): Refusal => [`Transfer-Encoding "${coding}"`, post(`Transfer-Encoding: ${coding}\r\n`, "0\r\n\r\n"), 501],
  ),
  ["a coding behind a VT", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n")],
  ["a coding before a VT", post("Transfer-Encoding: chunked\x0b\r\n", "0\r\n\r\n")],
  ["a coding with a NUL", post("Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n")],
  ["a coding on the next line", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")],
  ["a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")],
  ["HTTP/1.0 with a coding", `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
];

/** Bodies that are malformed behind a good head: nothing that comes behind may be taken for a request. */
const badChunks: readonly (readonly [says: string, body: string])[] = [
  ["a size that is no number", "x\r\nabc\r\n0\r\n\r\n"],
  ["a size with 0x", "0x3\r\nabc\r\n0\r\n\r\n"],
  ["a negative size", "-3\r\nabc\r\n0\r\n\r\n"],
  ["a signed size", "+3\r\nabc\r\n0\r\n\r\n"],
  ["an empty size", "\r\nabc\r\n0\r\n\r\n"],
  ["a size with a space before it", " 3\r\nabc\r\n0\r\n\r\n"],
  ["a size with a space behind it", "3 \r\nabc\r\n0\r\n\r\n"],
  ["a size with an underscore", "1_0\r\nabc\r\n0\r\n\r\n"],
  ["a size of 2^64", "10000000000000000\r\nabc\r\n0\r\n\r\n"],
  ["a size of 2^53", "20000000000000\r\nabc\r\n0\r\n\r\n"],
  ["a size line that ends in LF", "3\nabc\r\n0\r\n\r\n"],
  ["a size line that ends in CR", "3\rabc\r\n0\r\n\r\n"],
  ["a chunk that ends in LF", "3\r\nabc\n0\r\n\r\n"],
  ["a chunk that is longer than its size", "3\r\nabcd\r\n0\r\n\r\n"],
  ["a chunk that is shorter than its size", "4\r\nabc\r\n0\r\n\r\n"],
  ["a chunk without an end", "3\r\nabc0\r\n\r\n"],
  ["an extension with a bare LF", "3;a\nb\r\nabc\r\n0\r\n\r\n"],
  ["an extension with a bare CR", "3;a\rb\r\nabc\r\n0\r\n\r\n"],
  ["an extension with a NUL", "3;a\0\r\nabc\r\n0\r\n\r\n"],
  ["an extension of 64 KB", `3;${"a".repeat(65_536)}\r\nabc\r\n0\r\n\r\n`],
  ["a last chunk that ends in LF", "3\r\nabc\r\n0\n\r\n"],
  ["trailers that end in LF", "3\r\nabc\r\n0\r\nX-A: a\n\r\n"],
  ["a folded trailer", "3\r\nabc\r\n0\r\nX-A: a\r\n b\r\n\r\n"],
  ["a trailer with a space before the colon", "3\r\nabc\r\n0\r\nX-A : a\r\n\r\n"],
  ["trailers of 64 KB", `3\r\nabc\r\n0\r\n${"X-A: a\r\n".repeat(8192)}\r\n`],
];

const next = `GET /next HTTP/1.1\r\n${host}\r\n`;

describe("S21: heads that are not quite HTTP reach nobody, and nothing behind them does", () => {
  for (const [says, bytes, status = 400] of [...badHeads, ...badFraming]) {
    test(`S21: ${says} is answered with ${status} and the end of the connection`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend] });
      const client = await gateway.ask(bytes + next);
      const response = await client.response();
      expect([response.status, header(response, "connection")]).toEqual([status, "close"]);
      expect(errorCode(response)).not.toBe("internal");
      expect(client.text).toBe("");
      expect(backend.connections.length).toBe(0);
    });
  }
});

describe("S21: bad heads are refused as handshakes, too", () => {
  const variants: readonly Refusal[] = [
    ["a folded header", handshake({ headers: { "X-A": "a\r\n b" } })],
    ["a header with a bare CR", handshake({ headers: { "X-A": "a\rb" } })],
    ["a header with a bare LF", handshake({ headers: { "X-A": "a\nb" } })],
    ["a header with a NUL", handshake({ headers: { "X-A": "a\0b" } })],
    ["a protocol with a bare LF", handshake({ headers: { "Sec-WebSocket-Protocol": "a\nX-Evil: 1" } })],
  ];
  for (const [says, bytes] of variants) {
    test(`S21: a handshake with ${says} is answered with 400`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend] });
      const client = await gateway.ask(bytes);
      expect((await client.response()).status).toBe(400);
      expect(backend.connections.length).toBe(0);
    });
  }
});

describe("S21: a malformed chunked body", () => {
  for (const [says, body] of badChunks) {
    test(`S21: ${says} is answered with 400, and the upstream never sees the end of it`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend] });
      const client = await gateway.ask(post("Transfer-Encoding: chunked\r\n", body) + next);
      const response = await client.response();
      expect([response.status, errorCode(response)]).toEqual([400, "bad_request"]);
      expect(client.text).toBe("");
      expect(backend.requests.length).toBe(0);
      expect(backend.text).not.toContain("/next");
    });
  }
});

describe("S21: what is allowed arrives in one clean form", () => {
  const chunked = { "Transfer-Encoding": "chunked" };
  const allowed: readonly (readonly [says: string, bytes: string])[] = [
    [
      "chunk extensions",
      request({ method: "POST", headers: chunked }, '2;a=b;c="d"\r\nab\r\n1 ; x\r\nc\r\n0;y\r\n\r\n'),
    ],
    [
      "Chunked in another case",
      request({ method: "POST", headers: { "Transfer-Encoding": "Chunked" } }, "3\r\nabc\r\n0\r\n\r\n"),
    ],
    ["a tab before the coding", post("Transfer-Encoding:\tchunked\t\r\n", "3\r\nabc\r\n0\r\n\r\n")],
    ["leading zeros", request({ method: "POST", headers: chunked }, "0003\r\nabc\r\n000\r\n\r\n")],
    ["a length with zeros before it", post("Content-Length: 0003\r\n", "abc")],
    ["empty lines before the request", `\r\n\r\n${post("Content-Length: 3\r\n", "abc")}`],
  ];
  for (const [says, bytes] of allowed) {
    test(`S21: ${says} is understood, and what follows is a request of its own`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(bytes + next);
      for (let round = 0; round < 2; round++) expect((await client.response()).status).toBe(200);
      expect(backend.requests.map(({ line, body }) => [line, body.toString()])).toEqual([
        ["POST / HTTP/1.1", "abc"],
        ["GET /next HTTP/1.1", ""],
      ]);
      expect(backend.text).not.toMatch(/content-length: 000|^[0-9a-f]+ ?;|chunked\t/im);
    });
  }
});

describe("S21: sizes", () => {
  const long = "a".repeat(1000);
  const limits = { requestLine: "2KB", head: "8KB", headers: 20 };
  const cases: readonly Refusal[] = [
    ["a request line that is too long", `GET /${long.repeat(3)} HTTP/1.1\r\n${host}\r\n`, 414],
    ["a request line without an end", `GET /${long.repeat(9)}`, 414],
    ["a head that is too long", get(`X-A: ${long}\r\n`.repeat(9)), 431],
    ["a head without an end", `GET / HTTP/1.1\r\n${`X-A: ${long}\r\n`.repeat(9)}`, 431],
    ["a header without an end", `GET / HTTP/1.1\r\nX-A: ${long.repeat(9)}`, 431],
    ["too many headers", get("X-A: a\r\n".repeat(20)), 431],
  ];
  for (const [says, bytes, status = 400] of cases) {
    test(`S21: ${says} is answered with ${status}`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend], listener: { limits } });
      expect((await (await gateway.ask(bytes)).response()).status).toBe(status);
      expect(backend.connections.length).toBe(0);
    });
  }

  test("S21: just below the limits a request passes", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using gateway = GatewayFixture.open({ to: [backend], listener: { limits } });
    await using client = await gateway.connect();
    client.write(`GET /${long} HTTP/1.1\r\n${host}${"X-A: a\r\n".repeat(19)}\r\n`);
    expect((await client.response()).status).toBe(200);
  });
});

describe("S6: a request and a handshake in one write", () => {
  test("S6: a slow answer comes before the 101, and only frames come behind it", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      const request = await connection.request();
      if (header(request, "upgrade") !== undefined) {
        connection.switch(request, { bytes: Buffer.of(0x81, 1, 0x62) });
        return;
      }
      await connection.until(() => isReleased);
      connection.write(okAnswer("slow"));
    });
    let isReleased = false;
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request({ target: "/slow" }) + handshake({ target: "/ws" }));
    await (await backend.connection()).until(() => backend.requests.length === 1);
    expect([client.text, backend.connections.length]).toEqual(["", 1]);
    isReleased = true;
    expect((await client.response()).body.toString()).toBe("slow");
    expect((await client.response()).status).toBe(101);
    await client.until("\x81\x01b");
    expect(client.text).toBe("\x81\x01b");
  });

  test("S6: a request behind a handshake is no HTTP any more", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.connect();
    client.write(handshake() + next);
    expect((await client.response()).status).toBe(101);
    // "G" is no opcode, and "E" says that the frame is not masked.
    expect(await client.untilEnd()).toStartWith("\x88");
    expect(client.received.readUInt16BE(2)).toBe(1002);
    expect(backend.text).not.toContain("/next");
    client.reset();
  });
});
