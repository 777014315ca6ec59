import { type CertificateWish, type IssuedPair, issueCertificate } from "../../src/kit/issue-certificate.ts";

/** An authority of this test run, and what it has signed. */
let shared: { readonly authority: IssuedPair; readonly site: IssuedPair } | undefined;

/** The authority that every client of a test believes. */
export function testAuthority(): IssuedPair {
  return prepare().authority;
}

/** A certificate for app.example, localhost and 127.0.0.1. */
export function testSite(): IssuedPair {
  return prepare().site;
}

/** A certificate of the test authority. */
export function signedPair(wish: Omit<CertificateWish, "issuer">): IssuedPair {
  return issueCertificate({ ...wish, issuer: testAuthority() });
}

function prepare(): { readonly authority: IssuedPair; readonly site: IssuedPair } {
  if (shared !== undefined) return shared;
  const authority = issueCertificate({ name: "test authority", isAuthority: true });
  const hosts = ["app.example", "localhost", "127.0.0.1", "::1"];
  shared = { authority, site: issueCertificate({ name: "app.example", hosts, issuer: authority }) };
  return shared;
}

const secure = new Set<number>();

/** Clients of the tests speak TLS with this port of 127.0.0.1, until the mark is disposed of: ports come again. */
export function markSecure(port: number): Disposable {
  secure.add(port);
  return { [Symbol.dispose]: () => secure.delete(port) };
}

export function isSecurePort(port: number): boolean {
  return secure.has(port);
}

/** The same tests can be run with backends that speak TLS: CAUSEWAY_TEST_TO=wss. */
export const backendTls: Bun.TLSOptions | undefined = process.env.CAUSEWAY_TEST_TO === "wss" ? testSite() : undefined;
