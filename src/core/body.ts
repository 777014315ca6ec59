import type { GatewayError } from "./errors.ts";
import type { HeaderList } from "./headers.ts";

/** The content of a message: all of it, or a stream that is still coming. */
export type Body = Uint8Array | BodyStream;

/** Content on its way. It pushes into one sink, and stops while it is paused. */
export interface BodyStream {
  /** The Content-Length, if the sender gave one (bytes). */
  readonly length: number | undefined;
  /** Starts the flow; called once. */
  start(sink: BodySink): void;
  pause(): void;
  resume(): void;
  /** Nobody wants the rest. */
  cancel(): void;
  /** A trailer of this name, however it is written, is dropped: the header field of this name is not the sender's to say. */
  withhold(name: string): void;
}

/** Where a body goes. After `onBodyEnd` or `onBodyFailed` nothing more comes. */
export interface BodySink {
  onBodyBytes(bytes: Uint8Array): void;
  onBodyEnd(trailers: HeaderList | undefined): void;
  onBodyFailed(error: GatewayError): void;
}
