import { describe, expect, test } from "bun:test";
import { type ErrorCode, errorTable } from "../../src/core/errors.ts";
import { type FixtureSettings, GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { friendly, type Script, ScriptedBackend, silent } from "../support/scripted-backend.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

describe("AC-8.1: an upstream's answer to a handshake is the client's answer", () => {
  const answers: readonly (readonly [line: string, lines: string])[] = [
    ["301 Moved Permanently", "Location: https://www.example/ws\r\n"],
    ["302 Found", "Location: /login\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"],
    ["307 Temporary Redirect", "Location: /x\r\n"],
    ["400 Bad Request", ""],
    ["401 Unauthorized", 'WWW-Authenticate: Basic realm="a"\r\nSet-Cookie: a=1\r\n'],
    ["403 Forbidden", "X-Why: no\r\n"],
    ["404 Not Found", ""],
    ["418 I'm a teapot", "X-Tea: earl grey\r\n"],
    ["426 Upgrade Required", "Sec-WebSocket-Version: 8, 7\r\n"],
    ["429 Too Many Requests", "Retry-After: 7\r\n"],
    ["500 Internal Server Error", ""],
    ["503 Service Unavailable", "Retry-After: 7\r\n"],
    ["200 OK", ""],
  ];
  for (const [line, lines] of answers) {
    for (const how of ["with a length", "in chunks", "until it closes"] as const) {
      test(`AC-8.1: ${line} ${how} arrives with its headers and its body, and the connection is closed`, async () => {
        const body = {
          "with a length": "Content-Length: 4\r\n\r\nbody",
          "in chunks": "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        };
        const rest = how === "until it closes" ? "\r\nbody" : body[how];
        await using backend = ScriptedBackend.open(async (connection) => {
          await connection.request();
          connection.write(`HTTP/1.1 ${line}\r\n${lines}Keep-Alive: timeout=5\r\n${rest}`);
          if (how === "until it closes") connection.end();
        });
        await using gateway = GatewayFixture.open({ to: [backend] });
        const client = await gateway.ask(handshake());
        const response = await client.response();
        expect([response.line, response.body.toString(), response.isComplete]).toEqual([
          `HTTP/1.1 ${line}`,
          "body",
          true,
        ]);
        expect(response.head).toContain(lines.trimEnd());
        expect([header(response, "connection"), header(response, "keep-alive")]).toEqual(["close", undefined]);
        const upstream = await backend.connection();
        await upstream.until(() => upstream.hasEnded);
        expect(await gateway.record()).toMatchObject({ isHandshake: true, status: response.status, bytesOut: 4 });
      });
    }
  }
});

type ErrorCase = {
  readonly code: ErrorCode;
  readonly status: number;
  readonly bytes?: string;
  readonly settings?: FixtureSettings;
  readonly script?: Script;
  readonly headers?: Readonly<Record<string, unknown>>;
};

const dead = { upstream: { endpoints: ["127.0.0.1:1"] } };
const filters = (...list: readonly object[]): FixtureSettings => ({ route: { filters: list } });

/** Errors that the gateway makes itself; what is not said is a good handshake. */
const errors: readonly ErrorCase[] = [
  { code: "bad_handshake", status: 400, bytes: handshake({ headers: { "Sec-WebSocket-Key": "x" } }) },
  { code: "bad_request", status: 400, bytes: handshake({ headers: { Host: ["a.example", "b.example"] } }) },
  { code: "bad_target", status: 400, bytes: handshake({ target: "/../x" }) },
  {
    code: "forbidden_origin",
    status: 403,
    bytes: handshake({ headers: { Origin: "https://evil.example", Cookie: "a=b" } }),
  },
  { code: "forbidden_address", status: 403, settings: filters({ ip: { deny: ["127.0.0.0/8"] } }) },
  { code: "no_route", status: 404, settings: { route: { match: { host: "other.example" } } } },
  { code: "method_not_allowed", status: 405, bytes: request({ method: "TRACE" }) },
  { code: "target_too_long", status: 414, bytes: handshake({ target: `/${"a".repeat(10_000)}` }) },
  {
    code: "upgrade_required",
    status: 426,
    bytes: handshake({ headers: { "Sec-WebSocket-Version": "8" } }),
    headers: { "sec-websocket-version": "13" },
  },
  {
    code: "request_timeout",
    status: 408,
    settings: { listener: { timeouts: { head: "100ms" } } },
    bytes: handshake().slice(0, -2),
  },
  {
    code: "too_many_requests",
    status: 429,
    settings: filters({ limit: { perSecond: { rate: 0.001, burst: 1 } } }),
    bytes: request({ headers: { Connection: "close" } }),
    headers: { "retry-after": expect.stringMatching(/^[1-9][0-9]*$/) },
  },
  { code: "head_too_large", status: 431, bytes: handshake({ headers: { "X-A": Array<string>(200).fill("a") } }) },
  {
    code: "not_implemented",
    status: 501,
    bytes: request({ method: "POST", headers: { "Transfer-Encoding": "gzip" } }),
  },
  { code: "version_not_supported", status: 505, bytes: handshake({ version: "HTTP/1.2" }) },
  { code: "upstream_refused", status: 502, settings: dead },
  { code: "upstream_lost", status: 502, script: (connection) => connection.end() },
  { code: "upstream_invalid", status: 502, script: (connection) => void connection.write("hello\r\n\r\n") },
  {
    code: "upstream_bad_handshake",
    status: 502,
    script: async (connection) => {
      await connection.request();
      connection.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    },
  },
  { code: "upstream_empty", status: 503, settings: { route: { to: [{ upstream: "app", weight: 0 }] } } },
  { code: "upstream_timeout", status: 504, script: silent, settings: { route: { timeouts: { handshake: "100ms" } } } },
];

describe("AC-8.2: errors of the gateway are told apart", () => {
  for (const { code, status, bytes = handshake(), settings, script = friendly, headers } of errors) {
    test(`AC-8.2: ${code} is answered with ${status}, its code and a request id`, async () => {
      await using backend = ScriptedBackend.open(script);
      await using gateway = GatewayFixture.open({ ...settings, to: [backend] });
      // The first one is within the limit.
      if (code === "too_many_requests") await gateway.ask(bytes);
      const client = await gateway.ask(bytes);
      const response = await client.response();
      expect([response.status, header(response, "content-type")]).toEqual([status, "application/json"]);
      expect(header(response, "connection")).toBe("close");
      const { error } = JSON.parse(response.body.toString());
      const id = header(response, "x-request-id");
      expect(error).toEqual({ code, message: expect.stringMatching(/^[a-zA-Z].{5,}/), requestId: id });
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      for (const [name, value] of Object.entries(headers ?? {}))
        expect(header(response, name)).toEqual(value as string);
      expect(await gateway.record(code === "too_many_requests" ? 2 : 1)).toMatchObject({
        error: code,
        status,
        requestId: id,
      });
      // Whatever went wrong, the client learns nothing about what is behind the gateway.
      expect(response.body.toString()).not.toContain("127.0.0.1");
    });
  }

  test("AC-8.2: every code has its row, but for those that need more than one handshake", () => {
    const here = new Map(errors.map(({ code, status }) => [code, status]));
    const others = errorTable().filter(({ code, status }) => here.get(code) !== status);
    expect(others.map(({ code }) => code).sort()).toEqual([
      "client_gone",
      "draining",
      "early_data_too_long",
      "internal",
      "misdirected_request",
      "overloaded",
      "plain_http",
      "tls_failed",
      "too_many_sessions",
      "upstream_certificate",
      "upstream_connect_timeout",
      "upstream_full",
      "upstream_tls",
    ]);
  });

  test("AC-8.2: while the gateway drains, a handshake is answered with 503 and Retry-After", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using gateway = GatewayFixture.open({ to: [backend] });
    await using open = await gateway.connect();
    open.write(request());
    await open.response();
    await using client = await gateway.connect();
    client.write(handshake({ target: "/first" }));
    expect((await client.response()).status).toBe(101);
    await using late = await gateway.connect();
    late.write("GET / HT");
    await gateway.ask("x\r\n\r\n");
    void gateway.gateway.drain({ windowMs: 5000, graceMs: 5000, code: 1012, reason: "" });
    late.write(handshake().slice("GET / HT".length));
    const response = await late.response();
    expect([response.status, errorCode(response)]).toEqual([503, "draining"]);
    expect(header(response, "retry-after")).toMatch(/^[1-9][0-9]*$/);
  });

  test("AC-8.2: a browser gets a page, whose text cannot come from the request", async () => {
    await using gateway = GatewayFixture.open({ route: { match: { host: "other.example" } } });
    const client = await gateway.ask(
      request({ target: "/<script>", headers: { Accept: "text/html", Connection: "close", "X-Request-Id": "<b>" } }),
    );
    const response = await client.response();
    expect(response.body.toString()).toContain("<h1>404 Not Found</h1>");
    expect(response.body.toString()).not.toMatch(/<script>|<b>/);
  });
});
