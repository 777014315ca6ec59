import { readSync } from "node:fs";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";
import type { OwnedSocket } from "./socket-owner.ts";

/** Somebody who wants so many bytes of a connection and none of those behind them. */
export interface ExactTaker {
  /** How many bytes it wants at least; 0 once it wants no more. */
  readonly missing: number;
  received(bytes: Uint8Array): void;
  /** The peer's FIN. */
  ended(): void;
  failed(error: Error): void;
}

/** Where all bytes go on their way: whoever takes them keeps a copy. */
const taken = Buffer.alloc(2048);
/** How long it is until the next try (ms), at most, and as a part of how long the first is ago. */
const longestGapMs = 250;
const gapPart = 1 / 8;

/**
 * Reads a paused socket past Bun, byte by byte if it must be: what Bun reads once cannot be given to TLS any more. A paused
 * socket does not say that it can be read, so that it is tried again and again, and less and less often.
 */
export class ExactReader {
  readonly #socket: OwnedSocket;
  readonly #taker: ExactTaker;
  readonly #wheel: TimerWheel;
  readonly #timer: Timer;
  readonly #beginMs: number;

  private constructor(socket: OwnedSocket, taker: ExactTaker, wheel: TimerWheel) {
    this.#socket = socket;
    this.#taker = taker;
    this.#wheel = wheel;
    this.#timer = new Timer(() => this.#read());
    this.#beginMs = wheel.clock();
  }

  /** Gives `taker` what it wants; the wheel's tick is how soon a first try that came too early is made again. */
  static start(socket: OwnedSocket, taker: ExactTaker, wheel: TimerWheel): void {
    new ExactReader(socket, taker, wheel).#read();
  }

  /** The descriptor is the socket's for as long as something is missing. */
  #read(): void {
    while (this.#taker.missing > 0) {
      const count = this.#take();
      if (count === undefined) return;
      if (count === 0) this.#taker.ended();
      else this.#taker.received(taken.subarray(0, count));
    }
  }

  #take(): number | undefined {
    try {
      return readSync(this.#socket.fd, taken, 0, Math.min(this.#taker.missing, taken.length), null);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") this.#later();
      else this.#taker.failed(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  #later(): void {
    const gapMs = (this.#wheel.clock() - this.#beginMs) * gapPart;
    this.#wheel.arm(this.#timer, Math.min(longestGapMs, gapMs));
  }
}
