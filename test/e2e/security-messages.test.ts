import { describe, expect, test } from "bun:test";
import { acceptFor } from "../../src/core/websocket-handshake.ts";
import { type FixtureSettings, GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode, type HttpMessage, header } from "../support/http-message.ts";
import { answering, friendly, okAnswer, type Script, ScriptedBackend } from "../support/scripted-backend.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

/** What the upstream saw of a request. */
async function seenUpstream(bytes: string, settings: FixtureSettings = {}): Promise<HttpMessage> {
  await using backend = ScriptedBackend.open(friendly);
  await using gateway = GatewayFixture.open({ ...settings, to: [backend] });
  await using client = await gateway.connect();
  client.write(bytes);
  expect([200, 101]).toContain((await client.response()).status);
  return backend.requests[0] as HttpMessage;
}

/** What the client gets of an answer. */
async function seenByClient(answer: string | Script, bytes: string, method = "GET"): Promise<HttpMessage> {
  await using backend = ScriptedBackend.open(typeof answer === "string" ? answering(answer) : answer);
  await using gateway = GatewayFixture.open({ to: [backend] });
  await using client = await gateway.connect();
  client.write(bytes);
  return await client.response(method);
}

function chunked(trailers: string): string {
  const headers = { "Transfer-Encoding": "chunked" };
  return request({ method: "POST", headers }, `1\r\na\r\n0\r\n${trailers}\r\n`);
}

describe("S21: the lengths that a backend sees are the gateway's own", () => {
  const lookAlikes = [
    "Content_Length",
    "content.length",
    "Transfer_Encoding",
    "TRANSFER.ENCODING",
    "Sec_WebSocket_Key",
  ];
  for (const name of lookAlikes) {
    test(`S21: ${name}, which a backend may take for the real field, is dropped`, async () => {
      for (const [make, body] of [
        [request, "hello"],
        [handshake, ""],
      ] as const) {
        const lengths = body === "" ? {} : { "Content-Length": `${body.length}` };
        const seen = await seenUpstream(make({ headers: { [name]: "0", ...lengths } }) + body);
        expect(seen.headers.map(([field]) => field)).not.toContain(name);
        expect(seen.body.toString()).toBe(body);
      }
    });
  }

  test("S21: a Proxy field, which CGI programs take for a setting of their own, is dropped", async () => {
    for (const make of [request, handshake]) {
      const seen = await seenUpstream(make({ headers: { Proxy: "http://evil.example" } }));
      expect(seen.head).not.toContain("evil");
    }
  });

  test("S21: fields that only look a little like them arrive", async () => {
    const headers = { "X-Content_Length": "1", traceparent: "00-1", my_header: "2", "Content-Language": "de" };
    const seen = await seenUpstream(request({ headers }));
    for (const [name, value] of Object.entries(headers)) expect([name, header(seen, name)]).toEqual([name, value]);
  });
});

describe("S9: trailers say nothing that only a header may say", () => {
  const refused = [
    "Content-Length",
    "Transfer-Encoding",
    "Host",
    "Connection",
    "Trailer",
    "TE",
    "Upgrade",
    "Keep-Alive",
  ];
  refused.push(
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "Content-Type",
    "Content-Range",
    "Expect",
  );
  refused.push(
    "Range",
    "If-Match",
    "Cache-Control",
    "Sec-WebSocket-Key",
    "Origin",
    "X-Forwarded-For",
    "X-Forwarded-Ssl",
  );
  refused.push(
    "Forwarded",
    "X-Request-Id",
    "X-Real-IP",
    "X_Forwarded_For",
    "X.Real.IP",
    "transfer_encoding",
    "X_Request-Id",
  );
  test("S9: what frames, routes, authenticates or tells the client's address is dropped, in every spelling", async () => {
    const lines = refused.map((name) => `${name}: evil\r\n`).join("");
    const seen = await seenUpstream(chunked(`${lines}X-Sum: 5\r\nServer-Timing: db;dur=1\r\n`));
    expect(seen.trailers).toEqual([
      ["X-Sum", "5"],
      ["Server-Timing", "db;dur=1"],
    ]);
  });

  test("S9: what a route sets or removes cannot come back as a trailer, in either direction", async () => {
    const changes = { set: { "X-User": "gateway" }, add: { "X-Group": "g" }, remove: ["X-Secret"] };
    const settings = { route: { filters: [{ headers: { request: changes, response: changes } }] } };
    const lines = "X-User: evil\r\nX_User: evil\r\nx-group: evil\r\nX-SECRET: evil\r\nX-Sum: 5\r\n";
    const seen = await seenUpstream(chunked(lines), settings);
    expect([header(seen, "x-user"), seen.trailers]).toEqual(["gateway", [["X-Sum", "5"]]]);
    await using backend = ScriptedBackend.open(
      answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${lines}\r\n`),
    );
    await using gateway = GatewayFixture.open({ ...settings, to: [backend] });
    await using client = await gateway.connect();
    client.write(request());
    expect((await client.response()).trailers).toEqual([["X-Sum", "5"]]);
  });
});

describe("S9: behind a trusted proxy", () => {
  for (const make of [request, handshake]) {
    test(`S9: Connection cannot take away what the proxy says of the client (${make.name})`, async () => {
      const names = "X-Forwarded-For, x-forwarded-proto, Forwarded, X-Forwarded-Prefix, X-Request-Id, Origin";
      const headers = {
        Connection: make === handshake ? `Upgrade, ${names}` : names,
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/shop",
        Forwarded: "for=203.0.113.9",
        "X-Request-Id": "abc",
        Origin: "https://app.example",
      };
      const seen = await seenUpstream(make({ headers }), { listener: { trustedProxies: ["127.0.0.0/8"] } });
      expect(header(seen, "x-forwarded-for")).toBe("203.0.113.9, 127.0.0.1");
      expect(header(seen, "forwarded")).toStartWith("for=203.0.113.9, ");
      for (const name of ["x-forwarded-proto", "x-forwarded-prefix", "x-request-id", "origin"]) {
        expect([name, header(seen, name)]).toEqual([name, new Headers(headers).get(name) ?? ""]);
      }
    });
  }
});

describe("S21: answers that are not quite HTTP", () => {
  for (const status of ["9e9", "5e2", "1e2", "0x9", "+20", "2.0", " 20", "20 ", "-20", "²00"]) {
    test(`S21: the status ${JSON.stringify(status)} becomes 502`, async () => {
      for (const make of [request, handshake]) {
        const response = await seenByClient(`HTTP/1.1 ${status} OK\r\nContent-Length: 0\r\n\r\n`, make());
        expect([response.status, errorCode(response)]).toEqual([502, "upstream_invalid"]);
      }
    });
  }

  for (const status of ["100 Continue", "103 Early Hints", "101 Switching Protocols"]) {
    test(`S21: HTTP/1.0 knows no ${status}`, async () => {
      for (const make of [request, handshake]) {
        const response = await seenByClient(`HTTP/1.0 ${status}\r\n\r\n${okAnswer("x")}`, make());
        expect([response.status, errorCode(response)]).toEqual([502, "upstream_invalid"]);
      }
    });
  }

  test("S2: a 101 in HTTP/1.0 opens no tunnel, however good the rest is", async () => {
    const response = await seenByClient(async (connection) => {
      const accept = acceptFor(header(await connection.request(), "sec-websocket-key") ?? "");
      const lines = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
      connection.write(`HTTP/1.0 101 Switching Protocols\r\n${lines}\r\n`);
    }, handshake());
    expect([response.status, errorCode(response)]).toEqual([502, "upstream_invalid"]);
  });

  test("S21: an interim answer has no length, and none is passed on", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nLink: </a>\r\n\r\n";
    const response = await seenByClient(`${hints}${okAnswer("ok")}`, request());
    expect(response.headers).toEqual([["Link", "</a>"]]);
  });

  test("S21: a coding in HTTP/1.0 is read, but nothing is asked on that connection any more", async () => {
    const head = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
    await using backend = ScriptedBackend.open(answering(`${head}2\r\nok\r\n0\r\n\r\n`));
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(request().repeat(2));
    for (let round = 0; round < 2; round++) expect((await client.response()).body.toString()).toBe("ok");
    expect(backend.connections.length).toBe(2);
  });

  const bodies: readonly (readonly [says: string, method: string, answer: string])[] = [
    ["204 with a body", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 40\r\n\r\n"],
    ["304 with a body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 40\r\n\r\n"],
    ["304 with chunks", "GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n"],
    ["answer to HEAD with a body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"],
    ["answer to HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n"],
  ];
  for (const [says, method, answer] of bodies) {
    test(`S21: a ${says} is an answer without one, and the body is nobody's answer`, async () => {
      const evil = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n";
      await using backend = ScriptedBackend.open(answering(`${answer}${evil}`));
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(request({ method }).repeat(2));
      const line = answer.slice(0, answer.indexOf("\r\n"));
      for (let round = 0; round < 2; round++) expect((await client.response(method)).line).toBe(line);
      expect([client.text, backend.connections.length]).toEqual(["", 2]);
    });
  }
});

describe("AC-5.2: an upgrade to something else takes the same way as any request", () => {
  const settings = { route: { filters: [{ ip: { deny: ["127.0.0.0/8"] } }] } };
  for (const protocol of ["h2c", "foo", "TLS/1.0"]) {
    test(`AC-5.2: the route's policies hold for Upgrade: ${protocol}`, async () => {
      await using backend = ScriptedBackend.open(friendly);
      await using gateway = GatewayFixture.open({ ...settings, to: [backend] });
      await using client = await gateway.connect();
      client.write(handshake({ headers: { Upgrade: protocol } }));
      const response = await client.response();
      expect([response.status, errorCode(response), backend.connections.length]).toEqual([403, "forbidden_address", 0]);
    });
  }
});
