import type { BodySink, BodyStream } from "../../core/body.ts";
import { type ErrorCode, GatewayError } from "../../core/errors.ts";
import type { HeaderList } from "../../core/headers.ts";
import { withoutTrailers } from "../../core/trailers.ts";
import type { Stream } from "./stream.ts";

const nobody: BodySink = { onBodyBytes() {}, onBodyEnd() {}, onBodyFailed() {} };

/** Hears what a body needs of the exchange that it belongs to. */
export interface StreamBodyOwner {
  /** The content is not as long as its Content-Length says; the body has failed with `error`. */
  onBodyBad(error: GatewayError): void;
  /** Nobody wants the rest. */
  onBodyCancelled(): void;
}

/** The content of a message as it comes on its stream, whose window holds back what nobody has asked for yet. */
export class StreamBody implements BodyStream {
  readonly length: number | undefined;
  /** Content bytes so far. */
  bytes = 0;
  readonly #stream: Stream;
  readonly #owner: StreamBodyOwner;
  readonly #badCode: ErrorCode;
  #sink: BodySink | undefined;
  #isOver = false;
  #failure: GatewayError | undefined;
  #withheld: string[] | undefined;

  /** `badCode` is what content of another length than the Content-Length comes to. */
  constructor(
    stream: Stream,
    {
      length,
      owner,
      badCode,
    }: { readonly length: number | undefined; readonly owner: StreamBodyOwner; readonly badCode: ErrorCode },
  ) {
    this.#stream = stream;
    this.length = length;
    this.#owner = owner;
    this.#badCode = badCode;
    stream.pause();
  }

  /** True once the whole body was read or nobody wants it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    if (!this.#isOver) return this.#stream.resume();
    // It ended before anybody listened.
    if (this.#failure === undefined) sink.onBodyEnd(undefined);
    else sink.onBodyFailed(this.#failure);
  }

  pause(): void {
    if (!this.#isOver) this.#stream.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#stream.resume();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink = nobody;
    this.#owner.onBodyCancelled();
  }

  withhold(name: string): void {
    this.#withheld ??= [];
    this.#withheld.push(name);
  }

  feed(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.bytes += bytes.length;
    if (this.length !== undefined && this.bytes > this.length) this.#malformed();
    else this.#sink?.onBodyBytes(bytes);
  }

  /** The peer has ended its direction. */
  end(trailers: HeaderList | undefined): void {
    if (this.#isOver) return;
    if (this.length !== undefined && this.bytes !== this.length) return this.#malformed();
    this.#isOver = true;
    this.#sink?.onBodyEnd(withoutTrailers(trailers, this.#withheld));
  }

  fail(error: GatewayError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = error;
    this.#sink?.onBodyFailed(error);
  }

  #malformed(): void {
    const error = new GatewayError(this.#badCode, "the content is not as long as Content-Length says");
    this.fail(error);
    this.#owner.onBodyBad(error);
  }
}
