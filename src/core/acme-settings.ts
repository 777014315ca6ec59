import type { AcmeChallenge } from "./acme-challenge.ts";

/** Which certificates are ordered, where, as whom, and how. */
export type AcmeSettings = AcmeAuthority & {
  readonly challenge: AcmeChallenge["type"];
  /** Where the key of the account is, and the certificates. Each directory has a folder of its own. */
  readonly folder: string;
  readonly certificates: readonly AcmeCertificate[];
};

/** Where certificates are ordered, and as whom. */
export type AcmeAuthority = {
  /** The URL of the directory. */
  readonly directory: string;
  /** The authorities that are believed when the directory is asked: PEM. Absent: those that everybody believes. */
  readonly ca?: string;
  readonly email?: string;
  /** Given if the authority only serves those who have an account with it already. The key is a secret, in base64url. */
  readonly eab?: { readonly keyId: string; readonly hmacKey: string };
};

/** A certificate that is ordered. */
export type AcmeCertificate = {
  /** Host names in lower case. */
  readonly names: readonly string[];
  /** Its path: the private key and the chain, one behind the other, in PEM. */
  readonly file: string;
};
