import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import { bits, type Der, der, integer, objectId, octets, sequence, setOf, time, truth, utf8 } from "./der.ts";

/** A certificate and its private key, both in PEM. */
export type IssuedPair = { readonly cert: string; readonly key: string };

/** What a certificate shall say. */
export type CertificateWish = {
  /** The common name, which tells it from others. */
  readonly name: string;
  /** DNS names and IP addresses that it stands for. */
  readonly hosts?: readonly string[];
  /** True if it may sign others. */
  readonly isAuthority?: boolean;
  /** Unix milliseconds; from yesterday for 90 days unless told otherwise. */
  readonly from?: number;
  readonly until?: number;
  /** Who signs it, another one that was made here; itself by default. */
  readonly issuer?: IssuedPair;
  readonly keyType?: "ec" | "rsa";
  /** Extensions beside the usual ones, which whoever does not know them has to refuse. */
  readonly critical?: readonly CriticalExtension[];
};

/** An extension by its object identifier in dotted form, and its encoded value. */
export type CriticalExtension = { readonly id: string; readonly value: Der };

const dayMs = 86_400_000;
const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const rsaWithSha256 = "1.2.840.113549.1.1.11";

/**
 * Makes a key and an X.509 certificate for it (RFC 5280), for trying out and for tests: node:crypto reads certificates and cannot
 * write them.
 */
export function issueCertificate(wish: CertificateWish): IssuedPair {
  const { publicKey, privateKey } =
    wish.keyType === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signer = wish.issuer === undefined ? privateKey : createPrivateKey(wish.issuer.key);
  return {
    cert: signCertificate(wish, publicKey, signer),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** The same for a key whose private half only its owner has; `signer` is the key of the issuer. The result is PEM. */
export function signCertificate(
  wish: Omit<CertificateWish, "keyType">,
  publicKey: KeyObject,
  signer: KeyObject,
): string {
  const signerName = wish.issuer === undefined ? wish.name : commonName(wish.issuer);
  const algorithm = sequence(objectId(signer.asymmetricKeyType === "rsa" ? rsaWithSha256 : ecdsaWithSha256));
  const body = sequence(
    der(0xa0, integer(Uint8Array.of(2))),
    integer(Uint8Array.of(1, ...randomBytes(15))),
    algorithm,
    distinguishedName(signerName),
    sequence(time(new Date(wish.from ?? Date.now() - dayMs)), time(new Date(wish.until ?? Date.now() + 90 * dayMs))),
    distinguishedName(wish.name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions(wish, publicKey))),
  );
  const certificate = sequence(body, algorithm, bits(sign("sha256", body, signer)));
  return pem("CERTIFICATE", certificate);
}

function commonName({ cert }: IssuedPair): string {
  return new X509Certificate(cert).subject.replace(/^CN=/, "");
}

function distinguishedName(name: string): Der {
  return sequence(setOf(sequence(objectId("2.5.4.3"), utf8(name))));
}

function extensions(
  { hosts = [], isAuthority = false, critical = [] }: CertificateWish,
  publicKey: KeyObject,
): readonly Der[] {
  const constraints = sequence(objectId("2.5.29.19"), truth, octets(isAuthority ? sequence(truth) : sequence()));
  // keyCertSign and cRLSign, or digitalSignature and keyEncipherment.
  const usage = sequence(
    objectId("2.5.29.15"),
    truth,
    octets(bits(Uint8Array.of(isAuthority ? 0x06 : 0xa0), isAuthority ? 1 : 5)),
  );
  const identifier = sequence(objectId("2.5.29.14"), octets(octets(keyDigest(publicKey))));
  const others = critical.map(({ id, value }) => sequence(objectId(id), truth, octets(value)));
  const names = hosts.length === 0 ? [] : [alternativeNames(hosts)];
  return [constraints, usage, identifier, ...names, ...others];
}

/** The extension subjectAltName. */
export function alternativeNames(hosts: readonly string[]): Der {
  return sequence(objectId("2.5.29.17"), octets(sequence(...hosts.map(generalName))));
}

function keyDigest(publicKey: KeyObject): Uint8Array {
  return createHash("sha1")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest();
}

function generalName(host: string): Der {
  if (isIPv4(host)) return der(0x87, Uint8Array.from(host.split(".").map(Number)));
  if (isIPv6(host)) return der(0x87, ipv6Bytes(host));
  return der(0x82, Buffer.from(host, "latin1"));
}

function ipv6Bytes(host: string): Uint8Array {
  const [head = "", tail] = host.split("::");
  const groups = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
  const [before, behind] = [groups(head), groups(tail ?? "")];
  const filled = [...before, ...Array.from({ length: 8 - before.length - behind.length }, () => "0"), ...behind];
  return Buffer.from(filled.map((group) => group.padStart(4, "0")).join(""), "hex");
}

/** Text around encoded bytes (RFC 7468). */
export function pem(label: string, content: Uint8Array): string {
  const lines = Buffer.from(content).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
