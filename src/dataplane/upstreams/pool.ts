/** A connection that can wait for its next use. */
export interface Pooled {
  /** Called by the connection itself, once, when it has ended. */
  onUnusable: (() => void) | undefined;
  destroy(): void;
}

/** Idle connections to one endpoint. The one used last is used next, so that those not needed grow old and go. */
export class Pool<Connection extends Pooled> {
  readonly #idle: { readonly connection: Connection; readonly since: number }[] = [];
  #limits: PoolLimits;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#idle.length;
  }

  set limits(limits: PoolLimits) {
    this.#limits = limits;
  }

  take(): Connection | undefined {
    const entry = this.#idle.pop();
    if (entry === undefined) return undefined;
    entry.connection.onUnusable = undefined;
    return entry.connection;
  }

  /** Keeps a connection, or ends it if there are enough. `now` is in milliseconds. */
  put(connection: Connection, now: number): void {
    this.expire(now);
    if (this.#idle.length >= this.#limits.idle) {
      connection.destroy();
      return;
    }
    connection.onUnusable = () => this.#forget(connection);
    this.#idle.push({ connection, since: now });
  }

  /** Ends those that have waited too long. */
  expire(now: number): void {
    const oldest = now - this.#limits.idleMs;
    while (this.#idle[0] !== undefined && this.#idle[0].since < oldest) this.#end(this.#idle.shift());
  }

  clear(): void {
    for (const entry of this.#idle.splice(0)) this.#end(entry);
  }

  #end(entry: { readonly connection: Connection } | undefined): void {
    if (entry === undefined) return;
    entry.connection.onUnusable = undefined;
    entry.connection.destroy();
  }

  #forget(connection: Connection): void {
    const at = this.#idle.findIndex((entry) => entry.connection === connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

/** `idle` connections at most, none for longer than `idleMs`. */
export type PoolLimits = { readonly idle: number; readonly idleMs: number };
