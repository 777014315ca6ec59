import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { dirname, resolve } from "node:path";
import type { CertificateFacts, KeyPair } from "../../core/tls-settings.ts";
import type { Problem } from "./findings.ts";
import { isMissing } from "./referenced-file.ts";

/** Reads a file that a configuration names, or says why it cannot be read. */
export type ReadFile = (path: string) => string | Problem;

/** Where a key pair is said to be. */
export type PairPlace = {
  readonly cert: string;
  readonly key: string;
  readonly passphrase?: string | undefined;
  /** The configuration that says so: paths are relative to it. */
  readonly source: string;
};

/** A key pair that was read, or what is wrong with which of its parts. */
export type ReadPair = {
  readonly pair?: KeyPair;
  readonly facts?: CertificateFacts;
  readonly problems: readonly (Problem & { readonly at: "cert" | "key" | "passphrase" })[];
};

/** Reads certificates and keys, and remembers the last good ones: an expired certificate does not take the place of a valid one. */
export class KeyRing {
  readonly #read: ReadFile;
  readonly #last = new Map<string, { readonly pair: KeyPair; readonly facts: CertificateFacts }>();
  #files = new Set<string>();

  constructor(read: ReadFile) {
    this.#read = read;
  }

  /** The files that were asked for since `turn`. */
  get files(): readonly string[] {
    return [...this.#files];
  }

  /** A new reading begins. */
  turn(): void {
    this.#files = new Set();
  }

  /** Certificates in PEM, such as those of authorities; `path` is relative to `source`. */
  authorities(path: string, source: string): { readonly text: string } | Problem {
    const text = this.#text(path, source);
    if (typeof text !== "string") return text;
    const problem = certificatesIn(text, path);
    return "says" in problem ? problem : { text };
  }

  /** Lists of revoked certificates in PEM. */
  revocations(path: string, source: string): { readonly text: string } | Problem {
    const text = this.#text(path, source);
    if (typeof text !== "string") return text;
    if (text.includes("-----BEGIN X509 CRL-----")) return { text };
    return { says: `${quote(path)} holds no list of revoked certificates`, try: "name a PEM file with an X509 CRL" };
  }

  pair(place: PairPlace): ReadPair {
    const [certText, keyText] = [this.#text(place.cert, place.source), this.#text(place.key, place.source)];
    const chain = typeof certText === "string" ? certificatesIn(certText, place.cert) : certText;
    const key = typeof keyText === "string" ? keyIn(keyText, place) : { at: "key" as const, ...keyText };
    const problems = [...("says" in chain ? [{ at: "cert" as const, ...chain }] : []), ...("says" in key ? [key] : [])];
    if ("says" in chain || "says" in key || typeof certText !== "string") return { problems };
    if (!chain.leaf.checkPrivateKey(key)) {
      const says = `the key in ${quote(place.key)} does not belong to the certificate in ${quote(place.cert)}`;
      return { problems: [{ at: "key", says, try: "name the two that were made together" }] };
    }
    return this.#settle(place, { certText, leaf: chain.leaf, key });
  }

  /** A pair in one file, as ordered certificates are kept; undefined if there is no such file yet. `path` is relative to `source`. */
  bundle(path: string, source: string): ReadPair | undefined {
    const text = this.#text(path, source);
    if (typeof text !== "string") return isMissing(text) ? undefined : { problems: [{ at: "cert", ...text }] };
    const place = { cert: path, key: path, source };
    const certText = blocksIn(text).join("\n");
    const [chain, key] = [certificatesIn(certText, path), keyIn(text, place)];
    if ("says" in chain) return { problems: [{ at: "cert", ...chain }] };
    if ("says" in key) return { problems: [key] };
    if (chain.leaf.checkPrivateKey(key))
      return this.#settle(place, { certText: `${certText}\n`, leaf: chain.leaf, key });
    return { problems: [{ at: "key", says: `the key in ${quote(path)} does not belong to its certificate` }] };
  }

  #settle(
    place: PairPlace,
    { certText, leaf, key }: { certText: string; leaf: X509Certificate; key: KeyObject },
  ): ReadPair {
    const id = createHash("sha256").update(certText).digest("hex").slice(0, 32);
    const facts: CertificateFacts = {
      id,
      file: place.cert,
      names: namesOf(leaf),
      keyType: key.asymmetricKeyType ?? "",
      notAfter: Date.parse(leaf.validTo),
    };
    const pair = { id, cert: certText, key: key.export({ type: "pkcs8", format: "pem" }).toString() };
    const where = JSON.stringify([place.source, place.cert, place.key]);
    const before = this.#last.get(where);
    const warning = whyDoubtful(leaf, place.cert);
    if (warning !== undefined && before !== undefined && before.pair.id !== id && before.facts.notAfter > Date.now()) {
      const says = `${warning.says}, and the one that was here before stays in use`;
      return { ...before, problems: [{ at: "cert", ...warning, says }] };
    }
    this.#last.set(where, { pair, facts });
    return { pair, facts, problems: warning === undefined ? [] : [{ at: "cert", ...warning }] };
  }

  #text(path: string, source: string): string | Problem {
    const full = resolve(dirname(source), path);
    this.#files.add(full);
    const text = this.#read(full);
    return typeof text === "string" ? text : { ...text, says: `${quote(path)}: ${text.says}` };
  }
}

function blocksIn(text: string): readonly string[] {
  return text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
}

function certificatesIn(text: string, path: string): { readonly leaf: X509Certificate } | Problem {
  const blocks = blocksIn(text);
  const instead = "name a PEM file with BEGIN CERTIFICATE in it";
  try {
    const [leaf] = blocks.map((block) => new X509Certificate(block));
    return leaf === undefined ? { says: `${quote(path)} holds no certificate`, try: instead } : { leaf };
  } catch {
    return { says: `${quote(path)} holds a certificate that cannot be read`, try: instead };
  }
}

function keyIn(text: string, place: PairPlace): KeyObject | (Problem & { readonly at: "key" | "passphrase" }) {
  try {
    return createPrivateKey({
      key: text,
      format: "pem",
      ...(place.passphrase === undefined ? {} : { passphrase: place.passphrase }),
    });
  } catch {
    // What OpenSSL says is for those who know it.
    if (!text.includes("PRIVATE KEY-----"))
      return {
        at: "key",
        says: `${quote(place.key)} holds no private key`,
        try: "name a PEM file with BEGIN PRIVATE KEY in it",
      };
    if (!text.includes("ENCRYPTED"))
      return {
        at: "key",
        says: `${quote(place.key)} holds a private key that cannot be read`,
        try: "name another PEM file",
      };
    const isGiven = place.passphrase !== undefined;
    const says = isGiven
      ? `this does not open the key in ${quote(place.key)}`
      : `the key in ${quote(place.key)} is encrypted`;
    return {
      at: isGiven ? "passphrase" : "key",
      says,
      try: isGiven ? "write the right passphrase" : "add passphrase: { env: NAME }",
    };
  }
}

/** The names a certificate stands for: its alternative names, and only without any its common name. */
function namesOf(leaf: X509Certificate): readonly string[] {
  const alternatives = leaf.subjectAltName;
  if (alternatives !== undefined)
    return [...alternatives.matchAll(/DNS:([^\s,"]+)/g)].map(([, name = ""]) => name.toLowerCase());
  const [, common] = /(?:^|\n)CN=(.+)/.exec(leaf.subject) ?? [];
  return common === undefined ? [] : [common.toLowerCase()];
}

function whyDoubtful(leaf: X509Certificate, path: string): Problem | undefined {
  const day = (time: string): string => new Date(Date.parse(time)).toISOString().slice(0, 10);
  if (Date.parse(leaf.validTo) <= Date.now()) {
    const says = `the certificate in ${quote(path)} expired on ${day(leaf.validTo)}`;
    return { severity: "warning", says, try: "renew it" };
  }
  if (Date.parse(leaf.validFrom) <= Date.now()) return undefined;
  const says = `the certificate in ${quote(path)} is not valid before ${day(leaf.validFrom)}`;
  return { severity: "warning", says, try: "look at the clock of this machine, or name another one" };
}

function quote(path: string): string {
  return JSON.stringify(path);
}
