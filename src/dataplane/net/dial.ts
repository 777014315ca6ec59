import { connectFailed, connectTimedOut } from "../../core/dial-errors.ts";
import { type EndpointSettings, formatAddress } from "../../core/snapshot.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";
import { type OwnedSocket, type SocketOwner, socketEvents } from "./socket-owner.ts";
import { SocketWire, type WireKeeper } from "./socket-wire.ts";

export type DialOptions = {
  readonly to: Pick<EndpointSettings, "host" | "port">;
  readonly receiver: Receiver;
  readonly wheel: TimerWheel;
  /** Milliseconds; 0 waits as long as the kernel does. */
  readonly timeoutMs: number;
  /** Hears of the end of the connection, if it came up. */
  readonly keeper: WireKeeper;
};

/** Opens a TCP connection. Rejects with `upstream_refused` or `upstream_connect_timeout`. */
export function dial(options: DialOptions): Promise<Wire> {
  return new Dial(options).start();
}

/**
 * One attempt to connect. Bun cannot give an attempt up, so one that timed out is left to the kernel, and closed should
 * it still come up.
 */
class Dial implements SocketOwner {
  readonly #options: DialOptions;
  readonly #timer: Timer;
  readonly #outcome = Promise.withResolvers<Wire>();
  #isOver = false;

  constructor(options: DialOptions) {
    this.#options = options;
    this.#timer = new Timer(() => this.#timedOut());
  }

  start(): Promise<Wire> {
    const { to, wheel, timeoutMs } = this.#options;
    if (timeoutMs > 0) wheel.arm(this.#timer, timeoutMs);
    Bun.connect<SocketOwner>({
      hostname: to.host,
      port: to.port,
      allowHalfOpen: true,
      data: this,
      socket: socketEvents,
    }).catch((error: unknown) => this.refused(error));
    return this.#outcome.promise;
  }

  opened(socket: OwnedSocket): void {
    this.#options.wheel.disarm(this.#timer);
    if (this.#isOver) {
      socket.end();
      return;
    }
    const { to, receiver, keeper } = this.#options;
    const wire = new SocketWire({ socket, peer: { address: to.host, port: to.port }, receiver, keeper });
    // From now on nothing holds this attempt: sessions outlive it by hours.
    socket.data = wire;
    this.#outcome.resolve(wire);
  }

  refused(error: unknown): void {
    this.#options.wheel.disarm(this.#timer);
    this.#outcome.reject(connectFailed(formatAddress(this.#options.to), error));
  }

  received(): void {}
  drained(): void {}
  ended(): void {}
  closed(): void {}
  failed(): void {}

  #timedOut(): void {
    this.#isOver = true;
    this.#outcome.reject(connectTimedOut(formatAddress(this.#options.to), this.#options.timeoutMs));
  }
}
