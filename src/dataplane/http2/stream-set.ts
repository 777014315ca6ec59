import type { PeerAddress, Wire, WireSecurity } from "../../core/wire.ts";
import type { FrameOutput } from "./frame-output.ts";
import { ConnectionFault, errorCode, frameType, numberFrame, usualWindow } from "./frames.ts";
import { Stream, type StreamOwner } from "./stream.ts";

/** What may come on all streams together before it is read (bytes). */
const connectionWindow = 1_048_576;

type StreamSetOptions = {
  readonly wire: Wire;
  readonly output: FrameOutput;
  /** How much may wait here for slow readers before less may come on all streams (bytes). */
  readonly maxHeld: number;
  /** Called when the last stream has ended. */
  readonly onEmpty: () => void;
};

/** The streams of a connection that are open, what they share of its windows, and whose turn it is to send. */
export class StreamSet implements StreamOwner {
  readonly #wire: Wire;
  readonly #output: FrameOutput;
  readonly #maxHeld: number;
  readonly #onEmpty: () => void;
  readonly #streams = new Map<number, Stream>();
  readonly #waiting = new Set<Stream>();
  #firstWindow = usualWindow;
  #held = 0;
  #unacknowledged = 0;
  #isClosed = false;

  constructor({ wire, output, maxHeld, onEmpty }: StreamSetOptions) {
    this.#maxHeld = maxHeld;
    this.#wire = wire;
    this.#output = output;
    this.#onEmpty = onEmpty;
  }

  get peer(): PeerAddress {
    return this.#wire.peer;
  }

  get security(): WireSecurity | undefined {
    return this.#wire.security;
  }

  get room(): number {
    return this.#output.room;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** What a client takes on a new stream before it says more (bytes). */
  get firstWindow(): number {
    return this.#firstWindow;
  }

  /** Widens the window of the connection as far as it goes. */
  start(): void {
    this.send(numberFrame(frameType.windowUpdate, 0, connectionWindow - usualWindow));
  }

  open(id: number): Stream {
    const stream = new Stream(id, this, this.#firstWindow);
    this.#streams.set(id, stream);
    return stream;
  }

  get(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE also holds for streams that are open (RFC 9113 §6.9.2). */
  setFirstWindow(size: number): void {
    for (const stream of this.#streams.values()) {
      if (!stream.mayWiden(size - this.#firstWindow))
        throw new ConnectionFault(errorCode.flowControl, "the window of a stream is too large");
      stream.widen(size - this.#firstWindow);
    }
    this.#firstWindow = size;
  }

  /** Content has come for whichever stream. Throws a ConnectionFault if there was no room for it. */
  received(count: number): void {
    this.#unacknowledged += count;
    if (this.#unacknowledged > connectionWindow)
      throw new ConnectionFault(errorCode.flowControl, "the window of the connection is exceeded");
  }

  /** The window of the connection is open for all streams, however slowly one of them is read, until too much waits here. */
  acknowledge(): void {
    if (this.#unacknowledged < connectionWindow / 2 || this.#held > this.#maxHeld || this.#isClosed) return;
    this.send(numberFrame(frameType.windowUpdate, 0, this.#unacknowledged));
    this.#unacknowledged = 0;
  }

  /** Every stream that waits sends a frame in its turn. */
  pump(): void {
    this.#output.begin();
    while (this.room > 0 && this.#waiting.size > 0) {
      for (const stream of this.#waiting) {
        if (this.room <= 0) break;
        this.#waiting.delete(stream);
        if (stream.pump()) this.#waiting.add(stream);
      }
    }
    this.#output.finish();
  }

  /** Streams above this one are not looked at by the peer. */
  closeAbove(last: number, error: Error): void {
    for (const stream of [...this.#streams.values()]) if (stream.id > last) stream.onGone(error);
  }

  /** The connection is gone, and every stream with it. */
  close(error: Error): void {
    this.#isClosed = true;
    for (const stream of [...this.#streams.values()]) stream.onGone(error);
  }

  send(frame: Uint8Array): void {
    this.#output.send(frame);
  }

  sendData(stream: number, bytes: Uint8Array, isLast: boolean): void {
    this.#output.sendData(stream, bytes, isLast);
  }

  await(stream: Stream): void {
    this.#waiting.add(stream);
  }

  hold(count: number): void {
    this.#held += count;
    if (count < 0) this.acknowledge();
  }

  over(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
    if (this.#streams.size === 0 && !this.#isClosed) this.#onEmpty();
  }
}
