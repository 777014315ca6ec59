import type { BodySink, BodyStream } from "../../core/body.ts";
import { GatewayError } from "../../core/errors.ts";
import type { HeaderList } from "../../core/headers.ts";
import { withoutTrailers } from "../../core/trailers.ts";
import type { Stream } from "./stream.ts";

const nobody: BodySink = { onBodyBytes() {}, onBodyEnd() {}, onBodyFailed() {} };

/** The content of a request as it comes on its stream, whose window holds back what nobody has asked for yet. */
export class RequestBody implements BodyStream {
  readonly length: number | undefined;
  /** Content bytes so far. */
  bytes = 0;
  readonly #stream: Stream;
  readonly #onMalformed: (error: GatewayError) => void;
  #sink: BodySink | undefined;
  #isOver = false;
  #failure: GatewayError | undefined;
  #withheld: string[] | undefined;

  /** `onMalformed` hears of content that is not as long as the Content-Length says. */
  constructor(stream: Stream, length: number | undefined, onMalformed: (error: GatewayError) => void) {
    this.#stream = stream;
    this.length = length;
    this.#onMalformed = onMalformed;
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

  /** What still comes is read over, because it would fill the window of the connection. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink = nobody;
    this.#stream.resume();
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

  /** The client has ended its direction. */
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
    const error = new GatewayError("bad_request", "the content is not as long as Content-Length says");
    this.fail(error);
    this.#onMalformed(error);
  }
}
