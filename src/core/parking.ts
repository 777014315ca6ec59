import type { Receiver } from "./wire.ts";

/** Holds what a wire says while it changes hands, and tells its next receiver in the same order. */
export class Parking implements Receiver {
  #pieces: Uint8Array[] | undefined;
  #bytes = 0;
  #hasEnded = false;
  #closing: { readonly error: Error | undefined } | undefined;
  readonly #onChange: (() => void) | undefined;

  /** `onChange` is called whenever something was parked. */
  constructor(onChange?: () => void) {
    this.#onChange = onChange;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True if the peer has ended its direction or is gone. */
  get isOver(): boolean {
    return this.#hasEnded || this.#closing !== undefined;
  }

  onBytes(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#pieces === undefined) this.#pieces = [bytes];
    else this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    this.#onChange?.();
  }

  onWritable(): void {}

  onEnd(): void {
    this.#hasEnded = true;
    this.#onChange?.();
  }

  onClose(error: Error | undefined): void {
    this.#closing = { error };
    this.#onChange?.();
  }

  /** Tells `next` all that was held; the caller has made it the wire's receiver. */
  release(next: Receiver): void {
    const pieces = this.#pieces;
    this.#pieces = undefined;
    if (pieces !== undefined) for (const piece of pieces) next.onBytes(piece);
    if (this.#hasEnded) next.onEnd();
    if (this.#closing !== undefined) next.onClose(this.#closing.error);
  }
}
