import { createHash, X509Certificate } from "node:crypto";
import { connect, type PeerCertificate } from "node:tls";

/** What an authority looks for, and at which port of this machine; every name leads here. */
export type Validation = {
  readonly type: "http-01" | "tls-alpn-01";
  readonly name: string;
  readonly token: string;
  /** The key authorization. */
  readonly expected: string;
  readonly port: number | Promise<number>;
};

type Known = Validation & { readonly port: number };

/** Undefined if the gateway shows what it should, or what is wrong. */
export async function validate(validation: Validation): Promise<string | undefined> {
  try {
    const known = { ...validation, port: await validation.port };
    return await (known.type === "http-01" ? askHttp(known) : askTls(known));
  } catch (error) {
    return String(error);
  }
}

/** RFC 8555 §8.3. */
async function askHttp({ name, token, expected, port }: Known): Promise<string | undefined> {
  const url = `http://127.0.0.1:${port}/.well-known/acme-challenge/${token}`;
  const response = await fetch(url, { headers: { host: name }, redirect: "manual", keepalive: false });
  const text = await response.text();
  if (response.status === 200 && text.trimEnd() === expected) return undefined;
  return `${name} answers ${response.status} ${JSON.stringify(text.slice(0, 80))}`;
}

/** RFC 8737 §3. */
async function askTls({ name, expected, port }: Known): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<{ peer: PeerCertificate; protocol: string }>();
  const how = { port, host: "127.0.0.1", servername: name, ALPNProtocols: ["acme-tls/1"], rejectUnauthorized: false };
  const socket = connect(how, () =>
    resolve({ peer: socket.getPeerCertificate(), protocol: String(socket.alpnProtocol) }),
  );
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("the connection was closed")));
  const { peer, protocol } = await promise;
  socket.destroy();
  if (protocol !== "acme-tls/1") return `${name} speaks ${protocol}`;
  const certificate = new X509Certificate(peer.raw);
  if (certificate.subjectAltName !== `DNS:${name}`) return `the certificate is for ${certificate.subjectAltName}`;
  const digest = createHash("sha256").update(expected).digest();
  // id-pe-acmeIdentifier, critical, and an octet string in an octet string.
  const extension = Buffer.from("06082b0601050507011f0101ff04220420", "hex");
  if (peer.raw.includes(Buffer.concat([extension, digest]))) return undefined;
  return "the certificate does not hold the key authorization";
}
