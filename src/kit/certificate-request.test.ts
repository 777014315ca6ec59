import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { requires } from "../../test/support/requires.ts";
import { certificateRequest } from "./certificate-request.ts";

test.skipIf(!requires("openssl", "openssl"))("OpenSSL reads a request, its names, and its signature", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const request = certificateRequest(["a.test", "b.a.test"], privateKey);
  const openssl = Bun.spawn(["openssl", "req", "-inform", "DER", "-noout", "-text", "-verify"], {
    stdin: request,
    stderr: "pipe",
  });
  const [text = "", said = ""] = await Promise.all(
    [openssl.stdout, openssl.stderr].map((stream) => new Response(stream).text()),
  );
  expect(text).toContain("DNS:a.test, DNS:b.a.test");
  expect(text).toContain("ecdsa-with-SHA256");
  expect(said + text).toMatch(/verify OK/i);
});
