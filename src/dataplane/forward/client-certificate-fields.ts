import { createHash, X509Certificate } from "node:crypto";

/** A connection shows the same certificate for every request. */
const known = new WeakMap<Uint8Array, string>();

/**
 * What an upstream gets to know of a client's verified certificate, as field lines: `Client-Cert` (RFC 9440 §2.2), and its parts in the
 * form that proxies have made common. `der` is the certificate.
 */
export function clientCertificateFields(der: Uint8Array): string {
  const before = known.get(der);
  if (before !== undefined) return before;
  const { subject, issuer } = new X509Certificate(der);
  const hash = createHash("sha256").update(der).digest("hex");
  const parts = `Hash=${hash};Subject=${quote(subject)};Issuer=${quote(issuer)};Verify=SUCCESS`;
  const fields = `Client-Cert: :${Buffer.from(der).toString("base64")}:\r\nX-Forwarded-Client-Cert: ${parts}\r\n`;
  known.set(der, fields);
  return fields;
}

/** Names come one attribute a line, escaped as in RFC 4514; what is not printable ASCII becomes a pair of hex digits a byte. */
function quote(name: string): string {
  const lines = name.replaceAll("\n", ",");
  const printable = lines.replace(/[^\x20-\x7e]+/g, (odd) => {
    return [...Buffer.from(odd)].map((byte) => `\\${byte.toString(16).padStart(2, "0").toUpperCase()}`).join("");
  });
  return `"${printable.replace(/["\\]/g, "\\$&")}"`;
}
