import { acceptFor } from "../../src/core/websocket-handshake.ts";
import { type HttpMessage, header, readRequest } from "./http-message.ts";
import { SendQueue } from "./send-queue.ts";
import { backendTls, markSecure } from "./test-certificates.ts";
import { until } from "./until.ts";

/** What a backend does with each connection. */
export type Script = (connection: BackendConnection) => Promise<void> | void;

/** A backend that speaks as its script says, and keeps every byte of every connection. */
export class ScriptedBackend implements AsyncDisposable {
  readonly connections: BackendConnection[] = [];
  readonly #listener: Bun.TCPSocketListener<BackendConnection>;
  readonly #failures: unknown[] = [];
  readonly #mark: Disposable | undefined;

  private constructor(script: Script, tls: Bun.TLSOptions | undefined) {
    this.#listener = Bun.listen<BackendConnection>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      ...(tls === undefined ? {} : { tls }),
      socket: {
        open: (socket) => {
          const connection = new BackendConnection(socket);
          socket.data = connection;
          this.connections.push(connection);
          void this.#play(script, connection);
        },
        data: (socket, bytes) => socket.data.take(bytes),
        drain: (socket) => socket.data.flush(),
        end(socket) {
          socket.data.hasEnded = true;
        },
        close(socket) {
          // A TLS handshake that came to nothing never opened.
          if (socket.data === undefined) return;
          socket.data.hasEnded = socket.data.isClosed = true;
        },
      },
    });
    this.#mark = tls === undefined ? undefined : markSecure(this.port);
  }

  /** With `tls` it speaks TLS, and gateways of the tests know it. */
  static open(script: Script, tls: Bun.TLSOptions | undefined = backendTls): ScriptedBackend {
    return new ScriptedBackend(script, tls);
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Everything that came, of all connections together, latin1. */
  get text(): string {
    return this.connections.map((connection) => connection.text).join("");
  }

  /** Every whole request that came and a script has read, in order. */
  get requests(): readonly HttpMessage[] {
    return this.connections.flatMap((connection) => connection.requests);
  }

  /** The connection that came at this place, as soon as it is there. */
  async connection(at = 0): Promise<BackendConnection> {
    await until(() => this.connections.length > at);
    return this.connections[at] as BackendConnection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mark?.[Symbol.dispose]();
    this.#listener.stop(true);
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  async #play(script: Script, connection: BackendConnection): Promise<void> {
    try {
      await script(connection);
    } catch (error) {
      if (!(error instanceof ConnectionOver)) this.#failures.push(error);
    }
  }
}

/** Thrown to a script whose connection has ended; it ends the script. */
class ConnectionOver extends Error {}

/** One connection of a backend. Text is latin1, a character a byte. */
export class BackendConnection {
  hasEnded = false;
  isClosed = false;
  /** Bytes that came. */
  count = 0;
  /** Hears each piece as it comes. */
  onBytes: ((bytes: Buffer) => void) | undefined;
  /** False stops keeping what comes, for streams that are too long to keep. */
  isKept = true;
  readonly requests: HttpMessage[] = [];
  #received: Buffer = Buffer.alloc(0);
  #taken = 0;
  readonly #queue: SendQueue;
  readonly #socket: Bun.Socket<BackendConnection>;

  constructor(socket: Bun.Socket<BackendConnection>) {
    this.#socket = socket;
    this.#queue = new SendQueue(socket);
  }

  get received(): Buffer {
    return this.#received;
  }

  get text(): string {
    return this.#received.toString("latin1");
  }

  /** What came behind the last request that was read. */
  get rest(): Buffer {
    return this.#received.subarray(this.#taken);
  }

  /** Bytes that the kernel has not taken yet. */
  get queued(): number {
    return this.#queue.bytes;
  }

  /** The next whole request. */
  async request(): Promise<HttpMessage> {
    let found: ReturnType<typeof readRequest>;
    await this.until(() => {
      found = readRequest(this.rest);
      return found !== undefined;
    });
    if (found === undefined) throw new ConnectionOver();
    this.#taken = this.#received.length - found.rest.length;
    this.requests.push(found.message);
    return found.message;
  }

  /** Waits as long as the connection lives; the test's own deadline ends it otherwise. */
  async until(condition: () => boolean): Promise<void> {
    await until(() => condition() || this.hasEnded, 60_000);
    if (!condition()) throw new ConnectionOver();
  }

  write(bytes: string | Uint8Array): this {
    this.#queue.write(bytes);
    return this;
  }

  /** Answers the handshake with a valid 101, and more header lines (each with its CR LF) and bytes behind it. */
  switch(request: HttpMessage, more: { lines?: string; bytes?: Uint8Array } = {}): this {
    const accept = acceptFor(header(request, "sec-websocket-key") ?? "");
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
    const start = Buffer.from(`${head}${more.lines ?? ""}\r\n`, "latin1");
    return this.write(more.bytes === undefined ? start : Buffer.concat([start, more.bytes]));
  }

  end(): void {
    this.#queue.end();
  }

  /** Closes with a reset. */
  reset(): void {
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  take(bytes: Buffer): void {
    this.count += bytes.length;
    this.onBytes?.(bytes);
    if (this.isKept) this.#received = Buffer.concat([this.#received, bytes]);
  }

  flush(): void {
    this.#queue.flush();
  }
}

/** A script: the same answer to every request, keep-alive. `answer` is a whole response, or makes one. */
export function answering(answer: string | ((request: HttpMessage) => string)): Script {
  return async (connection) => {
    for (;;) {
      const request = await connection.request();
      connection.write(typeof answer === "string" ? answer : answer(request));
    }
  };
}

/** A script: plain requests get 200 and `ok`, handshakes a 101. */
export const friendly: Script = async (connection) => {
  for (;;) {
    const request = await connection.request();
    if (header(request, "upgrade") === undefined) connection.write(okAnswer("ok"));
    else connection.switch(request);
  }
};

/** A script: never answers. */
export const silent: Script = () => {};

/** A 200 with a body. */
export function okAnswer(body: string, lines = ""): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${lines}\r\n${body}`;
}
