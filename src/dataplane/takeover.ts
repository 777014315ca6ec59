import { closeSync } from "node:fs";
import {
  type LegState,
  type Lot,
  type OrderFor,
  readIdentity,
  type SessionState,
  type WireState,
} from "../core/handover.ts";
import { type Receiver, silentReceiver, type Wire } from "../core/wire.ts";
import { Scope } from "../kit/scope.ts";
import { Timer } from "../kit/timer-wheel.ts";
import type { Listener } from "./listener.ts";
import { adopt } from "./net/adopt.ts";
import type { Descriptors } from "./net/descriptors.ts";
import type { WireKeeper } from "./net/socket-wire.ts";
import { Session, type SessionOptions } from "./relay/session.ts";

/** What goes on in this process, and who hears of it. */
export type TakeoverOptions = {
  readonly descriptors: Descriptors;
  readonly onFault: (error: unknown) => void;
  readonly wheel: SessionOptions["wheel"];
  readonly observer: SessionOptions["observer"];
  readonly listener: (name: string) => Listener | undefined;
  /** A session goes on: what it has borrowed is put into `scope`. */
  readonly onSession: (session: Session, scope: Scope) => void;
};

type Adopted = { readonly wire: Wire; readonly keeper: AdoptedKeeper };
type AdoptedSession = {
  readonly session: Session;
  readonly scope: Scope;
  readonly listener: string;
  readonly keepers: readonly AdoptedKeeper[];
  readonly due: SessionState["due"];
};

/** What comes from another process: it is made ready without reading a byte, and goes on when the other one has let go. */
export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #settings = new Map<string, SessionState["settings"]>();
  /** Those of a lot are often one object already. */
  #latest: { readonly given: SessionState["settings"]; readonly shared: SessionState["settings"] } | undefined;
  #sessions: AdoptedSession[] = [];
  #connections: (Adopted & { readonly state: Lot["connections"][number] })[] = [];

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /** Takes a lot, with the descriptors of its wires in the same order. Throws if it cannot be taken whole. */
  adopt(lot: Lot, descriptors: readonly number[]): void {
    const wires = lot.sessions.flatMap(({ client, upstream }) => [client.wire, upstream.wire]);
    const states = [...wires.filter((wire) => wire !== undefined), ...lot.connections.map(({ wire }) => wire)];
    if (states.length !== descriptors.length) {
      closeAll(descriptors);
      throw new Error(`${states.length} wires were announced, and ${descriptors.length} descriptors came`);
    }
    const adopted = this.#adoptWires(states, descriptors);
    for (const state of lot.sessions) this.#sessions.push(this.#adoptSession(state, adopted));
    for (const state of lot.connections) this.#connections.push({ ...next(adopted), state });
  }

  /** Nothing of what was taken and does not go on yet belongs here: another process still has it. */
  abandon(): void {
    for (const { session } of this.#sessions) session.letGo();
    for (const { wire } of this.#connections) wire.movable?.letGo();
    this.#sessions = [];
    this.#connections = [];
  }

  /** All that was taken goes on. */
  goOn(orders: readonly OrderFor[]): void {
    const ordered = new Map(orders.map(({ session, order }) => [session, order]));
    const sessions = this.#sessions;
    const connections = this.#connections;
    this.#sessions = [];
    this.#connections = [];
    for (const { session, scope, listener, keepers, due } of sessions) {
      const [client, ...others] = keepers;
      client?.keep(this.#options.listener(listener)?.adopted());
      for (const other of others) other.keep(undefined);
      this.#options.onSession(session, scope);
      const order = ordered.get(session.identity.id);
      if (order !== undefined) session.close(order);
      if (due !== undefined) this.#closeLater(session, due);
    }
    for (const { wire, keeper, state } of connections) {
      const listener = this.#options.listener(state.listener);
      keeper.keep(listener?.adopted());
      if (listener === undefined) wire.destroy();
      else listener.adopt(wire, state);
    }
  }

  #closeLater(session: Session, { inMs, order }: NonNullable<SessionState["due"]>): void {
    const { wheel } = this.#options;
    wheel.arm(new Timer(() => session.close(order)), inMs);
    session.due = { at: wheel.clock() + inMs, order, holds: () => true };
  }

  /** All of them, or none, and then no descriptor stays open. */
  #adoptWires(states: readonly WireState[], descriptors: readonly number[]): Adopted[] {
    const adopted: Adopted[] = [];
    try {
      for (const [at, state] of states.entries()) adopted.push(this.#adoptWire(state, descriptors[at] as number));
      return adopted;
    } catch (error) {
      for (const { wire } of adopted) wire.movable?.letGo();
      closeAll(descriptors.slice(adopted.length));
      throw error;
    }
  }

  #adoptWire(state: WireState, descriptor: number): Adopted {
    const keeper = new AdoptedKeeper(this.#options.descriptors, this.#options.onFault);
    return { wire: adopt({ descriptor, state, keeper }), keeper };
  }

  #adoptSession(state: SessionState, adopted: Adopted[]): AdoptedSession {
    const keepers: AdoptedKeeper[] = [];
    const take = (leg: LegState): Wire => {
      if (leg.wire === undefined) return goneWire;
      const { wire, keeper } = next(adopted);
      keepers.push(keeper);
      return wire;
    };
    const scope = new Scope();
    const { mayUseReservedBits } = state;
    const identity = readIdentity(state.identity);
    const { wheel, observer } = this.#options;
    const [client, upstream] = [take(state.client), take(state.upstream)];
    const settings = this.#shared(state.settings);
    const session = new Session({
      ...{ identity, mayUseReservedBits, settings, client, upstream, scope, wheel, observer, state },
    });
    return {
      session,
      scope,
      listener: identity.listener,
      keepers: state.client.wire === undefined ? [] : keepers,
      due: state.due,
    };
  }

  /** Thousands of sessions have the settings of a few routes. */
  #shared(settings: SessionState["settings"]): SessionState["settings"] {
    if (this.#latest?.given === settings) return this.#latest.shared;
    const key = JSON.stringify(settings);
    const shared = this.#settings.get(key) ?? settings;
    this.#settings.set(key, shared);
    this.#latest = { given: settings, shared };
    return shared;
  }
}

function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) {
    try {
      closeSync(descriptor);
    } catch {
      // It was not open.
    }
  }
}

function next(adopted: Adopted[]): Adopted {
  const first = adopted.shift();
  if (first === undefined) throw new Error("a wire was announced that did not come");
  return first;
}

/** Counts a wire's descriptor, and tells the listener of its end once there is one. */
class AdoptedKeeper implements WireKeeper {
  readonly #descriptors: Descriptors;
  readonly onFault: (error: unknown) => void;
  #owner: { onGone(): void } | undefined;
  #isGone = false;

  constructor(descriptors: Descriptors, onFault: (error: unknown) => void) {
    this.#descriptors = descriptors;
    this.onFault = onFault;
    descriptors.opened();
  }

  /** From now on the owner hears of the end, also of one that has come already. */
  keep(owner: { onGone(): void } | undefined): void {
    this.#owner = owner;
    if (this.#isGone) owner?.onGone();
  }

  onGone(): void {
    this.#isGone = true;
    this.#descriptors.closed();
    this.#owner?.onGone();
  }
}

/** In place of a wire that was gone already. */
const goneWire: Wire = {
  peer: { address: "", port: 0 },
  queued: 0,
  isClosed: true,
  write: () => 0,
  writeFramed: () => 0,
  pause() {},
  resume() {},
  end() {},
  destroy() {},
  get receiver(): Receiver {
    return silentReceiver;
  },
  set receiver(_: Receiver) {},
};
