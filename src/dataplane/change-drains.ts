import type { DrainTerms } from "../core/drain-order.ts";
import type { RouteSettings } from "../core/snapshot.ts";
import { Timer, type TimerWheel } from "../kit/timer-wheel.ts";
import { Drain } from "./drain.ts";
import type { Session } from "./relay/session.ts";
import { diffRoutes } from "./route-diff.ts";

/** How long after its window a drain still meets sessions whose handshake was under way when it began (ms). */
const latecomersMs = 60_000;

/** Whose sessions end with a change, and on which clock. */
export type ChangeDrainsOptions = { readonly sessions: Iterable<Session>; readonly wheel: TimerWheel };

/** What sessions may have lost with a new snapshot. */
export type Grounds = { readonly routes: readonly RouteSettings[]; readonly listeners: readonly string[] };

/** The grounds that sessions stand on before and after a change, and how those end that lose theirs. */
export type GroundChange = {
  /** The new one; sessions that begin under it are not meant. */
  readonly revision: number;
  readonly before: Grounds;
  readonly after: Grounds;
  readonly terms: DrainTerms;
};

type Ending = {
  readonly revision: number;
  readonly drain: Drain | "close";
  readonly terms: DrainTerms;
  /** True if it ends because its route or listener is gone, and not because that has changed. */
  readonly isGone: boolean;
  /** Fires when nobody can come late any more. */
  readonly over: Timer;
};

/** Ends the sessions of routes and listeners that are gone, and of routes that have changed where `onChange` says so. */
export class ChangeDrains {
  readonly #options: ChangeDrainsOptions;
  /** By `route name` and `listener name`. */
  readonly #endings = new Map<string, Ending>();
  /** What is there now. */
  #routes: ReadonlySet<string> = new Set();
  #listeners: ReadonlySet<string> = new Set();
  #terms: DrainTerms | undefined;

  constructor(options: ChangeDrainsOptions) {
    this.#options = options;
  }

  /** A route or listener that comes back before the end keeps the sessions that are left. */
  apply({ revision, before, after, terms }: GroundChange): void {
    for (const { name } of after.routes) this.#keep(`route ${name}`);
    for (const name of after.listeners) this.#keep(`listener ${name}`);
    const stay = new Set(after.routes.map(({ name }) => name));
    this.#routes = stay;
    this.#listeners = new Set(after.listeners);
    this.#terms = terms;
    const { drain, close } = diffRoutes(before.routes, after.routes);
    for (const name of drain) this.#begin(`route ${name}`, { revision, terms, isGone: !stay.has(name) }, "drain");
    for (const name of close) this.#begin(`route ${name}`, { revision, terms, isGone: !stay.has(name) }, "close");
    for (const name of before.listeners) {
      if (!after.listeners.includes(name)) this.#begin(`listener ${name}`, { revision, terms, isGone: true }, "drain");
    }
  }

  /** A session that opens on what has gone meanwhile, or that comes from another process where that was under way. */
  add(session: Session): void {
    const { route, listener, revision } = session.identity;
    if (this.#endings.size > 0) {
      const endings = keysOf(session).flatMap((key) => this.#endings.get(key) ?? []);
      const meant = endings.filter((ending) => revision < ending.revision);
      for (const ending of meant) end(session, ending);
      if (meant.length > 0) return;
    }
    const terms = this.#terms;
    if (terms === undefined || (this.#routes.has(route) && this.#listeners.has(listener))) return;
    new Drain({ plan: terms, why: "config", wheel: this.#options.wheel }).add(session);
  }

  #begin(key: string, about: Omit<Ending, "drain" | "over">, how: "drain" | "close"): void {
    const { sessions, wheel } = this.#options;
    const { terms } = about;
    const drain = how === "close" ? how : new Drain({ plan: terms, why: "config", wheel });
    const ending = { ...about, drain, over: new Timer(() => this.#endings.delete(key)) };
    this.#forget(key);
    this.#endings.set(key, ending);
    wheel.arm(ending.over, terms.windowMs + latecomersMs);
    for (const session of [...sessions]) if (keysOf(session).includes(key)) end(session, ending);
  }

  #keep(key: string): void {
    const ending = this.#endings.get(key);
    if (ending?.isGone !== true) return;
    if (ending.drain !== "close") ending.drain.cancel();
    this.#forget(key);
  }

  #forget(key: string): void {
    const ending = this.#endings.get(key);
    if (ending === undefined) return;
    this.#options.wheel.disarm(ending.over);
    this.#endings.delete(key);
  }
}

function end(session: Session, { drain, terms }: Ending): void {
  if (drain === "close") session.close({ reason: "config", code: terms.code, text: terms.reason });
  else drain.add(session);
}

function keysOf({ identity }: Session): readonly [string, string] {
  return [`route ${identity.route}`, `listener ${identity.listener}`];
}
