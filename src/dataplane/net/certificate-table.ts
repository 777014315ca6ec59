import type { CertificateFacts, KeyPair, ListenerTls } from "../../core/tls-settings.ts";
import { issueCertificate } from "../../kit/issue-certificate.ts";
import { makeContext, type SecureContext } from "./secure-context.ts";

/** What a client gets that asks for a name. Two names with the same `key` have the same certificates. */
export type Choice = {
  readonly key: string;
  readonly cert: readonly string[];
  readonly privateKey: readonly string[];
  readonly context: SecureContext;
};

/** The certificates of a listener, found by the name that a client asks for (RFC 6066 §3). */
export class CertificateTable {
  readonly settings: ListenerTls;
  readonly fallback: Choice;
  readonly #byName: ReadonlyMap<string, Choice>;

  private constructor(settings: ListenerTls, fallback: Choice, byName: ReadonlyMap<string, Choice>) {
    this.settings = settings;
    this.fallback = fallback;
    this.#byName = byName;
  }

  /** Throws if the certificates cannot be used. What is the same as in `before` is taken from there. */
  static build(
    settings: ListenerTls,
    pairs: ReadonlyMap<string, KeyPair>,
    before?: CertificateTable,
  ): CertificateTable {
    const known = new Map((before === undefined ? [] : before.#choices()).map((choice) => [choice.key, choice]));
    const choose = (facts: readonly CertificateFacts[]): Choice => {
      const choice = known.get(keyOf(settings, facts)) ?? makeChoice(settings, facts, pairs);
      known.set(choice.key, choice);
      return choice;
    };
    const { certificates } = settings;
    const names = new Set(certificates.flatMap((facts) => facts.names));
    const withName = (name: string | undefined) =>
      certificates.filter((facts) => name !== undefined && facts.names.includes(name));
    const byName = new Map([...names].map((name) => [name, choose(onePerKeyType(withName(name)))]));
    const [first] = certificates;
    if (first === undefined)
      return new CertificateTable(settings, known.get(keyOf(settings, [])) ?? nobody(settings), byName);
    const others = withName(first.names[0]).filter((facts) => facts !== first);
    const fallback = choose(onePerKeyType([first, ...others]));
    return new CertificateTable(settings, fallback, byName);
  }

  /** True if there is no certificate yet, and nobody can be served. */
  get isEmpty(): boolean {
    return this.settings.certificates.length === 0;
  }

  /** By the exact name, then by a wildcard, which stands for one label. */
  find(name: string): Choice | undefined {
    const dot = name.indexOf(".");
    return this.#byName.get(name) ?? (dot < 0 ? undefined : this.#byName.get(`*${name.slice(dot)}`));
  }

  /** True if a request for `host` came over a connection that was opened for a name with other certificates. */
  isMisdirected(serverName: string, host: string): boolean {
    if (host === "" || host === serverName) return false;
    return (this.find(host) ?? this.fallback).key !== (this.find(serverName) ?? this.fallback).key;
  }

  #choices(): readonly Choice[] {
    return [this.fallback, ...this.#byName.values()];
  }
}

/** Of several certificates with the same type of key only the first can be used. */
function onePerKeyType(certificates: readonly CertificateFacts[]): readonly CertificateFacts[] {
  return certificates.filter(({ keyType }, at) => certificates.findIndex((other) => other.keyType === keyType) === at);
}

function keyOf({ clientCertificates }: ListenerTls, facts: readonly CertificateFacts[]): string {
  const clients = clientCertificates.mode === "none" ? "" : `${clientCertificates.ca}\n${clientCertificates.crl ?? ""}`;
  return `${facts.map(({ id }) => id).join(" ")}\n${clients}`;
}

/** A port cannot be bound to speak TLS without any certificate. Who gets this one gets no connection. */
function nobody(settings: ListenerTls): Choice {
  const { cert, key } = issueCertificate({ name: "no certificate yet" });
  const context = makeContext({ cert: [cert], key: [key], ...authorities(settings) });
  return { key: keyOf(settings, []), cert: [cert], privateKey: [key], context };
}

function makeChoice(
  settings: ListenerTls,
  facts: readonly CertificateFacts[],
  pairs: ReadonlyMap<string, KeyPair>,
): Choice {
  const used = facts.map(({ id }) => pairs.get(id)).filter((pair) => pair !== undefined);
  if (used.length === 0 || used.length < facts.length) throw new Error("a certificate is named that is not there");
  const [cert, privateKey] = [used.map((pair) => pair.cert), used.map((pair) => pair.key)];
  return {
    key: keyOf(settings, facts),
    cert,
    privateKey,
    context: makeContext({ cert, key: privateKey, ...authorities(settings) }),
  };
}

/** Whose client certificates are believed, as parts of a context. */
export function authorities({ clientCertificates }: ListenerTls): { readonly ca?: string; readonly crl?: string } {
  if (clientCertificates.mode === "none") return {};
  const { ca, crl } = clientCertificates;
  return crl === undefined ? { ca } : { ca, crl };
}
