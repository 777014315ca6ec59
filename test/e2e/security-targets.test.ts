import { describe, expect, test } from "bun:test";
import { targetCases } from "../../src/core/testdata/targets.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

type Row = readonly [raw: string, status: number];

const makers = { GET: request, Upgrade: handshake } as const;

/** What a gateway in front of one backend makes of a target: the status, and the request line that went upstream. */
class TargetProbe implements AsyncDisposable {
  readonly backend = ScriptedBackend.open(friendly);
  readonly gateway: GatewayFixture;

  constructor(settings: Parameters<typeof GatewayFixture.open>[0] = {}) {
    this.gateway = GatewayFixture.open({
      listener: { limits: { requestLine: "16KB" } },
      ...settings,
      to: [this.backend],
    });
  }

  async ask(
    bytes: string,
  ): Promise<{ status: number; line: string | undefined; host: string | undefined; code: string }> {
    const before = this.backend.requests.length;
    await using client = await this.gateway.connect();
    client.write(bytes);
    const response = await client.response();
    const seen = this.backend.requests[before];
    const status = response.status === 101 ? 200 : response.status;
    return {
      status,
      line: seen?.line,
      host: seen && header(seen, "host"),
      code: status < 400 ? "" : errorCode(response),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.backend[Symbol.asyncDispose]();
  }
}

/** Bytes of a target that is not in latin1, as a client would have sent them. */
function wireForm(raw: string): string {
  return /[^\0-\xff]/.test(raw) ? Buffer.from(raw, "utf8").toString("latin1") : raw;
}

for (const [kind, make] of Object.entries(makers)) {
  describe(`AC-23.1, S8: request-targets of a ${kind}`, () => {
    test(`AC-23.1: every target of the table is passed on byte for byte, or refused with 400 (${kind})`, async () => {
      await using probe = new TargetProbe();
      for (const item of targetCases) {
        const raw = wireForm(item.raw);
        // A line end makes another request of it, and the absolute form has a table of its own.
        if (raw.includes("\n") || /^https?:\/\//.test(raw)) continue;
        const seen = await probe.ask(make({ target: raw }));
        const expected =
          "problem" in item
            ? { status: 400, line: undefined, host: undefined }
            : { status: 200, line: `GET ${raw} HTTP/1.1`, host: "app.example" };
        expect({ raw, ...seen }).toMatchObject({ raw, ...expected });
      }
    });

    const escapes = targetCases.filter((item) => /\.\.|%2e|\/\//i.test(item.raw)).map((item) => wireForm(item.raw));
    test(`S8: no target leaves the prefix of its route, rewritten or not (${kind})`, async () => {
      await using probe = new TargetProbe({
        routes: {
          chat: { match: { path: "/chat" }, filters: [{ rewrite: { prefix: "/inner" } }] },
        },
      });
      for (const raw of escapes) {
        if (raw.includes("\n")) continue;
        const seen = await probe.ask(make({ target: `/chat${raw}` }));
        if (seen.status === 200)
          expect([raw, seen.line]).toEqual([raw, expect.stringMatching(/^GET \/inner(?:[/?]\S*)? /)]);
        else expect([raw, [400, 404].includes(seen.status), seen.line]).toEqual([raw, true, undefined]);
        const segments = decodeURIComponent((seen.line ?? "").split(/[ ?]/)[1]?.replace(/%[89a-f]/gi, "x") ?? "");
        expect(segments.split("/").map((segment) => segment.replace(/;.*/, ""))).not.toContain("..");
      }
    });

    const hosts: readonly Row[] = [
      ["http://app.example/x?y", 200],
      ["http://APP.example/x?y", 200],
      ["HTTP://app.example/x?y", 200],
      ["http://app.example", 200],
      ["http://app.example?y", 200],
      ["http://evil.example/x", 400],
      ["http://app.example.evil.example/x", 400],
      ["http://app.example:81/x", 400],
      ["http://app.example@evil.example/x", 400],
      ["http://user:pw@app.example/x", 400],
      ["http://evil.example#@app.example/", 400],
      ["http://app.example\\@evil.example/", 400],
      ["http:///x", 400],
      ["http:/x", 400],
      ["http://", 400],
      ["http://app.example//evil.example/", 400],
      ["http://app.example/../x", 400],
      ["http://app.example/x#y", 400],
      ["ftp://app.example/x", 400],
      ["file:///etc/passwd", 400],
      ["gopher://app.example/", 400],
      ["javascript:alert(1)", 400],
      ["//evil.example/x", 400],
      ["\\\\evil.example\\x", 400],
      ["/\\evil.example", 400],
      ["@evil.example/x", 400],
      [":80/x", 400],
      ["evil.example:80", 400],
      ["evil.example/x", 400],
      ["/x#@evil.example", 400],
      ["#", 400],
      ["*", 400],
    ];
    test(`S7: no request-target leads to another host (${kind})`, async () => {
      await using probe = new TargetProbe();
      for (const [raw, status] of hosts) {
        const seen = await probe.ask(make({ target: raw }));
        expect([raw, seen.status]).toEqual([raw, status]);
        if (status === 200) {
          expect([raw, seen.host]).toEqual([raw, "app.example"]);
          expect(seen.line).toMatch(/^GET \/(?:x\?y|\?y)? HTTP\/1\.1$/);
        } else expect([raw, seen.line, seen.code]).toEqual([raw, undefined, "bad_target"]);
      }
    });

    test(`S7: CR LF in a target makes no second header upstream (${kind})`, async () => {
      for (const raw of [
        "/x HTTP/1.1\r\nX-Evil: 1\r\nX-Rest:",
        "/x\r\nX-Evil: 1",
        "/%0d%0aX-Evil:%201",
        "/x\rX-Evil:1",
      ]) {
        await using probe = new TargetProbe();
        await probe.ask(make({ target: raw }));
        const [seen] = probe.backend.requests;
        // The first one is a proper request with a header of that name, and stays one.
        const mayHave = raw.startsWith("/x HTTP/1.1\r\n");
        expect([raw, seen !== undefined && header(seen, "x-evil") !== undefined]).toEqual([raw, mayHave]);
      }
    });
  });
}

describe("AC-23.1: a rewrite works on the raw form", () => {
  const rows: readonly (readonly [filter: object, target: string, line: string])[] = [
    [{ prefix: "/" }, "/chat/a%2Fb//c?x=%2e%2e/&y=?", "/a%2Fb//c?x=%2e%2e/&y=?"],
    [{ prefix: "/v2" }, "/chat/%E2%82%AC;p=1", "/v2/%E2%82%AC;p=1"],
    [{ prefix: "/v2" }, "/%63hat/x", "/v2/x"],
    [{ regex: "^/chat/(.*)$", to: "/$1/tail" }, "/chat/a%2Fb?q", "/a%2Fb/tail?q"],
  ];
  for (const [rewrite, target, line] of rows) {
    for (const [kind, make] of Object.entries(makers)) {
      test(`AC-23.1: ${JSON.stringify(rewrite)} makes ${target} ${line} (${kind})`, async () => {
        await using probe = new TargetProbe({ route: { match: { path: "/chat" }, filters: [{ rewrite }] } });
        expect((await probe.ask(make({ target }))).line).toBe(`GET ${line} HTTP/1.1`);
      });
    }
  }
});

describe("S22: routes are found by the whole host", () => {
  const routes = {
    app: { match: { host: "app.example" } },
    wild: { match: { host: "*.wild.example" }, filters: [{ headers: { request: { set: { "x-route": "wild" } } } }] },
  };
  const rows: readonly Row[] = [
    ["app.example", 200],
    ["APP.Example", 200],
    ["app.example.", 200],
    ["app.example:80", 200],
    ["app.example:8443", 200],
    ["app.example.:80", 200],
    ["a.wild.example", 200],
    ["a.b.wild.example", 200],
    ["app.example.evil", 404],
    ["a.app.example", 404],
    ["xapp.example", 404],
    ["app.example-evil", 404],
    ["evil.example", 404],
    ["wild.example", 404],
    ["awild.example", 404],
    ["a.wild.example.evil", 404],
    ["app.example@evil.example", 400],
    ["evil.example@app.example", 400],
    ["user:pw@app.example", 400],
    ["app.example:80@evil.example", 400],
    ["app.example..", 400],
    [".app.example", 400],
    ["app..example", 400],
    ["app.example:", 200],
    ["app.example:x", 400],
    ["app.example:0", 400],
    ["app.example:99999", 400],
    ["app.example/evil", 400],
    ["app.example#evil", 400],
    ["app.example\\evil", 400],
    ["app%2eexample", 400],
    ["app.example%00", 400],
    ["app.example evil.example", 400],
    ["[::1", 400],
    ["127.0.0.1", 404],
    ["[::1]", 404],
  ];
  for (const [kind, make] of Object.entries(makers)) {
    test(`S22: a host that only looks like the route's does not get there (${kind})`, async () => {
      await using probe = new TargetProbe({ routes });
      for (const [host, status] of rows) {
        const seen = await probe.ask(make({ headers: { Host: host } }));
        expect([host, seen.status]).toEqual([host, status]);
        expect([host, seen.host]).toEqual([host, status === 200 ? host : undefined]);
      }
    });
  }
});
