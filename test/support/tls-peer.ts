import { type ConnectionOptions, connect, type PeerCertificate } from "node:tls";

/** What a TLS handshake came to: the certificate and the terms, or why it failed. */
export type TlsAnswer = {
  readonly certificate?: PeerCertificate;
  readonly version?: string | undefined;
  readonly protocol?: string | undefined;
  readonly failure?: string;
};

/** Opens a TLS connection to this machine, believes whatever certificate there is, and closes it. */
export function askTls(port: number, options: ConnectionOptions): Promise<TlsAnswer> {
  const { promise, resolve } = Promise.withResolvers<TlsAnswer>();
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options }, () => {
    const version = socket.getProtocol() ?? undefined;
    resolve({ certificate: socket.getPeerCertificate(), version, protocol: socket.alpnProtocol || undefined });
    // Not at once: with TLS 1.3 the other side has still to read what this one ends its handshake with.
    socket.end();
  });
  socket.on("error", (error) => resolve({ failure: error.message }));
  socket.on("close", () => resolve({ failure: "closed" }));
  return promise;
}

/** The name in the certificate of an answer. */
export function commonName({ certificate, failure }: TlsAnswer): string | undefined {
  const name = certificate?.subject.CN;
  return Array.isArray(name) ? name[0] : (name ?? failure);
}
