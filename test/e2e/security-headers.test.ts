import { describe, expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { type HandshakeParts, handshake, request } from "../support/handshake.ts";
import { errorCode, type HttpMessage, header } from "../support/http-message.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";

const makers = { GET: request, Upgrade: handshake } as const;
type Kind = keyof typeof makers;

/** Sends one request or handshake, and returns what the upstream saw of it. */
async function seenUpstream(
  kind: Kind,
  asked: HandshakeParts["headers"],
  settings: Parameters<typeof GatewayFixture.open>[0] = {},
): Promise<HttpMessage> {
  await using backend = ScriptedBackend.open(friendly);
  await using gateway = GatewayFixture.open({ isSecure: false, isDirect: true, ...settings, to: [backend] });
  await using client = await gateway.connect();
  const connection = String(asked?.Connection ?? "").replace(/^$/, kind === "GET" ? "keep-alive" : "Upgrade");
  client.write(makers[kind]({ headers: { ...asked, Connection: connection } }));
  expect([200, 101]).toContain((await client.response()).status);
  return backend.requests[0] as HttpMessage;
}

const identity = {
  route: { filters: [{ headers: { request: { set: { "X-User": "gateway" }, remove: ["X-Secret"] } } }] },
} as const;

for (const kind of ["GET", "Upgrade"] as const) {
  describe(`S9: a client cannot write, or take away, what the gateway says (${kind})`, () => {
    const connections = [
      "Upgrade, X-Forwarded-For, X-User",
      "upgrade,x-forwarded-for,x-user",
      "UPGRADE ,\tX-FORWARDED-FOR , X-USER,",
      "Upgrade, X-Forwarded-For, X-Forwarded-For, X-User, X-User",
      "X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port, Forwarded, X-Request-Id, X-User, Upgrade",
      "Upgrade, Host, X-User, X-Forwarded-For",
    ];
    for (const connection of connections) {
      test(`S9: with Connection: ${JSON.stringify(connection)} they all arrive (${kind})`, async () => {
        const asked = { Connection: connection, "X-Forwarded-For": "6.6.6.6", "X-User": "evil" };
        const seen = await seenUpstream(kind, asked, identity);
        expect(header(seen, "x-user")).toBe("gateway");
        expect(header(seen, "x-forwarded-for")).toBe("127.0.0.1");
        expect(header(seen, "x-forwarded-proto")).toBe("http");
        expect(header(seen, "x-forwarded-host")).toBe("app.example");
        expect(header(seen, "x-forwarded-port")).toBe("80");
        expect(header(seen, "forwarded")).toBe('for=127.0.0.1;host="app.example";proto=http');
        expect(header(seen, "x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
        expect(header(seen, "host")).toBe("app.example");
        expect(header(seen, "connection")).toBe(kind === "GET" ? undefined : "Upgrade");
      });
    }

    test(`S9: what is named in Connection stays here, whatever the case (${kind})`, async () => {
      const headers = { "X-Hop": "1", "x-other": "2", "X-Kept": "3", "Keep-Alive": "timeout=5", TE: "trailers" };
      const more = { "Proxy-Connection": "keep-alive", "Proxy-Authorization": "Basic x", Trailer: "X-T" };
      const seen = await seenUpstream(kind, { ...headers, ...more, Connection: "Upgrade, x-hop, X-OTHER" });
      expect(header(seen, "x-kept")).toBe("3");
      for (const name of ["x-hop", "x-other", ...Object.keys(more), "keep-alive", "te"]) {
        expect([name, header(seen, name)]).toEqual([name, undefined]);
      }
    });

    test(`S9: fields that say what the message is cannot be taken away (${kind})`, async () => {
      const seen = await seenUpstream(kind, {
        Connection: "Upgrade, Host, Cookie, Authorization",
        Cookie: "a=b",
        Authorization: "Bearer x",
      });
      expect([header(seen, "cookie"), header(seen, "authorization")]).toEqual(["a=b", "Bearer x"]);
    });

    test(`S9: names that a backend may take for the gateway's own are dropped (${kind})`, async () => {
      const evil = "6.6.6.6";
      const asked = {
        X_Forwarded_For: evil,
        "X.Forwarded.For": evil,
        "x_forwarded-for": evil,
        X_Forwarded_Proto: evil,
        X_Request_Id: evil,
        X_User: evil,
        "X.User": evil,
        "x-USER": evil,
        X_Secret: evil,
        "x-secret": evil,
        "X-Real-IP": evil,
        X_Real_IP: evil,
        Forwarded: `for=${evil}`,
        "X-Request-Id": evil,
        "X-Forwarded-Prefix": evil,
        "X-Forwarded-Ssl": evil,
        X_Forwarded_Server: evil,
      };
      const seen = await seenUpstream(kind, asked, identity);
      expect(seen.head).not.toContain(evil);
      expect(header(seen, "x-user")).toBe("gateway");
    });
  });

  describe(`AC-24.1: forwarded headers (${kind})`, () => {
    test(`AC-24.1: a trusted proxy's are taken over and continued (${kind})`, async () => {
      const asked = {
        "X-Forwarded-For": ["203.0.113.9", "10.0.0.1"],
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "shop.example",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Prefix": "/shop",
        Forwarded: "for=203.0.113.9;proto=https",
        "X-Request-Id": "abc-123",
      };
      const seen = await seenUpstream(kind, asked, { listener: { trustedProxies: ["127.0.0.0/8"] } });
      expect(header(seen, "x-forwarded-for")).toBe("203.0.113.9, 10.0.0.1, 127.0.0.1");
      expect(header(seen, "x-forwarded-proto")).toBe("https");
      expect(header(seen, "x-forwarded-host")).toBe("shop.example");
      expect(header(seen, "x-forwarded-port")).toBe("443");
      expect(header(seen, "x-forwarded-prefix")).toBe("/shop");
      expect(header(seen, "forwarded")).toBe(
        'for=203.0.113.9;proto=https, for=127.0.0.1;host="app.example";proto=http',
      );
      expect(header(seen, "x-request-id")).toBe("abc-123");
    });

    test(`AC-24.1: a request id that could not stand in a log is replaced (${kind})`, async () => {
      const settings = { listener: { trustedProxies: ["127.0.0.0/8"] } };
      for (const id of ['"><script>', "a b", "x".repeat(200), ""]) {
        const seen = await seenUpstream(kind, { "X-Request-Id": id }, settings);
        expect(header(seen, "x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      }
    });

    test(`AC-14.1, AC-24.1: Origin and Host arrive as they came (${kind})`, async () => {
      const seen = await seenUpstream(kind, { Host: "App.Example:8080", Origin: "https://other.example" });
      expect([header(seen, "host"), header(seen, "origin")]).toEqual(["App.Example:8080", "https://other.example"]);
      expect([header(seen, "x-forwarded-host"), header(seen, "x-forwarded-port")]).toEqual([
        "App.Example:8080",
        "8080",
      ]);
    });
  });
}

describe("S10: hop-by-hop headers of a 101 stay here", () => {
  test("S10: what concerns the upstream's connection is absent downstream, and Set-Cookie is kept", async () => {
    const lines = [
      "Keep-Alive: timeout=5",
      "Proxy-Authenticate: Basic",
      "Proxy-Connection: keep-alive",
      'Alt-Svc: h3=":443"',
      "Transfer-Encoding: chunked",
      "Content-Length: 9",
      "Trailer: X-T",
      "Connection: X-Internal",
      "X-Internal: secret",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "Server: app",
    ];
    await using backend = ScriptedBackend.open(async (connection) => {
      connection.switch(await connection.request(), { lines: `${lines.join("\r\n")}\r\n` });
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using client = await gateway.connect();
    client.write(handshake());
    const response = await client.response();
    expect(response.status).toBe(101);
    const names = response.headers.map(([name]) => name.toLowerCase());
    expect(names.sort()).toEqual([
      "connection",
      "sec-websocket-accept",
      "server",
      "set-cookie",
      "set-cookie",
      "upgrade",
    ]);
    expect(header(response, "connection")).toBe("Upgrade");
    expect(header(response, "set-cookie")).toBe("a=1, b=2");
  });

  test("S10: the same of an ordinary answer, and of one to a handshake", async () => {
    const lines =
      "Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nConnection: X-Internal, close\r\nX-Internal: secret\r\n";
    await using backend = ScriptedBackend.open(async (connection) => {
      await connection.request();
      connection.write(`HTTP/1.1 401 Unauthorized\r\n${lines}WWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n`);
    });
    await using gateway = GatewayFixture.open({ to: [backend], isDirect: true });
    for (const make of [request, handshake]) {
      await using client = await gateway.connect();
      client.write(make());
      const response = await client.response();
      expect(response.head).not.toMatch(/^(?:keep-alive|proxy-authenticate|x-internal):/im);
      expect(header(response, "www-authenticate")).toBe("Basic");
      expect(header(response, "connection")).toBe(make === request ? undefined : "close");
    }
  });
});

describe("AC-22.1: subprotocols are negotiated end to end", () => {
  type Row = readonly [says: string, offers: readonly string[], lines: string, status: number, chosen?: string];
  const rows: readonly Row[] = [
    ["one that was offered", ["chat"], "Sec-WebSocket-Protocol: chat\r\n", 101, "chat"],
    ["the second of a list", ["a, b,c"], "Sec-WebSocket-Protocol: b\r\n", 101, "b"],
    ["the last of several fields", ["a, b", "c"], "Sec-WebSocket-Protocol: c\r\n", 101, "c"],
    ["an unknown name", ["v12.stomp, x-y.z!"], "Sec-WebSocket-Protocol: x-y.z!\r\n", 101, "x-y.z!"],
    ["none", ["chat"], "", 101],
    ["none of none", [], "", 101],
    ["one that was not offered", ["chat"], "Sec-WebSocket-Protocol: other\r\n", 502],
    ["one in another case", ["chat"], "Sec-WebSocket-Protocol: Chat\r\n", 502],
    ["one though none was offered", [], "Sec-WebSocket-Protocol: chat\r\n", 502],
    ["an empty one", ["chat"], "Sec-WebSocket-Protocol:\r\n", 502],
    ["two at once", ["a, b"], "Sec-WebSocket-Protocol: a, b\r\n", 502],
    ["two in two fields", ["a, b"], "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", 502],
    ["a part of a name", ["chat2"], "Sec-WebSocket-Protocol: chat\r\n", 502],
  ];
  for (const [says, offers, lines, status, chosen] of rows) {
    test(`AC-22.1: a backend that chooses ${says} leads to ${status}`, async () => {
      await using backend = ScriptedBackend.open(async (connection) => {
        connection.switch(await connection.request(), { lines });
      });
      await using gateway = GatewayFixture.open({ to: [backend] });
      await using client = await gateway.connect();
      client.write(handshake({ headers: { "Sec-WebSocket-Protocol": offers } }));
      const response = await client.response();
      expect(response.status).toBe(status);
      expect(header(response, "sec-websocket-protocol")).toBe(chosen);
      const [seen] = backend.requests;
      const arrived = seen?.headers
        .filter(([name]) => name.toLowerCase() === "sec-websocket-protocol")
        .map(([, value]) => value);
      expect(arrived).toEqual([...offers]);
      if (status === 502) expect(errorCode(response)).toBe("upstream_bad_handshake");
    });
  }

  test("AC-22.1: an extension that nobody offered leads to 502", async () => {
    await using backend = ScriptedBackend.open(async (connection) => {
      connection.switch(await connection.request(), { lines: "Sec-WebSocket-Extensions: permessage-deflate\r\n" });
    });
    await using gateway = GatewayFixture.open({ to: [backend] });
    expect((await (await gateway.ask(handshake())).response()).status).toBe(502);
  });
});
