import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { z } from "zod";
import { challengeProtocol } from "../../core/acme-challenge.ts";
import type { CertificateFacts, ClientCertificateSettings, KeyPair, ListenerTls } from "../../core/tls-settings.ts";
import type { AcmeDraft } from "./acme.ts";
import type { Problem } from "./findings.ts";
import type { KeyRing } from "./key-ring.ts";
import type { listenerSchema } from "./listeners.ts";
import { orderedFile } from "./ordered-names.ts";
import { type Draft, type Entries, report } from "./sections.ts";
import type { listenerTlsSchema } from "./tls.ts";
import { type Path, treeAt } from "./tree.ts";

type Listener = z.output<typeof listenerSchema>;
type Tls = z.output<typeof listenerTlsSchema>;

/** What is needed to read the files that a configuration names. */
export type TlsSources = {
  readonly draft: Draft;
  readonly ring: KeyRing;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Gets every pair that is used, by its id. */
  readonly pairs: Map<string, KeyPair>;
  /** Where certificates are ordered that no file is named for. */
  readonly acme: AcmeDraft | undefined;
};

/** Reads the certificates of all listeners; what is wrong with a file is reported where the file is named. */
export function readListenerTls(listeners: Entries<Listener>, sources: TlsSources): ReadonlyMap<string, ListenerTls> {
  const secured = new Map<string, ListenerTls>();
  for (const [name, { whole }] of listeners) {
    if (whole?.tls === undefined) continue;
    if (whole.h2c) report(sources.draft, ["listeners", name, "h2c"], h2cOverTls);
    const tls = readTls(whole.tls, {
      path: ["listeners", name, "tls"],
      handshakeMs: whole.timeouts.tlsHandshake,
      alpn: whole.http2.enabled ? ["h2", "http/1.1"] : ["http/1.1"],
      sources,
    });
    if (tls !== undefined) secured.set(name, tls);
  }
  return secured;
}

const h2cOverTls: Problem = {
  says: "h2c is HTTP/2 without TLS, and this listener speaks TLS",
  try: "leave it out: HTTP/2 is offered over TLS unless http2 says otherwise",
};

type Place = {
  readonly path: Path;
  readonly handshakeMs: number;
  readonly alpn: readonly string[];
  readonly sources: TlsSources;
};

function readTls(tls: Tls, place: Place): ListenerTls | undefined {
  const { path, handshakeMs, alpn, sources } = place;
  const read = tls.certificates.map((one, at) => readCertificate(one, [...path, "certificates", at], sources));
  const found = read.filter((facts) => facts !== undefined);
  const certificates = found.filter((facts) => facts !== "ordered");
  const clientCertificates = readClientCertificates(tls.clientCertificates, [...path, "clientCertificates"], sources);
  const isFine = checkVersions(tls, path, sources.draft) && checkCiphers(tls, path, sources.draft);
  if (!isFine || clientCertificates === undefined || found.length < read.length) return undefined;
  const { unknownNames, minVersion, maxVersion, ciphers } = tls;
  return {
    certificates,
    unknownNames,
    minVersion,
    maxVersion,
    ciphers,
    alpn: isAskedInHandshakes(tls, sources) ? [...alpn, challengeProtocol] : alpn,
    handshakeMs,
    clientCertificates,
  };
}

/** True if an authority looks for its answer in a TLS handshake with this listener. */
function isAskedInHandshakes({ certificates }: Tls, { acme }: TlsSources): boolean {
  return acme?.settings.challenge === "tls-alpn-01" && certificates.some((one) => one.acme !== undefined);
}

function readCertificate(
  one: Tls["certificates"][number],
  path: Path,
  sources: TlsSources,
): CertificateFacts | "ordered" | undefined {
  const { cert, key, acme, passphrase } = one;
  if (acme === undefined && cert !== undefined && key !== undefined)
    return readPair({ ...one, cert, key }, path, sources);
  const { findings, root } = sources.draft;
  if (acme === undefined) {
    const problem = { says: "this is missing", try: "write the path of a PEM file" };
    findings.addToKey(root, [...path, cert === undefined ? "cert" : "key"], problem);
    if (cert === undefined && key === undefined) findings.addToKey(root, [...path, "key"], problem);
    return undefined;
  }
  const other = Object.entries({ cert, key, passphrase }).find(([, value]) => value !== undefined)?.[0];
  if (other === undefined) return readOrdered(acme, path, sources);
  const says = "a certificate that is ordered has no files of yours";
  report(sources.draft, [...path, other], { says, try: "remove this, or acme" });
  return undefined;
}

/** What is there of a certificate that is ordered. A file that is of no use is not waited for. */
function readOrdered(
  names: readonly string[],
  path: Path,
  { draft, ring, pairs, acme }: TlsSources,
): CertificateFacts | "ordered" | undefined {
  if (acme === undefined) {
    if (draft.findings.holdsWrong(["acme"])) return undefined;
    const says = "nothing says where certificates are ordered";
    report(draft, [...path, "acme"], { says, try: "add acme: { agreeToTerms: true, email: ops@example.com }" });
    return undefined;
  }
  const name = orderedFile(names);
  const file = join(acme.settings.folder, name);
  acme.wanted.set(file, { names, file });
  const read = ring.bundle(join(acme.shownFolder, name), sourceOf(draft, ["acme"]));
  for (const { at: _, ...problem } of read?.problems ?? []) {
    const isOfNoUse = problem.severity !== "warning";
    const hint = isOfNoUse ? { try: "another one is ordered" } : { try: "it is renewed" };
    report(draft, [...path, "acme"], { ...problem, severity: "warning", ...hint });
  }
  if (read?.pair === undefined || read.facts === undefined) return "ordered";
  pairs.set(read.pair.id, read.pair);
  return read.facts;
}

/** Reads one pair, keeps it, and gives back what the public may know of it. */
export function readPair(
  named: {
    readonly cert: string;
    readonly key: string;
    readonly passphrase?: string | { readonly env: string } | undefined;
  },
  path: Path,
  { draft, ring, environment, pairs }: TlsSources,
): CertificateFacts | undefined {
  const passphrase = typeof named.passphrase === "object" ? environment[named.passphrase.env] : named.passphrase;
  if (typeof named.passphrase === "object" && passphrase === undefined) {
    const says = `the environment variable ${named.passphrase.env} is not set`;
    report(draft, [...path, "passphrase"], { says, try: "set it" });
    return undefined;
  }
  const read = ring.pair({ cert: named.cert, key: named.key, passphrase, source: sourceOf(draft, path) });
  for (const { at, ...problem } of read.problems) report(draft, [...path, at], problem);
  if (read.pair !== undefined) pairs.set(read.pair.id, read.pair);
  return read.facts;
}

/** The text in which something stands. */
export function sourceOf({ root }: Draft, path: Path): string {
  return treeAt(root, path)?.origin.source ?? root.origin.source;
}

function readClientCertificates(
  settings: Tls["clientCertificates"],
  path: Path,
  { draft, ring }: TlsSources,
): ClientCertificateSettings | undefined {
  const { mode, ca, crl } = settings;
  if (mode === "none") return { mode };
  if (ca === undefined) {
    const says = "nothing says whose certificates are accepted";
    draft.findings.addToKey(draft.root, path, { says, try: "add ca: and the path of a PEM file" });
    return undefined;
  }
  const source = sourceOf(draft, path);
  const authorities = ring.authorities(ca, source);
  if ("says" in authorities) report(draft, [...path, "ca"], authorities);
  const revoked = crl === undefined ? undefined : ring.revocations(crl, source);
  if (revoked !== undefined && "says" in revoked) report(draft, [...path, "crl"], revoked);
  if ("says" in authorities || (revoked !== undefined && "says" in revoked)) return undefined;
  return { mode, ca: authorities.text, ...(revoked === undefined ? {} : { crl: revoked.text }) };
}

function checkVersions(tls: Tls, path: Path, draft: Draft): boolean {
  if (tls.minVersion <= tls.maxVersion) return true;
  const problem: Problem = {
    says: "the newest version is older than the oldest one",
    try: "write TLSv1.3, or leave it out",
  };
  report(draft, [...path, "maxVersion"], problem);
  return false;
}

function checkCiphers({ ciphers }: Tls, path: Path, draft: Draft): boolean {
  if (ciphers === "") return true;
  try {
    createSecureContext({ ciphers });
    return true;
  } catch {
    const says = `${JSON.stringify(ciphers)} names no cipher that is known here`;
    report(draft, [...path, "ciphers"], { says, try: "write ciphers as OpenSSL lists them, such as ECDHE+AESGCM" });
    return false;
  }
}
