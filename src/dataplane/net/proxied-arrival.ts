import type { PeerAddress } from "../../core/wire.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";
import type { ExactTaker } from "./exact-reader.ts";
import { readProxyHeader } from "./read-proxy-header.ts";
import type { OwnedSocket, SocketOwner } from "./socket-owner.ts";

/** Those who have to do with connections whose proxy has not said yet for whom it speaks. */
export type ProxyHall = {
  readonly wheel: TimerWheel;
  /** True if this peer has to say for whom it speaks. */
  readonly isProxy: (address: string) => boolean;
  /** Milliseconds; 0 waits for ever. */
  readonly timeoutMs: () => number;
  /** Somebody has connected who has to. */
  readonly onArrival: () => void;
  /** It said nothing of the kind, or not in time. */
  readonly onNothing: () => void;
  /** The socket is gone, without ever having been anybody's. */
  readonly onGone: () => void;
};

/** A connection from its first byte to the end of its PROXY header. */
export class ProxiedArrival implements SocketOwner, ExactTaker {
  readonly #socket: OwnedSocket;
  readonly #hall: ProxyHall;
  readonly #onSource: (source: PeerAddress | undefined, rest: Buffer) => void;
  readonly #timer: Timer;
  #bytes: Buffer = Buffer.alloc(0);
  #missing = 1;
  #isOver = false;

  /** `onSource` takes the socket over. */
  constructor(socket: OwnedSocket, hall: ProxyHall, onSource: (source: PeerAddress | undefined, rest: Buffer) => void) {
    this.#socket = socket;
    this.#hall = hall;
    this.#onSource = onSource;
    this.#timer = new Timer(() => this.#giveUp());
    hall.onArrival();
    const timeoutMs = hall.timeoutMs();
    if (timeoutMs > 0) hall.wheel.arm(this.#timer, timeoutMs);
  }

  /** How many bytes of the header are still to come at least; 0 if nothing is waited for. */
  get missing(): number {
    return this.#isOver ? 0 : this.#missing;
  }

  received(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const header = readProxyHeader(this.#bytes);
    if (header.kind === "none") return this.#giveUp();
    if (header.kind === "partial") {
      this.#missing = header.missing;
      return;
    }
    this.#finish();
    this.#onSource(header.source, this.#bytes.subarray(header.length));
  }

  ended(): void {
    this.#giveUp();
  }

  closed(): void {
    this.#giveUp();
    this.#hall.onGone();
  }

  failed(): void {
    this.#giveUp();
  }

  opened(): void {}
  drained(): void {}
  refused(): void {}

  #giveUp(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#hall.onNothing();
    this.#socket.terminate();
  }

  #finish(): void {
    this.#isOver = true;
    this.#hall.wheel.disarm(this.#timer);
  }
}
