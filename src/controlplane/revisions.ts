import type { Configuration } from "../core/configuration.ts";
import type { ListenerStatus } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import type { ListenAddress } from "../core/listen-address.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { within } from "../kit/sleep.ts";
import type { ReloadLog } from "./reload-log.ts";

/** How long the workers may take to put a configuration into force that somebody waits for (ms). */
const verdictMs = 30_000;

/** Tries out what the machine has a say in, and changes nothing; `held` are the addresses that this gateway listens on. */
export type TryOut = (configuration: Configuration, held: readonly ListenAddress[]) => Promise<readonly Issue[]>;

/** What has to agree before a configuration is in force. */
export type RevisionsOptions = {
  readonly tryOut: TryOut;
  /** Puts the control settings into force, all or none; what stands against them comes back as issues. */
  readonly onSettings: (configuration: Configuration) => Promise<readonly Issue[]>;
  /** Hands a snapshot to the workers; `applied` or `refused` says what became of it. */
  readonly apply: (snapshot: Snapshot) => void;
};

/** A configuration and the revision under which the workers know its model. */
export type InForce = { readonly revision: number; readonly configuration: Configuration };

/** Numbers the configurations that go to the workers, and knows which of them is in force. */
export class Revisions {
  readonly #options: RevisionsOptions;
  readonly #log: ReloadLog;
  /** What the workers have not said anything to yet. */
  readonly #sent = new Map<number, Configuration>();
  #last = 0;
  #inForce: InForce | undefined;
  #listeners: readonly ListenerStatus[] = [];
  /** Who waits for what becomes of a revision. */
  #waiting: { readonly revision: number; readonly resolve: (issues: readonly Issue[]) => void } | undefined;

  constructor(options: RevisionsOptions, log: ReloadLog) {
    this.#options = options;
    this.#log = log;
  }

  get inForce(): InForce | undefined {
    return this.#inForce;
  }

  /** The listeners as the workers bound them. */
  get listeners(): readonly ListenerStatus[] {
    return this.#listeners;
  }

  /** True while the workers owe an answer. */
  get isPending(): boolean {
    return this.#sent.size > 0;
  }

  /** What the workers have or are about to have. */
  get newest(): InForce | undefined {
    const pending = this.#sent.get(this.#last);
    return pending === undefined ? this.#inForce : { revision: this.#last, configuration: pending };
  }

  /** Workers are there already, with a revision in force and these listeners: what comes next has a higher number. */
  resume(found: { readonly revision: number; readonly listeners: readonly ListenerStatus[] }): void {
    this.#last = found.revision;
    this.#listeners = found.listeners;
  }

  /** Asks the machine, and puts the settings into force if it has nothing against the whole; says what stands against it. */
  async settle(configuration: Configuration): Promise<readonly Issue[]> {
    const refusals = await this.#options.tryOut(configuration, this.#held());
    return refusals.length > 0 ? refusals : this.#options.onSettings(configuration);
  }

  /** Settings and model are in force together or not at all. */
  async restoreSettings(): Promise<void> {
    if (this.#inForce !== undefined && !this.isPending) await this.#options.onSettings(this.#inForce.configuration);
  }

  /** Keeps the newest revision if it has this very model already, and says whether it has. */
  keep(configuration: Configuration, isMended: boolean): boolean {
    const current = this.newest;
    if (current === undefined || !Bun.deepEquals(current.configuration.model, configuration.model)) return false;
    const { revision } = current;
    const hasNewSettings = !Bun.deepEquals(current.configuration.settings, configuration.settings);
    const kept = { model: current.configuration.model, settings: configuration.settings };
    if (this.#sent.has(revision)) this.#sent.set(revision, kept);
    else this.#inForce = { revision, configuration: kept };
    this.#log.kept(revision, hasNewSettings ? "settings" : isMended ? "mended" : "unchanged");
    return true;
  }

  /** Gives the workers a configuration under the next number, and returns this. */
  send(configuration: Configuration): number {
    const revision = ++this.#last;
    this.#sent.set(revision, configuration);
    this.#options.apply({ revision, ...configuration.model });
    return revision;
  }

  /** The same, and waits for what the workers say to it: nothing if it is in force. */
  async sendAndWait(configuration: Configuration): Promise<readonly Issue[] | "late"> {
    const { promise, resolve } = Promise.withResolvers<readonly Issue[]>();
    this.#waiting = { revision: this.#last + 1, resolve };
    this.send(configuration);
    const verdict = await within(promise, verdictMs, "late" as const);
    this.#waiting = undefined;
    return verdict;
  }

  /** The workers have put a revision into force; false if it is none that was sent. */
  applied(revision: number, listeners: readonly ListenerStatus[]): boolean {
    const before = this.#listeners;
    this.#listeners = listeners;
    const configuration = this.#sent.get(revision);
    if (configuration === undefined) return false;
    for (const sent of [...this.#sent.keys()]) if (sent <= revision) this.#sent.delete(sent);
    const isFirst = this.#inForce === undefined;
    this.#inForce = { revision, configuration };
    if (!isFirst) this.#log.applied(revision, configuration, { before, after: listeners });
    this.#tellWhoWaits(revision, []);
    return true;
  }

  /** The workers could not put a revision into force; true if it was sent and nobody waits for it. */
  refused(revision: number, refusal: readonly Issue[]): boolean {
    return this.#sent.delete(revision) && !this.#tellWhoWaits(revision, refusal);
  }

  #tellWhoWaits(revision: number, issues: readonly Issue[]): boolean {
    if (this.#waiting?.revision !== revision) return false;
    this.#waiting.resolve(issues);
    return true;
  }

  /** Where this gateway listens, or is about to. */
  #held(): readonly ListenAddress[] {
    const known = [this.#inForce?.configuration, ...this.#sent.values()].filter((one) => one !== undefined);
    return [...this.#listeners, ...known.flatMap(({ model, settings }) => [settings.admin, ...model.listeners])];
  }
}
