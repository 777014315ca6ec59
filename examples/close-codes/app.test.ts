import { afterAll, beforeAll, expect, test } from "bun:test";
import { JsonSocket } from "../../test/support/json-socket.ts";
import { testAuthority, testSite } from "../../test/support/test-certificates.ts";
import { TlsFiles } from "../../test/support/tls-files.ts";
import type { RunningExample } from "../shared/example.ts";
import { serveCloseCodes } from "./app.ts";

let app: RunningExample;
beforeAll(() => {
  app = serveCloseCodes({ host: "127.0.0.1", port: 0 });
});
afterAll(() => app.stop());

const longest = "é".repeat(61);

const closes: readonly (readonly [string, number, string])[] = [
  ["", 4321, "test"],
  ["?reason=other", 4321, "other"],
  ["?code=none", 1005, ""],
  ["?code=none&reason=", 1005, ""],
  ["?code=1000", 1000, ""],
  ["?code=1001&reason=going%20away", 1001, "going away"],
  ["?code=1003", 1003, ""],
  ["?code=1007", 1007, ""],
  ["?code=1011&reason=broken", 1011, "broken"],
  ["?code=1014", 1014, ""],
  ["?code=3000", 3000, ""],
  [`?code=4000&reason=${encodeURIComponent(longest)}`, 4000, longest],
  ["?code=4999&reason=%F0%9F%98%80", 4999, "😀"],
];

test.each(closes)("/ws%s closes at once, cleanly", async (query, code, reason) => {
  expect(await JsonSocket.end(`${app.url}ws${query}`)).toEqual({ code, reason, wasClean: true });
});

const refused: readonly (readonly [string, string])[] = [
  ["code=999", "1000 to 1003, 1007 to 1014, or 3000 to 4999"],
  ["code=1004", "1007 to 1014"],
  ["code=1005", "1007 to 1014"],
  ["code=1006", "1007 to 1014"],
  ["code=1015", "1007 to 1014"],
  ["code=2999", "1007 to 1014"],
  ["code=5000", "1007 to 1014"],
  ["code=", "1007 to 1014"],
  ["code=4321.0", "1007 to 1014"],
  ["code=04321", "1007 to 1014"],
  ["code=4321&code=4321", "more than once"],
  ["code=none&reason=x", "a reason needs a code"],
  [`code=4000&reason=${"x".repeat(124)}`, "at most 123 fit"],
  [`reason=${"x".repeat(124)}`, "at most 123 fit"],
  ["cod=4000", 'no parameter "cod"'],
];

test.each(refused)("?%s is refused before the upgrade, and the answer says what is legal", async (query, says) => {
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAECAwQFBgcICQoLDA0ODw==",
  };
  const answer = await fetch(`${app.url}ws?${query}`, { headers });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toEqual({ error: expect.stringContaining(says) });
});

test("the server tells its own address", async () => {
  expect(await (await fetch(`${app.url}api/direct`)).json()).toEqual({ url: app.url });
});

test("with a certificate the server listens with TLS as well, and tells both addresses", async () => {
  using files = TlsFiles.make();
  const { cert, key } = files.add("site", testSite());
  const both = serveCloseCodes({ host: "127.0.0.1", port: 0 }, { TLS_CERT: cert, TLS_KEY: key });
  const told = await (await fetch(`${both.url}api/direct`)).json();
  expect(told).toEqual({ url: both.url, secure: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+\/$/) });
  const answer = await fetch(`${told.secure}healthz`, { tls: { ca: testAuthority().cert } });
  expect(await answer.text()).toBe("ok\n");
  both.stop();
});

test("listening everywhere, the server calls itself by the name that was asked for", async () => {
  const everywhere = serveCloseCodes({ host: "0.0.0.0", port: 0 });
  const headers = { host: "gateway.example:8080" };
  const answer = await fetch(`http://127.0.0.1:${everywhere.port}/api/direct`, { headers });
  expect(await answer.json()).toEqual({ url: `http://gateway.example:${everywhere.port}/` });
  everywhere.stop();
});
