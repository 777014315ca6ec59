import type { Issue } from "../core/issue.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { KeyPair, ListenerTls } from "../core/tls-settings.ts";
import { CertificateTable } from "./net/certificate-table.ts";
import { SecureDial } from "./net/secure-dial.ts";

/** The certificates of listeners that speak TLS, by the names of the listeners. */
export type CertificateTables = ReadonlyMap<string, CertificateTable>;

/** Prepares the certificates of a snapshot, or tells which of them cannot be used. What has not changed is taken from `before`. */
export function buildTables(
  snapshot: Snapshot,
  before: CertificateTables,
): CertificateTables | { readonly issue: Issue } {
  const pairs = pairsOf(snapshot);
  const tables = new Map<string, CertificateTable>();
  for (const { name, tls } of snapshot.listeners) {
    if (tls === undefined) continue;
    try {
      tables.set(name, CertificateTable.build(tls, pairs, before.get(name)));
    } catch (error) {
      return { issue: unusable(`listeners.${name}.tls`, error) };
    }
  }
  return tables;
}

/** How the upstreams that speak TLS are spoken to, by their names. */
export type SecureDials = ReadonlyMap<string, SecureDial>;

/** Prepares the same for upstreams. */
export function buildDials(snapshot: Snapshot, before: SecureDials): SecureDials | { readonly issue: Issue } {
  const pairs = pairsOf(snapshot);
  const dials = new Map<string, SecureDial>();
  for (const { name, tls } of snapshot.upstreams) {
    if (tls === undefined) continue;
    const known = before.get(name);
    try {
      dials.set(
        name,
        known !== undefined && Bun.deepEquals(known.settings, tls) ? known : SecureDial.build(tls, pairs),
      );
    } catch (error) {
      return { issue: unusable(`upstreams.${name}.tls`, error) };
    }
  }
  return dials;
}

function pairsOf({ certificates }: Snapshot): ReadonlyMap<string, KeyPair> {
  return new Map(certificates?.map((pair) => [pair.id, pair]));
}

function unusable(path: string, error: unknown): Issue {
  const says = `TLS cannot be set up: ${error instanceof Error ? error.message : String(error)}`;
  return { severity: "error", at: { source: "configuration", path }, says };
}

/** True if a port that was bound with one can go on with the other: certificates may change, and the handshake's own terms may not. */
export function canShareBinding(one: ListenerTls | undefined, other: ListenerTls | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (
    one.minVersion === other.minVersion &&
    one.maxVersion === other.maxVersion &&
    one.ciphers === other.ciphers &&
    one.alpn.join() === other.alpn.join()
  );
}
