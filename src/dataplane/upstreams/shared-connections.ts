import type { SharedConnection } from "../../core/shared-connection.ts";

/** After so long an endpoint that has declined is asked again (ms). */
const declinedMs = 60_000;

/** The connections to one endpoint that carry several exchanges each. Another one is made when none has room. */
export class SharedConnections {
  readonly #connections = new Set<SharedConnection>();
  #idleMs: number;
  #dial: Promise<unknown> | undefined;
  #declinedAt = Number.NEGATIVE_INFINITY;

  /** Idle ones are kept for so many milliseconds. */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  set idleMs(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** The endpoint has chosen a protocol of one exchange at a time. `now` is in milliseconds. */
  declined(now: number): void {
    this.#declinedAt = now;
  }

  /** False for a while after the endpoint has declined, so that nobody waits for a connection that is another one's alone. */
  mayOffer(now: number): boolean {
    return now - this.#declinedAt > declinedMs;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Those that carry nothing. */
  get idle(): number {
    let idle = 0;
    for (const connection of this.#connections) if (connection.idleSince !== undefined) idle++;
    return idle;
  }

  /** The oldest one that has room, so that younger ones grow idle. */
  take(): SharedConnection | undefined {
    for (const connection of this.#connections) if (connection.hasRoom) return connection;
    return undefined;
  }

  /** The connection that is being made, if one is: it may have room for others too. */
  get underWay(): Promise<unknown> | undefined {
    return this.#dial;
  }

  /** Lets others wait for a connection that is being made. */
  announce<T>(dial: Promise<T>): Promise<T> {
    const over = () => {
      if (this.#dial === dial) this.#dial = undefined;
    };
    this.#dial = dial;
    dial.then(over, over);
    return dial;
  }

  add(connection: SharedConnection): void {
    this.#connections.add(connection);
    connection.onUnusable = () => this.#connections.delete(connection);
  }

  /** Ends those that have been idle for too long. `now` is in milliseconds. */
  expire(now: number): void {
    const oldest = now - this.#idleMs;
    for (const connection of [...this.#connections])
      if (connection.idleSince !== undefined && connection.idleSince < oldest) connection.retire();
  }

  /** None takes anything new; each ends with the last exchange that it carries. */
  clear(): void {
    for (const connection of [...this.#connections]) connection.retire();
  }
}
