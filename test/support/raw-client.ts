import { type HttpMessage, readResponse } from "./http-message.ts";
import { wayTo } from "./http2-bridge.ts";
import { SendQueue } from "./send-queue.ts";
import { isSecurePort, testAuthority } from "./test-certificates.ts";
import { until } from "./until.ts";

/** How a client connects: over TLS if it is told to, or if the port belongs to a gateway of the tests that speaks it. */
export type RawOptions = { readonly host?: string; readonly keep?: boolean; readonly tls?: Bun.TLSOptions };

/** A TCP client that writes exactly the bytes it is told, and keeps all it gets. Text is latin1, a character a byte. */
export class RawClient implements AsyncDisposable {
  /** True once the peer has ended its direction, and once nothing can be read or written any more. */
  hasEnded = false;
  isClosed = false;
  /** True if the connection ended with a reset. */
  wasReset = false;
  /** All bytes that came. */
  count = 0;
  /** Hears each piece as it comes. */
  onBytes: ((bytes: Buffer) => void) | undefined;
  #received: Buffer = Buffer.alloc(0);
  #isKept: boolean;
  readonly #socket: Bun.Socket<RawClient>;
  readonly #queue: SendQueue;

  private constructor(socket: Bun.Socket<RawClient>, isKept: boolean) {
    this.#socket = socket;
    this.#queue = new SendQueue(socket);
    this.#isKept = isKept;
  }

  /** Connects. With `keep: false` what comes is only counted, for streams that are too long to keep. */
  static async open(to: number, how: RawOptions = {}): Promise<RawClient> {
    const port = await wayTo(to);
    const { promise, resolve, reject } = Promise.withResolvers<RawClient>();
    Bun.connect<RawClient>({
      hostname: how.host ?? "127.0.0.1",
      port,
      allowHalfOpen: true,
      ...(how.tls === undefined && !isSecurePort(port) ? {} : { tls: { ca: testAuthority().cert, ...how.tls } }),
      socket: {
        open(socket) {
          socket.data = new RawClient(socket, how.keep ?? true);
          resolve(socket.data);
        },
        data: (socket, bytes) => socket.data.#take(bytes),
        drain: (socket) => socket.data.#queue.flush(),
        end(socket) {
          socket.data.hasEnded = true;
        },
        close(socket, error) {
          socket.data.hasEnded = socket.data.isClosed = true;
          socket.data.wasReset = error !== undefined;
        },
        connectError: (_, error) => reject(error),
      },
    }).catch(reject);
    return promise;
  }

  /** What came and was not taken by `response`. */
  get received(): Buffer {
    return this.#received;
  }

  get text(): string {
    return this.#received.toString("latin1");
  }

  /** Bytes that the kernel has not taken yet. */
  get queued(): number {
    return this.#queue.bytes;
  }

  write(bytes: string | Uint8Array): this {
    this.#queue.write(bytes);
    return this;
  }

  /** Ends our direction (FIN) once everything is written. */
  end(): this {
    this.#queue.end();
    return this;
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

  /** Waits until what came contains `text`. */
  async until(text: string, deadlineMs?: number): Promise<string> {
    await this.#wait(() => this.#received.includes(text, 0, "latin1"), deadlineMs);
    return this.text;
  }

  /** Waits until that many bytes have come. */
  async untilBytes(count: number, deadlineMs?: number): Promise<void> {
    await this.#wait(() => this.count >= count, deadlineMs);
  }

  /** Waits until the peer has ended its direction, and returns all that came. */
  async untilEnd(deadlineMs?: number): Promise<string> {
    await this.#wait(() => this.hasEnded, deadlineMs);
    return this.text;
  }

  /** Waits until everything written was taken by the kernel. */
  async untilWritten(deadlineMs?: number): Promise<void> {
    await this.#wait(() => this.queued === 0, deadlineMs);
  }

  /** Takes the next whole response off what came; `method` is that of its request. Waits for it. */
  async response(method = "GET", deadlineMs?: number): Promise<HttpMessage> {
    let found: ReturnType<typeof readResponse>;
    await this.#wait(() => {
      found = readResponse(this.#received, { method, hasEnded: this.hasEnded });
      return found !== undefined || this.hasEnded;
    }, deadlineMs);
    if (found === undefined) throw new Error(`the connection ended without a response: ${JSON.stringify(this.text)}`);
    this.#received = found.rest;
    return found.message;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.end();
    this.#isKept = false;
  }

  #take(bytes: Buffer): void {
    this.count += bytes.length;
    this.onBytes?.(bytes);
    if (this.#isKept) this.#received = Buffer.concat([this.#received, bytes]);
  }

  async #wait(condition: () => boolean, deadlineMs?: number): Promise<void> {
    try {
      await until(condition, deadlineMs);
    } catch (error) {
      throw new Error(`${error}; what came: ${JSON.stringify(this.text.slice(0, 2000))}`);
    }
  }
}
