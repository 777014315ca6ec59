import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { readMessage, thumbprint } from "../../../test/support/acme-message.ts";
import { AccountKey } from "./account-key.ts";
import { failureOf, retryAfterMs } from "./acme-failure.ts";

test("a message can be checked with the public half of the key, and one without a payload only asks", () => {
  const key = AccountKey.parse(AccountKey.generate().toPem());
  const header = { nonce: "n", url: "https://ca.test/order", jwk: key.jwk };
  const read = (payload: object | undefined) => readMessage(JSON.stringify(key.sign(header, payload)), () => undefined);
  expect(read({ a: 1 })).toMatchObject({ nonce: "n", url: "https://ca.test/order", payload: { a: 1 } });
  expect(read({}).payload).toEqual({});
  expect(read(undefined).payload).toBeUndefined();
  const other = { ...key.sign(header, {}), payload: "eyJhIjoyfQ" };
  expect(() => readMessage(JSON.stringify(other), () => undefined)).toThrow("the signature is wrong");
});

test("the thumbprint in a key authorization is that of RFC 7638", () => {
  const key = AccountKey.generate();
  expect(key.authorize("token")).toBe(`token.${thumbprint(key.jwk)}`);
});

test("a key that is no EC key on P-256 is refused", () => {
  const other = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ type: "pkcs8", format: "pem" });
  expect(() => AccountKey.parse(other.toString())).toThrow("P-256");
});

test.each([
  [{ type: "urn:ietf:params:acme:error:rateLimited", detail: "too many" }, "asked: too many", "rateLimited"],
  [{ detail: "two", subproblems: [{ detail: "a.test" }, { detail: "b.test" }] }, "asked: two; a.test; b.test", ""],
  [{ type: "urn:ietf:params:acme:error:dns" }, "asked: dns", "dns"],
  [undefined, "asked: no reason is given", ""],
  ["nonsense", "asked: no reason is given", ""],
])("a problem document %j says why", (problem, says, type) => {
  expect(failureOf(problem, { what: "asked" })).toMatchObject({ message: says, type });
});

test.each([
  ["120", 120_000],
  ["Sat, 21 Nov 2026 12:00:30 GMT", 30_000],
  ["Sat, 21 Nov 2026 11:00:00 GMT", 0],
  ["soon", undefined],
])("Retry-After: %s is %p ms", (text, ms) => {
  expect(retryAfterMs(new Headers({ "retry-after": text }), Date.UTC(2026, 10, 21, 12, 0, 0))).toBe(ms);
});

test("without Retry-After there is nothing to wait for", () => {
  expect(retryAfterMs(new Headers(), 0)).toBeUndefined();
});
