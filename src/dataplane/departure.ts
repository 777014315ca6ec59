import type { ConnectionState, ListenerState, Lot, OrderFor, SessionState } from "../core/handover.ts";
import type { ServerConnection } from "./http1/server-connection.ts";
import type { Listener } from "./listener.ts";
import { mostDescriptors } from "./net/descriptor-passing.ts";
import type { Session } from "./relay/session.ts";
import type { SessionRegistry } from "./session-registry.ts";

/** What crosses at once: states, and the descriptors of their wires in the same order. */
export type FrozenLot = { readonly lot: Lot; readonly descriptors: readonly number[] };

/** What a gateway has open. */
export type DepartureOptions = {
  readonly sessions: SessionRegistry;
  readonly listeners: ReadonlyMap<string, Listener>;
};

/** Everything of a gateway that can go to another process at this moment. */
export class Departure {
  readonly #options: DepartureOptions;
  #sessions: Session[] = [];
  #connections: ServerConnection[] = [];

  constructor(options: DepartureOptions) {
    this.#options = options;
  }

  /** The ports, in the order of their descriptors. They go on accepting here until they are stopped. */
  listeners(): { readonly states: readonly ListenerState[]; readonly descriptors: readonly number[] } {
    const found = [...this.#options.listeners.values()].map(({ state }) => state);
    return { states: found.map(({ state }) => state), descriptors: found.map(({ descriptor }) => descriptor) };
  }

  /** Stops all that can go, and writes it down, a lot at a time: the first can be on its way while the last is made. `thaw` or `letGo` follows. */
  *freeze(): Generator<FrozenLot, void, void> {
    const packer = new Packer();
    for (const session of this.#options.sessions) {
      if (!session.isMovable) continue;
      const descriptors: number[] = [];
      this.#sessions.push(session);
      const state = session.freeze(descriptors);
      if (descriptors.every((descriptor) => descriptor >= 0)) yield* packer.add({ session: state, descriptors });
      else this.#sessions.pop()?.thaw();
    }
    for (const listener of this.#options.listeners.values()) {
      for (const connection of listener.waiting) {
        const frozen = connection.freeze();
        if (frozen === undefined) continue;
        this.#connections.push(connection);
        const state = { ...frozen.state, listener: listener.state.state.name };
        yield* packer.add({ connection: state, descriptors: [frozen.descriptor] });
      }
    }
    yield* packer.rest();
  }

  /** Nobody has taken it: everything goes on here. */
  thaw(): void {
    for (const session of this.#sessions) session.thaw();
    for (const connection of this.#connections) connection.thaw();
    this.#clear();
  }

  /** What was ordered for frozen sessions, and has to be done by the one who has them next. */
  get orders(): readonly OrderFor[] {
    return this.#sessions.flatMap(({ identity, order }) =>
      order === undefined ? [] : { session: identity.id, order },
    );
  }

  /** Everything is the other process's. */
  letGo(): void {
    for (const session of this.#sessions) {
      this.#options.sessions.letGo(session);
      session.letGo();
    }
    for (const connection of this.#connections) connection.letGo();
    this.#clear();
  }

  #clear(): void {
    this.#sessions = [];
    this.#connections = [];
  }
}

type Piece = { readonly descriptors: readonly number[] } & (
  | { readonly session: SessionState }
  | { readonly connection: ConnectionState }
);

/** Fills lots until the kernel would not take one in one message. */
class Packer {
  #sessions: SessionState[] = [];
  #connections: ConnectionState[] = [];
  #descriptors: number[] = [];

  /** Puts one more in; a lot that is full before that comes out. */
  *add(piece: Piece): Generator<FrozenLot, void, void> {
    if (this.#descriptors.length + piece.descriptors.length > mostDescriptors) yield* this.rest();
    if ("session" in piece) this.#sessions.push(piece.session);
    else this.#connections.push(piece.connection);
    this.#descriptors.push(...piece.descriptors);
  }

  /** What is left, if anything is. */
  *rest(): Generator<FrozenLot, void, void> {
    const lot = { sessions: this.#sessions, connections: this.#connections };
    const descriptors = this.#descriptors;
    this.#sessions = [];
    this.#connections = [];
    this.#descriptors = [];
    if (lot.sessions.length + lot.connections.length > 0) yield { lot, descriptors };
  }
}
