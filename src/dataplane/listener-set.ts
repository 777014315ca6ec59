import type { ListenerStatus, MetricFamily } from "../core/figures.ts";
import type { ListenerState } from "../core/handover.ts";
import type { Issue } from "../core/issue.ts";
import type { ListenerSettings, Snapshot } from "../core/snapshot.ts";
import type { SharedMemory } from "../kit/shared-memory.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import { buildTables, type CertificateTables } from "./certificate-tables.ts";
import { gauge } from "./figures.ts";
import { Listener, type ListenerObserver } from "./listener.ts";
import { ListenerCountsByName } from "./listener-counts.ts";
import type { Descriptors } from "./net/descriptors.ts";
import type { ChallengesShown } from "./net/secure-arrival.ts";
import { refusal } from "./refusal.ts";

/** A port that another process has bound. */
export type InheritedListener = { readonly state: ListenerState; readonly descriptor: number };

/** What listeners share. */
export type ListenerSetOptions = {
  readonly wheel: TimerWheel;
  readonly descriptors: Descriptors;
  /** What workers share; without it this one counts for itself alone. */
  readonly memory?: SharedMemory | undefined;
  readonly challenges: ChallengesShown;
  readonly observer: ListenerObserver;
};

/** The ports that a snapshot needs and that were not bound yet, and the certificates of all. */
export type PreparedListeners = {
  readonly fresh: ReadonlyMap<string, Listener>;
  readonly tables: CertificateTables;
  /** As all of them will be, with the ports that are bound. */
  readonly status: readonly ListenerStatus[];
};

/** The listeners of a gateway, which outlive snapshots. */
export class ListenerSet {
  readonly #options: ListenerSetOptions;
  readonly #counts: ListenerCountsByName;
  readonly #listeners = new Map<string, Listener>();
  #tables: CertificateTables = new Map();

  constructor(options: ListenerSetOptions) {
    this.#options = options;
    this.#counts = new ListenerCountsByName(options.memory);
  }

  get names(): string[] {
    return [...this.#listeners.keys()];
  }

  get byName(): ReadonlyMap<string, Listener> {
    return this.#listeners;
  }

  get status(): ListenerStatus[] {
    return [...this.#listeners.values()].map((listener) => listener.status);
  }

  /** Client connections, those of sessions included. */
  get connections(): number {
    return this.status.reduce((sum, { connections }) => sum + connections, 0);
  }

  /** Reads certificates and binds addresses that are new; what is in force stays. `commit` or `abandon` follows. */
  prepare(
    snapshot: Snapshot,
    inherited: readonly InheritedListener[] = [],
  ): PreparedListeners | { readonly issue: Issue } {
    const tables = buildTables(snapshot, this.#tables);
    if ("issue" in tables) return tables;
    const fresh = new Map<string, Listener>();
    for (const settings of snapshot.listeners) {
      if (this.#listeners.get(settings.name)?.canTakeOver(settings) === true) continue;
      try {
        fresh.set(settings.name, this.#open(settings, tables, inherited));
      } catch (error) {
        for (const listener of fresh.values()) listener.close();
        return { issue: refusal(`listeners.${settings.name}.address`, error) };
      }
    }
    const status = snapshot.listeners.flatMap(({ name }) => {
      return (fresh.get(name) ?? this.#listeners.get(name))?.status ?? [];
    });
    return { fresh, tables, status };
  }

  /** From now on there are these listeners, and no others; connections of those that go stay open. */
  commit(wanted: readonly ListenerSettings[], { fresh, tables }: PreparedListeners): void {
    this.#tables = tables;
    const names = new Set(wanted.map((settings) => settings.name));
    for (const [name, listener] of this.#listeners) {
      if (names.has(name) && !fresh.has(name)) continue;
      listener.close();
      this.#listeners.delete(name);
    }
    for (const settings of wanted) this.#listeners.get(settings.name)?.update(settings, tables.get(settings.name));
    for (const [name, listener] of fresh) this.#listeners.set(name, listener);
  }

  /** Lets go of what was prepared. */
  abandon({ fresh }: PreparedListeners): void {
    for (const listener of fresh.values()) listener.close();
  }

  /** Answers say that their connections end where `isDrained` says so of the listener, and nowhere else. */
  retireWhere(isDrained: (listener: string) => boolean): void {
    for (const [name, listener] of this.#listeners) {
      if (isDrained(name)) listener.retire();
      else listener.unretire();
    }
  }

  /** Another process accepts in their place; what is open goes on, for as long as it cannot go there too. */
  stopAccepting(): void {
    for (const listener of this.#listeners.values()) {
      listener.stopAccepting();
      listener.retireFixed();
    }
  }

  close(): void {
    for (const listener of this.#listeners.values()) listener.close();
  }

  families(): MetricFamily[] {
    const listeners = [...this.#listeners.values()];
    const pending = listeners.reduce((sum, listener) => sum + listener.pending, 0);
    const connections = this.status.map(({ name, connections }) => ({
      labels: { listener: name },
      value: connections,
    }));
    return [
      gauge("causeway_connections_open", "Open client connections, sessions included.", connections),
      gauge("causeway_pending", "Connections without a complete head, and handshakes without an answer.", [
        { labels: {}, value: pending },
      ]),
    ];
  }

  #open(settings: ListenerSettings, tables: CertificateTables, inherited: readonly InheritedListener[]): Listener {
    const { wheel, descriptors, observer, challenges } = this.#options;
    const known = inherited.find(({ state: { name, host, port } }) => {
      return name === settings.name && host === settings.host && (port === settings.port || settings.port === 0);
    });
    return Listener.open({
      settings: known === undefined ? settings : { ...settings, port: known.state.port },
      certificates: tables.get(settings.name),
      challenges,
      wheel,
      descriptors,
      observer,
      descriptor: known?.descriptor,
      counts: this.#counts.of(settings.name),
    });
  }
}
