import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { connectTarget } from "../../core/snapshot.ts";

/**
 * Where a probe goes, an address or a Unix socket, and what it says before anything else. With `serverName` it speaks TLS, and does not ask
 * who answers: nothing secret is sent.
 */
export type ProbeTarget = {
  readonly host: string;
  readonly port: number;
  readonly preamble?: Uint8Array;
  readonly serverName?: string;
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
    const { preamble, serverName } = target;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new Error("aborted"));
      const plain = connectTcp(connectTarget(target));
      if (preamble !== undefined) plain.write(preamble);
      const socket = serverName === undefined ? plain : secured(plain, serverName);
      plain.once("error", reject);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
      socket.once(serverName === undefined ? "connect" : "secureConnect", () => resolve(new ProbeStream(socket)));
      const abort = (): void => {
        socket.destroy(new Error("aborted"));
        plain.destroy();
      };
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

function secured(socket: Socket, serverName: string): Socket {
  return connectTls({ socket, rejectUnauthorized: false, ...(serverName === "" ? {} : { servername: serverName }) });
}
