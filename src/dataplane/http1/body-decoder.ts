import type { BodySink, BodyStream } from "../../core/body.ts";
import { GatewayError } from "../../core/errors.ts";
import type { HeaderList } from "../../core/headers.ts";
import { withoutTrailers } from "../../core/trailers.ts";
import { type BodyErrorCode, ChunkedDecoder, type ChunkedListener } from "./chunked.ts";
import { after, asBuffer, type Framing } from "./syntax.ts";

/** The connection that a body is read from. */
export interface BodyOwner {
  pauseReading(): void;
  resumeReading(): void;
  /** The body is read to its end; `rest` came behind it. */
  onBodyRead(rest: Uint8Array): void;
  /** The body is malformed; its sink was told. */
  onBodyBad(error: GatewayError): void;
  /** Nobody wants the rest of the body. */
  onBodyCancelled(): void;
}

/** How much may wait here while nobody takes it, before reading stops (bytes). */
const maxWaiting = 65_536;

const nobody: BodySink = { onBodyBytes() {}, onBodyEnd() {}, onBodyFailed() {} };

/** Finds the end of a body in the bytes of a connection, and gives its content to one sink. */
export class BodyDecoder implements BodyStream, ChunkedListener {
  readonly length: number | undefined;
  /** Content bytes so far. */
  bytes = 0;
  readonly #owner: BodyOwner;
  readonly #chunked: ChunkedDecoder | undefined;
  #remaining: number;
  #sink: BodySink | undefined;
  #isPaused = false;
  #isOver = false;
  /** What becomes of the body once all that has come is decoded; set when nothing more comes. */
  #atEnd: GatewayError | "complete" | undefined;
  #failure: GatewayError | undefined;
  #isReadingPaused = false;
  #waiting: Uint8Array[] | undefined;
  #waitingBytes = 0;
  #withheld: string[] | undefined;

  constructor(framing: Exclude<Framing, { kind: "none" }>, owner: BodyOwner, errorCode: BodyErrorCode) {
    this.#owner = owner;
    this.length = framing.kind === "length" ? framing.length : undefined;
    this.#remaining = framing.kind === "length" ? framing.length : Number.POSITIVE_INFINITY;
    this.#chunked = framing.kind === "chunked" ? new ChunkedDecoder(this, errorCode) : undefined;
  }

  /** True once the whole body was read or nobody wants it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    if (!this.#isOver) return this.#flow();
    // It ended before anybody listened.
    if (this.#failure === undefined) sink.onBodyEnd(undefined);
    else sink.onBodyFailed(this.#failure);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flow();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#over();
    this.#owner.onBodyCancelled();
  }

  /** If nobody has asked for the body, what has come of it is read and dropped, and the rest is not wanted. */
  passOver(): void {
    if (this.#isOver || this.#sink !== undefined) return;
    this.start(nobody);
    this.cancel();
  }

  withhold(name: string): void {
    if (this.#chunked === undefined) return;
    this.#withheld ??= [];
    this.#withheld.push(name);
  }

  /** Bytes of the connection. Only what comes before the body's end may be given. */
  feed(bytes: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#sink !== undefined && !this.#isPaused && this.#waiting === undefined) return this.#decode(bytes);
    if (this.#waiting === undefined) this.#waiting = [bytes];
    else this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > maxWaiting && !this.#isReadingPaused) {
      this.#isReadingPaused = true;
      this.#owner.pauseReading();
    }
  }

  /** The peer has ended its direction. `error` is what that means for a body that is not complete. */
  endOfInput(error: GatewayError): void {
    const endsByClosing = this.#chunked === undefined && this.length === undefined;
    this.#atEnd ??= endsByClosing ? "complete" : error;
    this.#finishInput();
  }

  /** The connection broke. What has come is still given out, and then the error. */
  breakOff(error: GatewayError): void {
    this.#atEnd ??= error;
    this.#finishInput();
  }

  /** Ends the body with an error. */
  fail(error: GatewayError): void {
    if (this.#isOver) return;
    this.#over();
    this.#failure = error;
    this.#sink?.onBodyFailed(error);
  }

  onData(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.#sink?.onBodyBytes(bytes);
  }

  onEnd(trailers: HeaderList | undefined): void {
    this.#over();
    this.#sink?.onBodyEnd(withoutTrailers(trailers, this.#withheld));
  }

  #flow(): void {
    while (this.#sink !== undefined && !this.#isPaused && !this.#isOver) {
      const next = this.#nextWaiting();
      if (next === undefined) break;
      this.#waitingBytes -= next.length;
      this.#decode(next);
    }
    if (this.#isOver || this.#waiting !== undefined) return;
    if (this.#atEnd !== undefined) return this.#finishInput();
    if (!this.#isReadingPaused || this.#isPaused) return;
    this.#isReadingPaused = false;
    this.#owner.resumeReading();
  }

  #nextWaiting(): Uint8Array | undefined {
    const next = this.#waiting?.shift();
    if (this.#waiting?.length === 0) this.#waiting = undefined;
    return next;
  }

  #finishInput(): void {
    if (this.#isOver || this.#atEnd === undefined || this.#waiting !== undefined) return;
    if (this.#atEnd === "complete") this.onEnd(undefined);
    else this.fail(this.#atEnd);
  }

  #decode(bytes: Uint8Array): void {
    try {
      const used = this.#chunked === undefined ? this.#plain(bytes) : this.#chunked.decode(bytes);
      if (!this.#isOver) return;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      const left = after(asBuffer(bytes), used);
      const rest = waiting === undefined ? left : Buffer.concat([left, ...waiting]);
      if (this.#isReadingPaused) this.#owner.resumeReading();
      this.#owner.onBodyRead(rest);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.fail(error);
      this.#owner.onBodyBad(error);
    }
  }

  #plain(bytes: Uint8Array): number {
    const used = Math.min(this.#remaining, bytes.length);
    this.#remaining -= used;
    if (used > 0) this.onData(used === bytes.length ? bytes : bytes.subarray(0, used));
    if (this.#remaining === 0) this.onEnd(undefined);
    return used;
  }

  #over(): void {
    this.#isOver = true;
  }
}
