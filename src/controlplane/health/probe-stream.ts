import { connect as connectTcp, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, TLSSocket } from "node:tls";
import { connectTarget } from "../../core/snapshot.ts";
import type { UpstreamTls } from "../../core/tls-settings.ts";

/** Where a probe goes, an address or a Unix socket, what it says before anything else, and how it speaks TLS if it does. */
export type ProbeTarget = {
  readonly host: string;
  readonly port: number;
  readonly preamble?: Uint8Array;
  readonly tls?: ProbeTls;
};

/** The name that is asked for, and how much of the answer is verified: `ca` accepts another name, and `off` accepts anything. */
export type ProbeTls = {
  readonly name: string;
  readonly verify: UpstreamTls["verify"];
  /** PEM; absent: the authorities that everybody believes. */
  readonly ca?: string;
  /** PEM: what is shown to an endpoint that asks for a certificate. */
  readonly cert?: string;
  readonly key?: string;
};

/** Bytes that may wait to be read; no answer to a probe needs more. */
const mostWaiting = 1024 * 1024;

/** The connection of one probe; it ends with the block that opened it, or when `signal` aborts. */
export class ProbeStream implements Disposable {
  readonly #socket: Socket;
  readonly #chunks: Uint8Array[] = [];
  #waiting = 0;
  #wake: (() => void) | undefined;
  #fault: Error | undefined;
  #isOver = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#take(typeof bytes === "string" ? Buffer.from(bytes) : bytes));
    socket.on("end", () => this.#finish());
    socket.on("error", (error) => this.#finish(error));
    socket.on("close", () => this.#finish());
  }

  /** Connects; rejects if that fails, or once `signal` aborts. */
  static open(target: ProbeTarget, signal: AbortSignal): Promise<ProbeStream> {
    const { preamble, tls } = target;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new Error("aborted"));
      const plain = connectTcp(connectTarget(target));
      if (preamble !== undefined) plain.write(preamble);
      const socket = tls === undefined ? plain : secured(plain, tls);
      const abort = (): void => {
        socket.destroy(new Error("aborted"));
        plain.destroy();
      };
      plain.once("error", reject);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
      socket.once(tls === undefined ? "connect" : "secureConnect", () => {
        const problem = tls === undefined ? undefined : problemOf(socket, tls);
        if (problem === undefined) return resolve(new ProbeStream(socket));
        reject(new Error(problem));
        abort();
      });
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next bytes, or undefined after the last ones; rejects if the connection broke. */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#fault !== undefined) throw this.#fault;
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const chunk = this.#chunks.shift();
    this.#waiting -= chunk?.length ?? 0;
    return chunk;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting > mostWaiting) this.#socket.destroy(new Error("the answer is longer than 1 MB"));
    this.#wake?.();
  }

  #finish(error?: Error): void {
    this.#fault ??= error;
    this.#isOver = true;
    this.#wake?.();
  }
}

function secured(socket: Socket, { name, ca, cert, key }: ProbeTls): TLSSocket {
  return connectTls({
    socket,
    // Looked at afterwards, because not every `verify` wants all of it.
    rejectUnauthorized: false,
    // An address has no place in a server name (RFC 6066 §3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key }),
  });
}

/** What stands against the certificate of an endpoint. */
function problemOf(socket: Socket, { name, verify }: ProbeTls): string | undefined {
  if (verify === "off" || !(socket instanceof TLSSocket)) return undefined;
  const { authorizationError } = socket;
  const isAnotherName = String(authorizationError) === "ERR_TLS_CERT_ALTNAME_INVALID";
  if (!socket.authorized && !isAnotherName) return `the certificate is not accepted: ${String(authorizationError)}`;
  if (verify === "ca") return undefined;
  return checkServerIdentity(name, socket.getPeerCertificate())?.message;
}
