import { describe, expect, test } from "bun:test";
import { type ExchangeParts, makeExchange, makeReply } from "../../../test/support/exchange.ts";
import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Filter } from "../../core/exchange.ts";
import { checkOriginDefault, createOrigin } from "./origin.ts";

const cookie = ["Cookie", "session=1"] as const;

describe("AC-14.2, AC-14.4: the filter origin", () => {
  const cases: readonly [
    allow: readonly string[],
    origin: string | undefined,
    isAllowed: boolean,
    asked?: ExchangeParts,
  ][] = [
    [[], undefined, true],
    [[], "http://app.example", true],
    [[], "http://APP.Example", true],
    [[], "HTTP://app.example", true],
    [[], "http://app.example.", true],
    [[], "http://app.example:80", true],
    [[], "http://app.example:8080", false],
    [[], "http://app.example:8080", true, { authority: "app.example:8080" }],
    [[], "https://app.example:8080", false, { authority: "app.example:8080" }],
    [[], "http://app.example", false, { authority: "app.example:8080" }],
    [[], "https://app.example", false],
    [[], "https://app.example", true, { isSecure: true }],
    [[], "http://app.example", false, { isSecure: true }],
    [[], "https://app.example:443", true, { isSecure: true, authority: "App.Example.:443" }],
    [[], "https://app.example", true, { isFromTrustedProxy: true, headers: [["X-Forwarded-Proto", "https"]] }],
    [[], "https://app.example", true, { isFromTrustedProxy: true, headers: [["X-Forwarded-Proto", "wss, http"]] }],
    [[], "https://app.example", false, { headers: [["X-Forwarded-Proto", "https"]] }],
    [
      [],
      "http://public.example",
      true,
      { isFromTrustedProxy: true, headers: [["X-Forwarded-Host", "public.example"]] },
    ],
    [[], "http://public.example", false, { headers: [["X-Forwarded-Host", "public.example"]] }],
    [[], "null", false],
    [[], "", false],
    [[], "app.example", false],
    [[], "http://app.example.evil", false],
    [[], "http://evil-app.example", false],
    [[], "http://app.example/", false],
    [[], "http://app.example/path", false],
    [[], "http://user@app.example", false],
    [[], "http://app.example@evil.example", false],
    [[], "http://app.example http://evil.example", false],
    [[], "http://[::1]:8080", true, { authority: "[0:0::1]:8080" }],
    [["*"], "https://evil.example", true],
    [["*"], "null", true],
    [["null"], "null", true],
    [["null"], "https://evil.example", false],
    [["https://a.example"], "https://a.example", true],
    [["https://a.example"], "https://A.EXAMPLE:443", true],
    [["https://a.example"], "https://a.example.", true],
    [["https://a.example"], "http://a.example", false],
    [["https://a.example"], "https://a.example:8443", false],
    [["https://a.example:8443"], "https://a.example:8443", true],
    [["https://a.example"], "https://b.a.example", false],
    [["https://a.example"], "https://a.example.evil", false],
    [["https://*.a.example"], "https://b.a.example", true],
    [["https://*.a.example"], "https://c.b.a.example", true],
    [["https://*.a.example"], "https://a.example", false],
    [["https://*.a.example"], "https://evila.example", false],
    [["https://*.a.example"], "http://b.a.example", false],
    [["https://*.a.example:8443"], "https://b.a.example:8443", true],
    [["https://*.a.example:8443"], "https://b.a.example", false],
    [["https://b\u00fccher.example"], "https://xn--bcher-kva.example", true],
    [["https://*.b\u00fccher.example:81"], "https://shop.xn--bcher-kva.example:81", true],
    [["https://xn--bcher-kva.example"], "https://b\u00fccher.example", false],
    [["/https://[a-z]+\\.example/"], "https://abc.example", true],
    [["/https://[a-z]+\\.example/"], "https://ABC.example:443", true],
    [["/https://[a-z]+\\.example/"], "https://abc.example.evil", false],
    [["/https://[a-z]+\\.example/"], "https://abcxexample", false],
    [["chrome-extension://abcdef"], "chrome-extension://abcdef", true],
    [["https://a.example", "https://b.example"], "https://b.example", true],
  ];
  for (const [allow, origin, isAllowed, asked] of cases) {
    const allows = allow.length === 0 ? "its own host" : JSON.stringify(allow);
    const about = asked === undefined ? "" : ` of ${JSON.stringify(asked)}`;
    for (const kind of ["request", "handshake"] as const) {
      test(`which allows ${allows} ${isAllowed ? "lets" : "does not let"} ${origin} pass${about} (${kind})`, async () => {
        const headers = [...(asked?.headers ?? []), ...(origin === undefined ? [] : [["Origin", origin] as const])];
        const exchange = makeExchange({ ...asked, headers, kind });
        expect(await outcome(createOrigin({ type: "origin", allow, mode: "block" }), exchange)).toBe(
          isAllowed ? "passed" : "403",
        );
        const reported = makeExchange({ ...asked, headers, kind });
        expect(await outcome(createOrigin({ type: "origin", allow, mode: "report" }), reported)).toBe("passed");
        expect(reported.notes.report).toBe(isAllowed ? undefined : "forbidden_origin");
      });
    }
  }

  test("does not take the first of several Origin fields for the truth", async () => {
    const headers = [["Origin", "http://app.example"] as const, ["Origin", "http://app.example"] as const];
    const filter = createOrigin({ type: "origin", allow: ["*"], mode: "block" });
    expect(await outcome(filter, makeExchange({ headers }))).toBe("403");
  });
});

describe("AC-14.3: the default check of Origin", () => {
  const cases: readonly [says: string, asked: ExchangeParts, outcome: string][] = [
    ["a handshake with cookies from another origin", { headers: [["Origin", "https://evil.example"], cookie] }, "403"],
    ["a handshake with cookies from an opaque origin", { headers: [["Origin", "null"], cookie] }, "403"],
    ["a handshake with cookies from another port", { headers: [["Origin", "http://app.example:81"], cookie] }, "403"],
    [
      "a handshake with cookies and two origins",
      { headers: [["Origin", "http://app.example"], ["Origin", "null"], cookie] },
      "403",
    ],
    ["a handshake with cookies from its own origin", { headers: [["Origin", "http://app.example"], cookie] }, "passed"],
    ["a handshake with cookies and no origin", { headers: [cookie] }, "passed"],
    ["a handshake without cookies from another origin", { headers: [["Origin", "https://evil.example"]] }, "passed"],
  ];
  for (const [says, asked, expected] of cases) {
    test(`${says}: ${expected}`, async () => {
      expect(await outcome(checkOriginDefault, makeExchange({ ...asked, kind: "handshake" }))).toBe(expected);
      // Requests are what CORS and SameSite are for.
      expect(await outcome(checkOriginDefault, makeExchange({ ...asked, kind: "request" }))).toBe("passed");
    });
  }
});

async function outcome(filter: Filter, exchange: Exchange): Promise<string> {
  try {
    await filter(exchange, async () => makeReply(exchange.kind));
    return "passed";
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.code !== "forbidden_origin") throw thrown;
    return String(thrown.status);
  }
}
