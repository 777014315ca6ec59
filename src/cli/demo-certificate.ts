import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { issueCertificate } from "../kit/issue-certificate.ts";

/** The file of the authority that has signed the demo's certificate. */
export const authorityFile = "authority.pem";

/** The file of that certificate, and that of its key. */
export const certificateFile = "site.pem";
/** The private key of the certificate, in the same folder. */
export const keyFile = "site.key";

/**
 * Writes `site.pem`, `site.key` and the authority's certificate to a folder. Whoever trusts the authority trusts nothing else with it: its
 * key is forgotten at once.
 */
export async function writeDemoCertificate(folder: string, host: string): Promise<void> {
  const authority = issueCertificate({ name: "Causeway demo", isAuthority: true });
  const hosts = [...new Set(["localhost", "127.0.0.1", "::1", hostname(), host])];
  const site = issueCertificate({ name: "Causeway demo site", hosts, issuer: authority });
  await Promise.all([
    writeFile(join(folder, certificateFile), site.cert),
    writeFile(join(folder, keyFile), site.key, { mode: 0o600 }),
    writeFile(join(folder, authorityFile), authority.cert),
  ]);
}
