import type { Receiver, Wire } from "../core/wire.ts";
import { preface } from "./http2/frames.ts";

/** Tells from a connection's first bytes whether its client speaks HTTP/2 by prior knowledge (RFC 9113 §3.3). */
export class PriorKnowledge implements Receiver {
  readonly #wire: Wire;
  readonly #http1: Receiver;
  readonly #toHttp2: () => Receiver;
  #seen: Uint8Array = Buffer.alloc(0);

  /** `toHttp2` is called once, if it is HTTP/2, and returns who receives from then on. */
  constructor(wire: Wire, http1: Receiver, toHttp2: () => Receiver) {
    this.#wire = wire;
    this.#http1 = http1;
    this.#toHttp2 = toHttp2;
  }

  /** True if something has come that may be either. */
  get hasBegun(): boolean {
    return this.#seen.length > 0;
  }

  onBytes(bytes: Uint8Array): void {
    const seen = this.#seen.length === 0 ? bytes : Buffer.concat([this.#seen, bytes]);
    this.#seen = seen;
    const count = Math.min(seen.length, preface.length);
    const isPreface = preface.compare(seen, 0, count, 0, count) === 0;
    if (isPreface && count < preface.length) return;
    const receiver = isPreface ? this.#toHttp2() : this.#http1;
    this.#wire.receiver = receiver;
    receiver.onBytes(seen);
  }

  onWritable(): void {
    this.#http1.onWritable();
  }

  onEnd(): void {
    this.#http1.onEnd();
  }

  onClose(error: Error | undefined): void {
    this.#http1.onClose(error);
  }
}
