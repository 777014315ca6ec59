import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { issueCertificate } from "./issue-certificate.ts";

const hosts = ["a.test", "*.a.test", "127.0.0.1", "::1", "2001:db8::7"];

test.each(["ec", "rsa"] as const)("a certificate with a key of the type %s says what it was told to say", (keyType) => {
  const from = Date.UTC(2026, 0, 2, 3, 4, 5);
  const until = Date.UTC(2051, 5, 6, 7, 8, 9);
  const { cert, key } = issueCertificate({ name: "Ä test", hosts, from, until, keyType });
  const read = new X509Certificate(cert);
  expect(read.subject).toBe("CN=Ä test");
  expect(read.subjectAltName).toBe(
    "DNS:a.test, DNS:*.a.test, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:0:0:0:7",
  );
  expect(Date.parse(read.validFrom)).toBe(from);
  expect(Date.parse(read.validTo)).toBe(until);
  expect(read.ca).toBe(false);
  expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(read.verify(read.publicKey)).toBe(true);
});

test("an authority signs for others, and is found by its name", () => {
  const issuer = issueCertificate({ name: "authority", isAuthority: true });
  const { cert } = issueCertificate({ name: "leaf", hosts: ["leaf.test"], issuer });
  const [authority, leaf] = [new X509Certificate(issuer.cert), new X509Certificate(cert)];
  expect(authority.ca).toBe(true);
  expect(leaf.checkIssued(authority)).toBe(true);
  expect(leaf.verify(authority.publicKey)).toBe(true);
  expect(leaf.verify(leaf.publicKey)).toBe(false);
});

test("no two certificates have the same serial number", () => {
  const serials = [1, 2].map(() => new X509Certificate(issueCertificate({ name: "x" }).cert).serialNumber);
  expect(serials[0]).not.toBe(serials[1]);
});
