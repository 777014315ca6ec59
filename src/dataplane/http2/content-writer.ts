import type { Body, BodySink, BodyStream } from "../../core/body.ts";
import type { GatewayError } from "../../core/errors.ts";
import type { HeaderList } from "../../core/headers.ts";
import { encodeHeaders } from "./header-encoder.ts";
import type { Stream } from "./stream.ts";

/** Reading the body's source stops when this much waits on the stream, and goes on below the low mark (bytes). */
const highWater = 262_144;
const lowWater = 65_536;

/** Writes the content of a message to a stream, as fast as the peer takes it. */
export class ContentWriter implements BodySink {
  /** Content bytes so far. */
  bytes = 0;
  /** True if something was written or taken since this was last set to false. */
  hasProgressed = true;
  readonly #stream: Stream;
  readonly #source: BodyStream | undefined;
  readonly #onDone: (error: GatewayError | undefined) => void;
  #isPaused = false;
  #isDone = false;

  /** `onDone` is called once: the content is written, or queued on the stream, or `error` says why not. */
  constructor(stream: Stream, body: Body, onDone: (error: GatewayError | undefined) => void) {
    this.#stream = stream;
    this.#source = body instanceof Uint8Array ? undefined : body;
    this.#onDone = onDone;
  }

  start(body: Body): void {
    if (!(body instanceof Uint8Array)) return body.start(this);
    this.onBodyBytes(body);
    this.onBodyEnd(undefined);
  }

  /** True while the peer takes less than there is. */
  get isBlocked(): boolean {
    return this.#isPaused || (this.#isDone && this.#stream.queued > 0);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  onWritable(): void {
    this.hasProgressed = true;
    if (!this.#isPaused || this.#stream.queued > lowWater) return;
    this.#isPaused = false;
    this.#source?.resume();
  }

  /** Stops writing; the body's source is told. */
  stop(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#source?.cancel();
  }

  onBodyBytes(bytes: Uint8Array): void {
    if (this.#isDone) return;
    this.bytes += bytes.length;
    this.hasProgressed = true;
    if (this.#stream.write(bytes) <= highWater || this.#isPaused) return;
    this.#isPaused = true;
    this.#source?.pause();
  }

  onBodyEnd(trailers: HeaderList | undefined): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (trailers === undefined) this.#stream.end();
    else this.#stream.endWith(encodeHeaders(trailers));
    this.#onDone(undefined);
  }

  onBodyFailed(error: GatewayError): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#onDone(error);
  }
}
