import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";

/** A signed message in the form in which ACME sends all of them (RFC 7515 §7.2.2). */
export type SignedMessage = { readonly protected: string; readonly payload: string; readonly signature: string };

/** What a message says of itself: where it goes, and whose it is. */
export type MessageHeader = Readonly<Record<string, unknown>>;

/** The key of an ACME account (ES256, RFC 7518 §3.4). */
export class AccountKey {
  readonly #key: KeyObject;
  /** The public half, its members in the order that a thumbprint needs. */
  readonly jwk: { readonly crv: string; readonly kty: string; readonly x: string; readonly y: string };

  private constructor(key: KeyObject) {
    this.#key = key;
    const { crv = "", kty = "", x = "", y = "" } = createPublicKey(key).export({ format: "jwk" });
    this.jwk = { crv, kty, x, y };
  }

  static generate(): AccountKey {
    return new AccountKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
  }

  /** Throws if this is not an EC key on the curve P-256. */
  static parse(pem: string): AccountKey {
    const account = new AccountKey(createPrivateKey(pem));
    if (account.jwk.crv !== "P-256") throw new Error("this is no EC key on the curve P-256");
    return account;
  }

  toPem(): string {
    return this.#key.export({ type: "pkcs8", format: "pem" }).toString();
  }

  /** Signs a message; without a payload it is one that only asks (RFC 8555 §6.3). */
  sign(header: MessageHeader, payload: object | undefined): SignedMessage {
    const [head, body] = [encode({ alg: "ES256", ...header }), payload === undefined ? "" : encode(payload)];
    const signature = sign("sha256", Buffer.from(`${head}.${body}`), { key: this.#key, dsaEncoding: "ieee-p1363" });
    return { protected: head, payload: body, signature: signature.toString("base64url") };
  }

  /** What proves to an authority that this account wants a certificate (RFC 8555 §8.1). */
  authorize(token: string): string {
    const thumbprint = createHash("sha256").update(JSON.stringify(this.jwk)).digest("base64url");
    return `${token}.${thumbprint}`;
  }

  /** Binds the account to one that its owner has with the authority already (RFC 8555 §7.3.4). */
  bind(url: string, external: { readonly keyId: string; readonly hmacKey: string }): SignedMessage {
    const [head, body] = [encode({ alg: "HS256", kid: external.keyId, url }), encode(this.jwk)];
    const hmac = createHmac("sha256", Buffer.from(external.hmacKey, "base64url"));
    return { protected: head, payload: body, signature: hmac.update(`${head}.${body}`).digest("base64url") };
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
