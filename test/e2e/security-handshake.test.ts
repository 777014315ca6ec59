import { describe, expect, test } from "bun:test";
import { acceptFor } from "../../src/core/websocket-handshake.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, sampleAccept, sampleKey } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { friendly, okAnswer, ScriptedBackend } from "../support/scripted-backend.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

describe("S1: nothing but a real 101 opens a tunnel", () => {
  const answers = ["426 Upgrade Required", "200 OK", "403 Forbidden", "302 Found", "500 Internal Server Error"];
  for (const status of answers) {
    test(`S1: after a ${status} with Upgrade headers a second request on the socket reaches nobody`, async () => {
      await using backend = ScriptedBackend.open(async (connection) => {
        await connection.request();
        const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${sampleAccept}\r\n`;
        connection.write(`HTTP/1.1 ${status}\r\n${fields}Content-Length: 2\r\n\r\nno`);
        await connection.request();
      });
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(handshake());
      const response = await client.response();
      expect(response.line).toBe(`HTTP/1.1 ${status}`);
      expect(header(response, "upgrade")).toBeUndefined();
      client.write("GET /internal HTTP/1.1\r\nHost: app.example\r\n\r\n");
      expect(await client.untilEnd()).toBe("");
      expect(backend.requests.length).toBe(1);
      expect(backend.text).not.toContain("/internal");
    });
  }

  test("S1: a version other than 13 is answered with 426 and reaches nobody, and so does what follows", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using gateway = GatewayFixture.open({ to: [backend] });
    const version = handshake({ headers: { "Sec-WebSocket-Version": "777" } });
    const client = await gateway.ask(`${version}GET /internal HTTP/1.1\r\nHost: app.example\r\n\r\n`);
    const response = await client.response();
    expect([response.status, header(response, "sec-websocket-version")]).toEqual([426, "13"]);
    expect(client.text).toBe("");
    expect(backend.connections.length).toBe(0);
  });
});

describe("S2: the gateway checks a key of its own", () => {
  test("S2: the upstream gets a fresh random key, and the client the answer to its own", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using gateway = GatewayFixture.open({ to: [backend] });
    for (let round = 0; round < 2; round++) {
      await using client = await gateway.connect();
      client.write(handshake());
      const response = await client.response();
      expect([response.status, header(response, "sec-websocket-accept")]).toEqual([101, sampleAccept]);
    }
    const keys = backend.requests.map((request) => header(request, "sec-websocket-key") ?? "");
    expect(new Set([...keys, sampleKey]).size).toBe(3);
    for (const key of keys) expect(Buffer.from(key, "base64").length).toBe(16);
  });

  const good = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  const forged: readonly (readonly [says: string, lines: (key: string) => string])[] = [
    ["without Sec-WebSocket-Accept", () => good],
    ["with the Accept of the client's key", () => `${good}Sec-WebSocket-Accept: ${sampleAccept}\r\n`],
    ["with an empty Accept", () => `${good}Sec-WebSocket-Accept:\r\n`],
    ["with two Accepts", (key) => `${good}${`Sec-WebSocket-Accept: ${acceptFor(key)}\r\n`.repeat(2)}`],
    ["without Upgrade", (key) => `Connection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n`],
    ["without Connection", (key) => `Upgrade: websocket\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n`],
    [
      "that upgrades to something else",
      (key) => `Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n`,
    ],
  ];
  for (const [says, lines] of forged) {
    test(`S2: a 101 ${says} is answered with 502 and opens no tunnel`, async () => {
      await using backend = ScriptedBackend.open(async (connection) => {
        const key = header(await connection.request(), "sec-websocket-key") ?? "";
        connection.write(`HTTP/1.1 101 Switching Protocols\r\n${lines(key)}\r\nsecret`);
      });
      await using gateway = GatewayFixture.open({ to: [backend] });
      const client = await gateway.ask(handshake());
      const response = await client.response();
      expect([response.status, errorCode(response)]).toEqual([502, "upstream_bad_handshake"]);
      expect(client.text).toBe("");
      const upstream = await backend.connection();
      await upstream.until(() => upstream.hasEnded);
      expect(gateway.gateway.sessions.size).toBe(0);
    });
  }

  test("S2: a 101 that nobody asked for is answered with 502", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      connection.switch(await connection.request());
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.ask("GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n");
    expect((await client.response()).status).toBe(502);
  });
});

describe("S3: bytes that come before the 101 stay here until then", () => {
  test("S3: a request behind a refused handshake never reaches the upstream", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.request();
      connection.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
      await connection.request();
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    const client = await gateway.ask(`${handshake()}GET /admin HTTP/1.1\r\nHost: app.example\r\n\r\n`);
    expect((await client.response()).status).toBe(403);
    expect(client.text).toBe("");
    const upstream = await backend.connection();
    await upstream.until(() => upstream.hasEnded);
    expect(upstream.rest.length).toBe(0);
    expect(backend.connections.length).toBe(1);
  });
});

type Refusal = readonly [says: string, bytes: string, status: number, code: string];

/** Handshakes that are answered by the gateway, without a word to the upstream. */
const refusals: readonly Refusal[] = [
  ["S20: a missing key", handshake({ headers: { "Sec-WebSocket-Key": undefined } }), 400, "bad_handshake"],
  ["S20: an empty key", handshake({ headers: { "Sec-WebSocket-Key": "" } }), 400, "bad_handshake"],
  ["S20: a short key", handshake({ headers: { "Sec-WebSocket-Key": "dGhlIHNhbXBsZQ==" } }), 400, "bad_handshake"],
  ["S20: a long key", handshake({ headers: { "Sec-WebSocket-Key": `AAAA${sampleKey}` } }), 400, "bad_handshake"],
  ["S20: two keys", handshake({ headers: { "Sec-WebSocket-Key": [sampleKey, sampleKey] } }), 400, "bad_handshake"],
  [
    "S20: a key that is no base64",
    handshake({ headers: { "Sec-WebSocket-Key": "%".repeat(24) } }),
    400,
    "bad_handshake",
  ],
  ...["7", "8", "12", "14", "13x", "013", "13, 8", "", "-13"].map((version): Refusal => {
    const bytes = handshake({ headers: { "Sec-WebSocket-Version": version } });
    return [`S20: version "${version}"`, bytes, 426, "upgrade_required"];
  }),
  ["S20: no version", handshake({ headers: { "Sec-WebSocket-Version": undefined } }), 426, "upgrade_required"],
  ["S20: two versions", handshake({ headers: { "Sec-WebSocket-Version": ["13", "13"] } }), 426, "upgrade_required"],
  ["S20: no Connection", handshake({ headers: { Connection: undefined } }), 400, "bad_handshake"],
  ["S20: a Connection without upgrade", handshake({ headers: { Connection: "keep-alive" } }), 400, "bad_handshake"],
  ["S20: a Connection that only begins so", handshake({ headers: { Connection: "upgrades" } }), 400, "bad_handshake"],
  ["S20: HTTP/1.0", handshake({ version: "HTTP/1.0" }), 400, "bad_handshake"],
  ["S20: HEAD", handshake({ method: "HEAD" }), 400, "bad_handshake"],
  ["S2: POST", handshake({ method: "POST" }), 400, "bad_handshake"],
  [
    "S2: POST with a body",
    `${handshake({ method: "POST", headers: { "Content-Length": "2" } })}ab`,
    400,
    "bad_handshake",
  ],
  ["S4: a body", `${handshake({ headers: { "Content-Length": "5" } })}GET /`, 400, "bad_handshake"],
  [
    "S4: a chunked body",
    `${handshake({ headers: { "Transfer-Encoding": "chunked" } })}5\r\nGET /\r\n0\r\n\r\n`,
    400,
    "bad_handshake",
  ],
  [
    "S4: both lengths",
    handshake({ headers: { "Content-Length": "0", "Transfer-Encoding": "chunked" } }),
    400,
    "bad_request",
  ],
  ["S5: a list of protocols", handshake({ headers: { Upgrade: "websocket, h2c" } }), 400, "bad_handshake"],
  ["S5: the same the other way round", handshake({ headers: { Upgrade: "h2c, websocket" } }), 400, "bad_handshake"],
  ["S5: two Upgrade fields", handshake({ headers: { Upgrade: ["websocket", "h2c"] } }), 400, "bad_handshake"],
  [
    "S5: two equal Upgrade fields",
    handshake({ headers: { Upgrade: ["websocket", "websocket"] } }),
    400,
    "bad_handshake",
  ],
  ["S5: a version behind the protocol", handshake({ headers: { Upgrade: "websocket/13" } }), 400, "bad_handshake"],
  ["S5: CONNECT", "CONNECT app.example:80 HTTP/1.1\r\nHost: app.example:80\r\n\r\n", 405, "method_not_allowed"],
];

describe("S13: every handshake that the gateway refuses ends the connection, and reaches nobody", () => {
  for (const [says, bytes, status, code] of refusals) {
    test(`${says} is answered with ${status}`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend] });
      const client = await gateway.ask(`${bytes}GET /next HTTP/1.1\r\nHost: app.example\r\n\r\n`);
      // An answer to HEAD has no content (RFC 9110 §9.3.2).
      const method = bytes.startsWith("HEAD") ? "HEAD" : "GET";
      const response = await client.response(method);
      expect([response.status, header(response, "connection")]).toEqual([status, "close"]);
      if (method === "GET") expect(errorCode(response)).toBe(code);
      expect(client.text).toBe("");
      expect(backend.connections.length).toBe(0);
      expect((await gateway.record()).error).toBe(code);
    });
  }
});

describe("S4, S5, S20: what is allowed all the same", () => {
  const allowed: readonly (readonly [says: string, headers: Record<string, string>])[] = [
    ["S4: Content-Length: 0", { "Content-Length": "0" }],
    ["S5: WebSocket in another case", { Upgrade: "WebSocket" }],
    ["S5: WEBSOCKET in capitals", { Upgrade: "WEBSOCKET" }],
    ["S20: a list of connection options", { Connection: "keep-alive, Upgrade" }],
    ["S20: UPGRADE in capitals", { Connection: "UPGRADE" }],
  ];
  for (const [says, headers] of allowed) {
    test(`${says} opens a session`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(handshake({ headers }));
      expect((await client.response()).status).toBe(101);
      const [seen] = backend.requests;
      expect(seen && header(seen, "content-length")).toBeUndefined();
      expect(seen && header(seen, "upgrade")).toBe("websocket");
    });
  }
});

describe("S5: other upgrades are plain requests", () => {
  const settings = { "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA" };
  for (const protocol of ["h2c", "TLS/1.0", "foo", "xwebsocket", "websockets", "HTTP/2.0", "websocke"]) {
    test(`S5: an upgrade to ${protocol} reaches the upstream without Upgrade, and the connection goes on`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      const headers = { Connection: "Upgrade, HTTP2-Settings", Upgrade: protocol, ...settings };
      client.write(handshake({ headers, target: "/a" }));
      const response = await client.response();
      expect([response.status, response.body.toString()]).toEqual([200, "ok"]);
      expect(backend.text).not.toMatch(/^(?:upgrade|connection|http2-settings):/im);
      client.write("GET /b HTTP/1.1\r\nHost: app.example\r\n\r\n");
      expect((await client.response()).status).toBe(200);
      expect(backend.requests.map((request) => request.line)).toEqual(["GET /a HTTP/1.1", "GET /b HTTP/1.1"]);
    });
  }

  test("S5: an upstream connection that carried a handshake is never used for a request", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      for (;;) {
        const request = await connection.request();
        connection.write(header(request, "upgrade") === undefined ? okAnswer("ok") : okAnswer("refused"));
      }
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    for (let round = 0; round < 3; round++) {
      expect((await (await gateway.ask(handshake())).response()).body.toString()).toBe("refused");
      await using client = await gateway.connect();
      client.write("GET / HTTP/1.1\r\nHost: app.example\r\n\r\n");
      expect((await client.response()).body.toString()).toBe("ok");
    }
    // Three for the handshakes, and one that all requests share.
    expect(backend.connections.map((one) => one.requests.length).sort()).toEqual([1, 1, 1, 3]);
  });
});
