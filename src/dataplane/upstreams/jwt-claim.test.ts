import { expect, test } from "bun:test";
import { jwtClaim } from "./jwt-claim.ts";

function token(claims: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.c2lnbmF0dXJl`;
}

test.each([
  { says: "a text", field: token({ sub: "anna" }), name: "sub", is: "anna" },
  { says: "a text beyond ASCII", field: token({ sub: "Ännä" }), name: "sub", is: "Ännä" },
  { says: "a number", field: token({ tenant: 7 }), name: "tenant", is: "7" },
  { says: "a truth value", field: token({ beta: false }), name: "beta", is: "false" },
  { says: "a bearer token", field: `Bearer ${token({ sub: "anna" })}`, name: "sub", is: "anna" },
  { says: "a bearer token in other letters", field: `bearer  ${token({ sub: "anna" })}`, name: "sub", is: "anna" },
  {
    says: "a claim with an odd name",
    field: token({ "https://a.example/tenant": "a" }),
    name: "https://a.example/tenant",
    is: "a",
  },
])("$says is read", ({ field, name, is }) => {
  expect(jwtClaim(field, name)).toBe(is);
});

test.each([
  { says: "no token", field: "" },
  { says: "a word", field: "Bearer" },
  { says: "a password", field: "Basic YTpi" },
  { says: "two parts", field: "a.e30" },
  { says: "an encrypted token of five parts", field: "a.b.c.d.e" },
  { says: "a payload that is no base64url", field: "a.{}.c" },
  { says: "a payload that is no JSON", field: `a.${Buffer.from("hello").toString("base64url")}.c` },
  { says: "a payload that is a list", field: token(["sub"]) },
  { says: "a payload that is nothing", field: token(null) },
  { says: "other claims", field: token({ iss: "a" }) },
  { says: "a claim that is a map", field: token({ sub: { a: 1 } }) },
  { says: "a claim that is null", field: token({ sub: null }) },
  { says: "deep nesting", field: `a.${Buffer.from("[".repeat(8000)).toString("base64url")}.c` },
  { says: "a token that is too long", field: token({ sub: "anna", more: "x".repeat(20_000) }) },
])("$says has no claim", ({ field }) => {
  expect(jwtClaim(field, "sub")).toBeUndefined();
});

test("what every object has is no claim", () => {
  expect(jwtClaim(token({ sub: "anna" }), "constructor")).toBeUndefined();
  expect(jwtClaim(token({ sub: "anna" }), "__proto__")).toBeUndefined();
});
