import type { Configuration, ConfigurationText, Reading, Source, SourceState } from "../core/configuration.ts";
import type { ListenerStatus } from "../core/figures.ts";
import { formatIssue, type Issue } from "../core/issue.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { EventLog } from "./event-log.ts";

/** Turns texts into a checked configuration. */
export type ReadConfiguration = (texts: readonly ConfigurationText[]) => Reading;

export type ReconcilerOptions = {
  readonly sources: readonly Source[];
  readonly read: ReadConfiguration;
  readonly log: EventLog;
  /** Hands a snapshot to the worker; `onApplied` or `onRefused` says what became of it. */
  readonly apply: (snapshot: Snapshot) => void;
  /** A configuration is in force whose control settings may differ; what could not be done comes back as issues. */
  readonly onSettings: (configuration: Configuration) => Promise<readonly Issue[]>;
};

/** A configuration and the revision under which the worker knows its model. */
export type InForce = { readonly revision: number; readonly configuration: Configuration };

/** Reads the sources, numbers what changed, and knows what is in force and what is wrong. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #states = new Map<string, SourceState>();
  readonly #sent = new Map<number, Configuration>();
  readonly #first = Promise.withResolvers<readonly Issue[]>();
  #lastRevision = 0;
  #inForce: InForce | undefined;
  #listeners: readonly ListenerStatus[] = [];
  /** Of the newest reading, and of what was done with it. */
  #issues: readonly Issue[] = [];
  #isReadingGood = false;
  #lastReloadAt: number | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  get inForce(): InForce | undefined {
    return this.#inForce;
  }

  /** The listeners as the worker bound them. */
  get listeners(): readonly ListenerStatus[] {
    return this.#listeners;
  }

  get issues(): readonly Issue[] {
    return this.#issues;
  }

  /** False while the files say something that is not in force. */
  get isLastReloadGood(): boolean {
    return this.#isReadingGood && this.#sent.size === 0;
  }

  /** When the sources last changed: Unix milliseconds. */
  get lastReloadAt(): number | undefined {
    return this.#lastReloadAt;
  }

  /**
   * Watches the sources until `signal` aborts. Resolves when the first configuration is in force, or with the errors that
   * keep it from that.
   */
  async start(signal: AbortSignal): Promise<readonly Issue[]> {
    for (const source of this.#options.sources) void this.#watch(source, signal);
    return this.#first.promise;
  }

  /** The worker has put a revision into force. */
  onApplied(revision: number, listeners: readonly ListenerStatus[]): void {
    this.#listeners = listeners;
    const configuration = this.#sent.get(revision);
    if (configuration === undefined) return;
    for (const sent of [...this.#sent.keys()]) if (sent <= revision) this.#sent.delete(sent);
    const isFirst = this.#inForce === undefined;
    this.#inForce = { revision, configuration };
    if (!isFirst) this.#options.log.info("config-applied", `revision ${revision} is in force`, { revision });
    this.#first.resolve([]);
  }

  /** The worker could not put a revision into force; the last good one stays. */
  onRefused(revision: number, issues: readonly Issue[]): void {
    if (!this.#sent.delete(revision)) return;
    this.#issues = [...this.#issues, ...issues];
    this.#isReadingGood = false;
    this.#logIssues("the worker refused the new configuration; the last good one stays in force", issues);
    this.#first.resolve(issues);
  }

  async #watch(source: Source, signal: AbortSignal): Promise<void> {
    try {
      for await (const state of source.watch(signal)) {
        this.#states.set(source.name, state);
        if (this.#states.size === this.#options.sources.length) await this.#reload();
      }
    } catch (error) {
      if (signal.aborted) return;
      const says = `changes are no longer seen: ${error instanceof Error ? error.message : String(error)}`;
      const issue: Issue = { severity: "error", at: { source: source.name, path: "" }, says };
      this.#refuse([...this.#issues, issue], [issue]);
    }
  }

  async #reload(): Promise<void> {
    this.#lastReloadAt = Date.now();
    const states = this.#options.sources.flatMap(({ name }) => this.#states.get(name) ?? []);
    const texts = states.flatMap((state) => state.texts);
    const unreadable = states.flatMap((state) => state.issues);
    // With nothing to read, everything would be missing, which says nothing.
    const isAnythingRead = texts.length > 0 || unreadable.length === 0;
    const reading = isAnythingRead ? this.#options.read(texts) : { configuration: undefined, issues: [] };
    const issues = [...unreadable, ...reading.issues];
    const errors = issues.filter(({ severity }) => severity === "error");
    const { configuration } = reading;
    if (errors.length > 0 || configuration === undefined) this.#refuse(issues, errors);
    else await this.#accept(configuration, issues);
  }

  #refuse(issues: readonly Issue[], errors: readonly Issue[]): void {
    // Editors save a file more than once; the same errors are said once.
    const isNews = this.#isReadingGood || !Bun.deepEquals(issues, this.#issues);
    this.#issues = issues;
    this.#isReadingGood = false;
    if (this.#inForce !== undefined && isNews) {
      this.#logIssues("the configuration has errors; the last good one stays in force", errors);
    }
    this.#first.resolve(errors);
  }

  async #accept(configuration: Configuration, issues: readonly Issue[]): Promise<void> {
    const wasMended = this.#inForce !== undefined && !this.#isReadingGood;
    const troubles = await this.#options.onSettings(configuration);
    const warnings = issues.filter((issue) => !this.#issues.some((known) => Bun.deepEquals(known, issue)));
    this.#issues = [...issues, ...troubles];
    this.#isReadingGood = troubles.length === 0;
    if (warnings.length > 0) this.#logIssues("the configuration has doubtful parts", warnings);
    if (troubles.length > 0) this.#logIssues("a part of the configuration could not be put into force", troubles);
    if (troubles.length > 0 && this.#inForce === undefined) return this.#first.resolve(troubles);
    const current = this.#newest();
    if (current !== undefined && Bun.deepEquals(current.configuration.model, configuration.model)) {
      this.#keep(current, configuration);
      if (wasMended && this.#isReadingGood) {
        this.#options.log.info("config-mended", "the configuration is without errors again, and as it is in force");
      }
      return;
    }
    const revision = ++this.#lastRevision;
    this.#sent.set(revision, configuration);
    this.#options.apply({ revision, ...configuration.model });
  }

  /** What the worker has or is about to have. */
  #newest(): InForce | undefined {
    const pending = this.#sent.get(this.#lastRevision);
    return pending === undefined ? this.#inForce : { revision: this.#lastRevision, configuration: pending };
  }

  #keep(current: InForce, configuration: Configuration): void {
    const kept = { model: current.configuration.model, settings: configuration.settings };
    if (this.#sent.has(current.revision)) this.#sent.set(current.revision, kept);
    else this.#inForce = { revision: current.revision, configuration: kept };
  }

  #logIssues(says: string, issues: readonly Issue[]): void {
    for (const issue of issues) {
      const level = issue.severity === "error" ? "error" : "warn";
      this.#options.log[level]("config-issue", `${says}: ${formatIssue(issue)}`, { issue });
    }
  }
}
