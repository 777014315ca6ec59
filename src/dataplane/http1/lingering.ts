import type { Receiver, Wire } from "../../core/wire.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";

/** How long the rest of what a client sends is read and dropped after the last answer (ms), and how much of it (bytes). */
const lingerMs = 2000;
const maxDropped = 1_048_576;

/**
 * Ends a connection after its last answer: our direction ends when all is sent, and what still comes is read and dropped, because a
 * reset for unread bytes could overtake the answer (RFC 9112 §9.6). A client that still takes its answer may take its time.
 */
export class Lingering implements Receiver {
  readonly #wire: Wire;
  readonly #wheel: TimerWheel;
  readonly #timer = new Timer(() => this.#look());
  #dropped = 0;
  #hasTaken = false;

  private constructor(wire: Wire, wheel: TimerWheel) {
    this.#wire = wire;
    this.#wheel = wheel;
  }

  static start(wire: Wire, wheel: TimerWheel): void {
    if (wire.isClosed) return;
    const lingering = new Lingering(wire, wheel);
    wire.receiver = lingering;
    wheel.arm(lingering.#timer, lingerMs);
    wire.end();
  }

  onBytes(bytes: Uint8Array): void {
    this.#dropped += bytes.length;
    if (this.#dropped > maxDropped) this.#end();
  }

  onWritable(): void {
    this.#hasTaken = true;
  }

  /** The wire closes by itself once our direction has ended too. */
  onEnd(): void {}

  onClose(): void {
    this.#wheel.disarm(this.#timer);
  }

  #look(): void {
    if (this.#wire.queued === 0 || !this.#hasTaken) return this.#end();
    this.#hasTaken = false;
    this.#wheel.arm(this.#timer, lingerMs);
  }

  #end(): void {
    this.#wheel.disarm(this.#timer);
    this.#wire.destroy();
  }
}
