import type { Issue } from "../core/issue.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { ListenerTls } from "../core/tls-settings.ts";
import { CertificateTable } from "./net/certificate-table.ts";

/** The certificates of listeners that speak TLS, by the names of the listeners. */
export type CertificateTables = ReadonlyMap<string, CertificateTable>;

/** Prepares the certificates of a snapshot, or tells which of them cannot be used. What has not changed is taken from `before`. */
export function buildTables(
  snapshot: Snapshot,
  before: CertificateTables,
): CertificateTables | { readonly issue: Issue } {
  const pairs = new Map(snapshot.certificates?.map((pair) => [pair.id, pair]));
  const tables = new Map<string, CertificateTable>();
  for (const { name, tls } of snapshot.listeners) {
    if (tls === undefined) continue;
    try {
      tables.set(name, CertificateTable.build(tls, pairs, before.get(name)));
    } catch (error) {
      const says = `TLS cannot be set up: ${error instanceof Error ? error.message : String(error)}`;
      return { issue: { severity: "error", at: { source: "configuration", path: `listeners.${name}.tls` }, says } };
    }
  }
  return tables;
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
