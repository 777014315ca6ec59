import type { Socket } from "bun";
import { connectFailed, connectTimedOut } from "../../core/dial-errors.ts";
import { type EndpointSettings, formatAddress } from "../../core/snapshot.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";
import { closeError, socketEvents } from "./socket-events.ts";
import { type SocketState, SocketWire } from "./socket-wire.ts";

export type DialOptions = {
  readonly to: Pick<EndpointSettings, "host" | "port">;
  readonly receiver: Receiver;
  readonly wheel: TimerWheel;
  /** Milliseconds; 0 waits as long as the kernel does. */
  readonly timeoutMs: number;
  /** The connection is gone, whoever ended it; called once, if it came up. */
  readonly onGone?: () => void;
};

/** Opens a TCP connection. Rejects with `upstream_refused` or `upstream_connect_timeout`. */
export function dial(options: DialOptions): Promise<Wire> {
  return new Dial(options).start();
}

/** What a dialled socket carries in `data`. */
type DialledState = SocketState & { readonly dial: Dial };

/**
 * One attempt to connect. Bun cannot give an attempt up, so one that timed out is left to the kernel, and closed should
 * it still come up.
 */
class Dial {
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
    Bun.connect<DialledState>({
      hostname: to.host,
      port: to.port,
      allowHalfOpen: true,
      data: { wire: undefined, dial: this },
      socket: dialledEvents,
    }).catch((error: unknown) => this.failed(error));
    return this.#outcome.promise;
  }

  opened(socket: Socket<DialledState>): void {
    this.#options.wheel.disarm(this.#timer);
    if (this.#isOver) {
      socket.end();
      return;
    }
    const { to, receiver } = this.#options;
    const wire = new SocketWire(socket, { address: to.host, port: to.port }, receiver);
    socket.data.wire = wire;
    this.#outcome.resolve(wire);
  }

  failed(error: unknown): void {
    this.#options.wheel.disarm(this.#timer);
    this.#outcome.reject(connectFailed(formatAddress(this.#options.to), error));
  }

  gone(): void {
    this.#options.onGone?.();
  }

  #timedOut(): void {
    this.#isOver = true;
    this.#outcome.reject(connectTimedOut(formatAddress(this.#options.to), this.#options.timeoutMs));
  }
}

/** One object for all dialled sockets: Bun then keeps one set of callbacks. */
const dialledEvents = {
  ...socketEvents,
  open(socket: Socket<DialledState>) {
    socket.data.dial.opened(socket);
  },
  connectError(socket: Socket<DialledState>, error: Error) {
    socket.data.dial.failed(error);
  },
  close(socket: Socket<DialledState>, error?: Error) {
    const { wire } = socket.data;
    socket.data.wire = undefined;
    wire?.closed(closeError(error));
    if (wire !== undefined) socket.data.dial.gone();
  },
} as const;
