import type { Body, BodySink, BodyStream } from "../../core/body.ts";
import type { GatewayError } from "../../core/errors.ts";
import type { HeaderList } from "../../core/headers.ts";
import type { Wire } from "../../core/wire.ts";
import { chunkHead, lastChunk } from "./chunked.ts";

/** How the content of a message is delimited when it is written. */
export type WriteFraming = "none" | "length" | "chunked" | "until-close";

/** Reading the body's source stops when this much waits on the wire, and goes on below the low mark (bytes). */
const highWater = 262_144;
const lowWater = 65_536;
/** Pieces up to this size are copied into one write with their chunk's size line (bytes). */
const smallPiece = 16_384;

/** A message, and where it goes. */
export type MessageOptions = {
  readonly wire: Wire;
  /** The whole head with its empty line, latin1. */
  readonly head: string;
  readonly framing: WriteFraming;
  readonly body: Body | undefined;
  readonly owner: MessageOwner;
};

/** The connection that a message is written on. */
export interface MessageOwner {
  /** Called once: the message is written (or queued on the wire) whole, or `error` says why not. */
  onWritten(error: GatewayError | undefined): void;
}

/** Writes one message: the head together with the first piece of the body, then the rest as it comes. */
export class MessageWriter implements BodySink {
  /** Content bytes so far. */
  bytes = 0;
  /** When something was last written (true since the last look). */
  hasProgressed = false;
  readonly #wire: Wire;
  readonly #owner: MessageOwner;
  readonly #framing: WriteFraming;
  readonly #body: Body | undefined;
  #head: string;
  #isPaused = false;
  #isDone = false;

  constructor(options: MessageOptions) {
    this.#wire = options.wire;
    this.#owner = options.owner;
    this.#framing = options.framing;
    this.#body = options.body;
    this.#head = options.head;
  }

  start(): void {
    const body = this.#body;
    if (this.#framing === "none" || body === undefined) {
      this.flushHead();
      this.#stream?.cancel();
      return this.#done(undefined);
    }
    if (body instanceof Uint8Array) {
      this.onBodyBytes(body);
      return this.onBodyEnd(undefined);
    }
    body.start(this);
    // The head does not wait for a body that is slow to begin.
    this.flushHead();
  }

  /** True while the wire is full. */
  get isBlocked(): boolean {
    return this.#isPaused;
  }

  /** True if a part of an unfinished message was taken since this was last asked. */
  takesProgress(): boolean {
    const { hasProgressed } = this;
    this.hasProgressed = false;
    return hasProgressed && !this.#isDone;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** The wire has taken something. */
  onWritable(): void {
    this.hasProgressed = true;
    if (!this.#isPaused || this.#wire.queued > lowWater) return;
    this.#isPaused = false;
    this.#stream?.resume();
  }

  /** Writes the head now, if it was still waiting for the first piece of its body. */
  flushHead(): void {
    if (this.#head !== "") this.#writeText("");
  }

  /** Stops writing; the body's source is told. */
  stop(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#stream?.cancel();
  }

  onBodyBytes(bytes: Uint8Array): void {
    if (this.#isDone) return;
    this.bytes += bytes.length;
    this.hasProgressed = true;
    const queued = this.#framing === "chunked" ? this.#writeChunk(bytes) : this.#write("", bytes, "");
    if (queued > highWater && !this.#isPaused) {
      this.#isPaused = true;
      this.#stream?.pause();
    }
  }

  onBodyEnd(trailers: HeaderList | undefined): void {
    if (this.#isDone) return;
    if (this.#framing === "chunked") this.#writeText(lastChunk(trailers));
    else this.flushHead();
    this.#done(undefined);
  }

  onBodyFailed(error: GatewayError): void {
    if (!this.#isDone) this.#done(error);
  }

  get #stream(): BodyStream | undefined {
    return this.#body instanceof Uint8Array ? undefined : this.#body;
  }

  #writeChunk(bytes: Uint8Array): number {
    return bytes.length === 0 ? this.#wire.queued : this.#write(chunkHead(bytes.length), bytes, "\r\n");
  }

  #write(before: string, bytes: Uint8Array, after: string): number {
    const wire = this.#wire;
    const start = this.#head + before;
    this.#head = "";
    if (start === "" && after === "") return wire.write(bytes);
    if (bytes.length <= smallPiece) return wire.writeFramed(start, bytes, after);
    if (start !== "") wire.writeFramed(start);
    const queued = wire.write(bytes);
    return after === "" ? queued : wire.writeFramed(after);
  }

  #writeText(text: string): void {
    const start = this.#head + text;
    this.#head = "";
    this.#wire.writeFramed(start);
  }

  #done(error: GatewayError | undefined): void {
    this.#isDone = true;
    this.#owner.onWritten(error);
  }
}
