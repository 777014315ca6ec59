import type { Wire } from "../../core/wire.ts";
import { calm } from "./flood-guard.ts";
import { ConnectionFault, errorCode, flag, frameType, headSize, maxWindow, usualWindow } from "./frames.ts";

/** Above this, streams keep what they have, so that each knows how slow its own reader is (bytes). */
const highWater = 131_072;
/** A peer that makes the gateway answer and does not read the answers is let go (bytes). */
const maxControl = 1_048_576;
const blockSize = 16_384;

/** What a connection sends: frames in the order they are given, several of one turn in one write, and content within the window. */
export class FrameOutput {
  readonly #wire: Wire;
  #window = usualWindow;
  #block: Buffer | undefined;
  #filled = 0;
  #depth = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** How much content may be sent now (bytes). */
  get room(): number {
    return this.#wire.queued + this.#filled >= highWater ? 0 : this.#window;
  }

  /** The client takes so many bytes more on the whole connection. */
  widen(count: number): void {
    this.#window += count;
    if (this.#window > maxWindow)
      throw new ConnectionFault(errorCode.flowControl, "the connection's window is too large");
  }

  /** Throws a ConnectionFault if nothing of what was sent is read. */
  check(): void {
    if (this.#wire.queued > maxControl) throw calm("the peer does not read what it asks for", "unread_frames");
  }

  /** Frames that are sent inside go in as few writes as they can. */
  together(send: () => void): void {
    this.begin();
    try {
      send();
    } finally {
      this.finish();
    }
  }

  /** `together` for where a closure is too much. */
  begin(): void {
    this.#depth++;
  }

  finish(): void {
    if (--this.#depth === 0) this.flush();
  }

  send(frame: Uint8Array): void {
    if (this.#depth === 0) {
      this.#wire.write(frame);
      return;
    }
    if (frame.length > blockSize - this.#filled) this.flush();
    if (frame.length > blockSize) this.#wire.write(frame);
    else this.#keep(frame);
  }

  sendData(stream: number, bytes: Uint8Array, isLast: boolean): void {
    this.#window -= bytes.length;
    const frame = Buffer.allocUnsafe(headSize + bytes.length);
    frame.writeUIntBE(bytes.length, 0, 3);
    frame[3] = frameType.data;
    frame[4] = isLast ? flag.endStream : 0;
    frame.writeUInt32BE(stream, 5);
    frame.set(bytes, headSize);
    this.send(frame);
  }

  /** Writes what was held back; the block is the wire's from now on, which may keep it. */
  flush(): void {
    if (this.#block === undefined) return;
    const bytes = this.#block.subarray(0, this.#filled);
    this.#block = undefined;
    this.#filled = 0;
    this.#wire.write(bytes);
  }

  #keep(frame: Uint8Array): void {
    this.#block ??= Buffer.allocUnsafe(blockSize);
    this.#block.set(frame, this.#filled);
    this.#filled += frame.length;
  }
}
