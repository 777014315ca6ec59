import { createHash, createHmac, createPublicKey, verify } from "node:crypto";

/** A public key as JSON, RFC 7517. */
export type Jwk = {
  readonly kty?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly e?: string;
  readonly n?: string;
};

/** A message whose signature has been checked. */
export type Message = {
  readonly nonce: string;
  readonly url: string;
  readonly jwk: Jwk | undefined;
  readonly kid: string | undefined;
  /** Undefined in a message that only asks. */
  readonly payload: Readonly<Record<string, unknown>> | undefined;
};

/** What is wrong with a message, in ACME's words (RFC 8555 §6.7). */
export class AcmeProblem extends Error {
  readonly type: string;
  readonly status: number;

  constructor(type: string, detail: string, status = 400) {
    super(detail);
    this.type = type;
    this.status = status;
  }
}

/** Reads a flattened JWS and checks it (RFC 8555 §6.2); `keyOf` finds the key of an account. */
export function readMessage(text: string, keyOf: (kid: string) => Jwk | undefined): Message {
  const message = JSON.parse(text) as Record<string, string>;
  if (Object.keys(message).sort().join() !== "payload,protected,signature") throw malformed("this is no flattened JWS");
  const header = decode(message.protected) ?? {};
  const { alg, nonce, url, jwk, kid } = header as { [name: string]: string } & { jwk?: Jwk };
  if ((jwk === undefined) === (kid === undefined)) throw malformed("one of jwk and kid is needed");
  const key = jwk ?? keyOf(kid ?? "");
  if (key === undefined) throw new AcmeProblem("accountDoesNotExist", `there is no account ${kid}`);
  if (!isSigned(message, alg ?? "", key)) throw malformed("the signature is wrong");
  if (nonce === undefined || url === undefined) throw malformed("nonce and url are needed");
  return { nonce, url, jwk, kid, payload: message.payload === "" ? undefined : decode(message.payload) };
}

function isSigned(message: Record<string, string>, alg: string, jwk: Jwk): boolean {
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const signed = Buffer.from(`${message.protected}.${message.payload}`);
  const signature = Buffer.from(message.signature ?? "", "base64url");
  if (alg === "ES256" && jwk.crv === "P-256")
    return verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature);
  if (alg === "RS256" && jwk.kty === "RSA") return verify("sha256", signed, key, signature);
  throw new AcmeProblem("badSignatureAlgorithm", `${alg} is not accepted`);
}

/** Checks what binds an account to one that the authority knows already (RFC 8555 §7.3.4). */
export function isBound(
  binding: unknown,
  expected: { readonly url: string; readonly jwk: Jwk; readonly keyId: string; readonly hmacKey: string },
): boolean {
  if (typeof binding !== "object" || binding === null) return false;
  const message = binding as Record<string, string>;
  const { alg, kid, url } = decode(message.protected) ?? {};
  const hmac = createHmac("sha256", Buffer.from(expected.hmacKey, "base64url"));
  const signature = hmac.update(`${message.protected}.${message.payload}`).digest("base64url");
  const isMeant = alg === "HS256" && kid === expected.keyId && url === expected.url;
  return isMeant && signature === message.signature && Bun.deepEquals(decode(message.payload), expected.jwk);
}

/** RFC 7638, for the two types of keys that are accepted. */
export function thumbprint(jwk: Jwk): string {
  const { crv, kty, x, y, e, n } = jwk;
  const members = kty === "RSA" ? { e, kty, n } : { crv, kty, x, y };
  return createHash("sha256").update(JSON.stringify(members)).digest("base64url");
}

function decode(text: string | undefined): Record<string, unknown> | undefined {
  return JSON.parse(Buffer.from(text ?? "", "base64url").toString()) as Record<string, unknown>;
}

function malformed(detail: string): AcmeProblem {
  return new AcmeProblem("malformed", detail);
}
