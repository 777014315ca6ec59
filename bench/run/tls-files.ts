import { join } from "node:path";
import { issueCertificate } from "../../src/kit/issue-certificate.ts";

/** A certificate (ECDSA, P-256) for 127.0.0.1 in PEM files, as each proxy wants to have it. */
export type TlsFiles = {
  readonly cert: string;
  readonly key: string;
  /** Both in one file. */
  readonly pair: string;
  /** The certificate itself: it has signed itself, so that clients have to be told to believe it. */
  readonly ca: string;
};

/** The versions, cipher and key exchange that all proxies use, so that they do the same work. */
export const tlsTerms = { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", group: "X25519" } as const;

/** Makes a certificate and writes it to a folder. */
export async function writeTlsFiles(folder: string): Promise<TlsFiles> {
  const { cert, key } = issueCertificate({ name: "bench", hosts: ["127.0.0.1"] });
  const files = { cert: join(folder, "site.pem"), key: join(folder, "site.key"), pair: join(folder, "pair.pem") };
  await Promise.all([
    Bun.write(files.cert, cert),
    Bun.write(files.key, key),
    Bun.write(files.pair, `${cert.trimEnd()}\n${key}`),
  ]);
  return { ...files, ca: cert };
}
