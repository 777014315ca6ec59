/** The versions of TLS that are spoken here. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** A certificate chain with its private key. Only this part of a snapshot holds a secret: everything else names it by `id`. */
export type KeyPair = {
  /** Derived from the certificates; other certificates, another id. */
  readonly id: string;
  /** PEM, the leaf first. */
  readonly cert: string;
  /** PEM, without a passphrase. */
  readonly key: string;
};

/** What the public may know of a key pair. */
export type CertificateFacts = {
  readonly id: string;
  /** The file of the certificate, as it was configured. */
  readonly file: string;
  /** The host names it stands for, in lower case, `*.example.com` among them. */
  readonly names: readonly string[];
  /** Keys of different types may stand side by side for one name. */
  readonly keyType: string;
  /** Unix milliseconds. */
  readonly notAfter: number;
};

/** How a listener speaks TLS. */
export type ListenerTls = {
  /** The first one is the default. */
  readonly certificates: readonly CertificateFacts[];
  /** What a client gets that asks for a name that no certificate has: the default one, or no connection. */
  readonly unknownNames: "default" | "refuse";
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** For TLS 1.2, as OpenSSL lists them; empty for the usual ones. */
  readonly ciphers: string;
  /** What ALPN offers, the most wanted first. */
  readonly alpn: readonly string[];
  /** Milliseconds from the TCP connection to the end of the TLS handshake. */
  readonly handshakeMs: number;
  readonly clientCertificates: ClientCertificateSettings;
};

/** Whether clients show a certificate. `optional` and `required` refuse one that cannot be verified. */
export type ClientCertificateSettings =
  | { readonly mode: "none" }
  | {
      readonly mode: "optional" | "required";
      /** The authorities that are believed: PEM. */
      readonly ca: string;
      /** Lists of revoked certificates: PEM. */
      readonly crl?: string;
    };

/** How the endpoints of an upstream are spoken to over TLS. */
export type UpstreamTls = {
  /** The authorities that are believed: PEM. Absent: those that everybody believes. */
  readonly ca?: string;
  /** The name that is asked for and verified; absent: the endpoint's own. */
  readonly serverName?: string;
  /** The id of the key pair that is shown to an endpoint that asks for one. */
  readonly certificate?: string;
  /** `ca` accepts another name than the one asked for, and `off` accepts anything. */
  readonly verify: "full" | "ca" | "off";
  readonly minVersion: TlsVersion;
};
