import { afterAll, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { AcmeServer } from "../../../test/support/acme-server.ts";
import { signedPair, testAuthority } from "../../../test/support/test-certificates.ts";
import type { AcmeChallenge } from "../../core/acme-challenge.ts";
import { challengePath } from "../../core/acme-challenge.ts";
import type { AcmeAuthority } from "../../core/acme-settings.ts";
import { AccountKey } from "./account-key.ts";
import { AcmeAccount } from "./acme-account.ts";
import { type CertificateOrder, orderCertificate } from "./order-certificate.ts";

/** Shows what is presented, and nothing else. */
const shown = new Map<string, string>();
const site = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: ({ url }) => {
    const answer = shown.get(new URL(url).pathname);
    return new Response(answer ?? "nothing here", { status: answer === undefined ? 404 : 200 });
  },
});
afterAll(() => site.stop(true));

async function present(challenge: AcmeChallenge): Promise<Disposable> {
  if (challenge.type !== "http-01") throw new Error("only http-01 is shown here");
  const path = challengePath + challenge.token;
  shown.set(path, challenge.answer);
  return { [Symbol.dispose]: () => shown.delete(path) };
}

async function order(
  server: AcmeServer,
  more: Partial<CertificateOrder & AcmeAuthority> = {},
  key = AccountKey.generate(),
) {
  const signal = more.signal ?? AbortSignal.timeout(5000);
  const settings = { directory: server.directory, ca: testAuthority().cert, ...more };
  const account = await AcmeAccount.open(settings, key, signal);
  return orderCertificate(account, { names: ["a.test", "b.test"], challenge: "http-01", present, signal, ...more });
}

function open(more: object = {}): AcmeServer {
  return new AcmeServer({ httpPort: site.port ?? 0, tlsPort: 0, ...more });
}

test("a certificate for several names comes with its chain and a key that fits", async () => {
  await using server = open();
  const { cert, key } = await order(server, { email: "ops@a.test" });
  const leaf = new X509Certificate(cert);
  expect(leaf.subjectAltName).toBe("DNS:a.test, DNS:b.test");
  expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(server.contacts).toEqual(["mailto:ops@a.test"]);
  // The first nonce of a client is always spoiled.
  expect(server.problems).toEqual(["badNonce"]);
  expect(shown.size).toBe(0);
});

test("a second order with the same key is made by the same account", async () => {
  await using server = open();
  const key = AccountKey.parse(AccountKey.generate().toPem());
  await order(server, {}, key);
  await order(server, { names: ["c.test"] }, key);
  expect(server.issued).toEqual(["a.test,b.test", "c.test"]);
});

test("a name that cannot be shown to be ours fails the order, and says what the authority saw", async () => {
  await using server = open();
  const failing = order(server, { present: async () => ({ [Symbol.dispose]: () => {} }) });
  await expect(failing).rejects.toThrow('a.test could not be shown to be ours: a.test answers 404 "nothing here"');
  expect(server.issued).toEqual([]);
});

test("a challenge that is not offered fails the order, and says which are", async () => {
  await using server = open({ challenges: ["tls-alpn-01"] });
  await expect(order(server)).rejects.toThrow("the authority does not offer http-01 for a.test, but tls-alpn-01");
});

test("an account is bound to one that is there already, by its key alone", async () => {
  const eab = { keyId: "k1", hmacKey: Buffer.from("a shared secret of 32 characters").toString("base64url") };
  await using server = open({ eab });
  await expect(order(server)).rejects.toThrow("this account is bound to none");
  await expect(order(server, { eab: { ...eab, hmacKey: "c29tZXRoaW5nIGVsc2U" } })).rejects.toThrow("bound to none");
  await order(server, { eab });
  expect(server.issued).toEqual(["a.test,b.test"]);
});

test("an authority that is busy says how long", async () => {
  await using server = open({ isBusyFor: 90 });
  await expect(order(server)).rejects.toMatchObject({ type: "rateLimited", retryAfterMs: 90_000 });
});

test("what is no directory, or not there, or not believed, is said by its URL", async () => {
  await using server = open();
  const nowhere = server.directory.replace("/directory", "/nonce");
  await expect(order(server, { directory: nowhere })).rejects.toThrow(`${nowhere} is no ACME directory`);
  await expect(order(server, { ca: signedPair({ name: "stranger" }).cert })).rejects.toThrow(
    `${server.directory} cannot be asked`,
  );
  await expect(order(server, { directory: "https://127.0.0.1:1/directory" })).rejects.toThrow("cannot be asked");
});

test("an order that nobody wants any more ends", async () => {
  await using server = open();
  const ending = new AbortController();
  const waiting = order(server, {
    signal: ending.signal,
    present: async () => {
      ending.abort();
      return { [Symbol.dispose]: () => {} };
    },
  });
  await expect(waiting).rejects.toThrow();
  expect(server.issued).toEqual([]);
});
