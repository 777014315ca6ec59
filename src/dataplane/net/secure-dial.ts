import { isIP } from "node:net";
import { isSocketPath } from "../../core/snapshot.ts";
import type { KeyPair, UpstreamTls } from "../../core/tls-settings.ts";
import { makeContext, type SecureContext } from "./secure-context.ts";

/** What is wanted by ALPN; whoever wants `h2` takes HTTP/1.1 as well. */
export type DialProtocol = "http/1.1" | "h2";

/** How connections to the endpoints of one upstream are made secure. */
export class SecureDial {
  readonly settings: UpstreamTls;
  readonly #context: SecureContext;

  private constructor(settings: UpstreamTls, context: SecureContext) {
    this.settings = settings;
    this.#context = context;
  }

  /** Throws if the certificates cannot be used. */
  static build(settings: UpstreamTls, pairs: ReadonlyMap<string, KeyPair>): SecureDial {
    const { ca, certificate, minVersion } = settings;
    const pair = certificate === undefined ? undefined : pairs.get(certificate);
    if (certificate !== undefined && pair === undefined) throw new Error("a certificate is named that is not there");
    const context = makeContext({
      minVersion,
      ...(ca === undefined ? {} : { ca }),
      ...(pair === undefined ? {} : { cert: [pair.cert], key: [pair.key] }),
    });
    return new SecureDial(settings, context);
  }

  /** What a socket has to be told to connect to `host`. Addresses are verified, but not asked for (RFC 6066 §3). */
  optionsFor(host: string, protocol: DialProtocol = "http/1.1"): SecureConnectOptions {
    const isName = isIP(host) === 0 && !isSocketPath(host);
    const name = this.settings.serverName ?? (isName ? host : undefined);
    return {
      secureContext: this.#context,
      rejectUnauthorized: this.settings.verify === "full",
      ALPNProtocols: protocol === "h2" ? "\x02h2\x08http/1.1" : "\x08http/1.1",
      ...(name === undefined ? {} : { serverName: name }),
    };
  }

  /** What a finished handshake came to. Bun verifies the chain first, and only that of a good chain the name. */
  verdictOn(isDone: boolean, error: Error | null): "fine" | "untrusted" | "failed" {
    if (isDone && error === null) return "fine";
    const code = error !== null && "code" in error ? String(error.code) : "";
    if (code === "" || transportCodes.test(code)) return "failed";
    const { verify } = this.settings;
    const isNameOnly = code === "ERR_TLS_CERT_ALTNAME_INVALID";
    return verify === "off" || (verify === "ca" && isNameOnly) ? "fine" : "untrusted";
  }
}

/** Options of Bun.connect; `secureContext` is missing from its types. */
export type SecureConnectOptions = Bun.TLSOptions & { readonly secureContext: SecureContext };

/** Codes of handshakes that came to no certificate at all. */
const transportCodes = /^E(?:PROTO|CONN|PIPE|TIMEDOUT)|^ERR_SSL/;
