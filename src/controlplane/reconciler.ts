import type { Configuration, ConfigurationText, Places, Reading, Source, SourceState } from "../core/configuration.ts";
import type { ListenerStatus } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import type { ListenAddress } from "../core/listen-address.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { after, within } from "../kit/sleep.ts";
import type { EventLog } from "./event-log.ts";
import { ReloadLog } from "./reload-log.ts";
import { type Submission, type SubmissionResult, submissionSource, verdictMs } from "./submission.ts";

/** How often a change is tried again that nothing is wrong with but that the machine refuses: a port is taken, say (ms). */
const usualRetryMs = 2000;

/** Turns texts into a checked configuration. */
export type ReadConfiguration = (texts: readonly ConfigurationText[]) => Reading;

export type ReconcilerOptions = {
  readonly sources: readonly Source[];
  readonly read: ReadConfiguration;
  readonly log: EventLog;
  /** Tries out what the machine has a say in, and changes nothing; `held` are the addresses that this gateway listens on. */
  readonly tryOut: (configuration: Configuration, held: readonly ListenAddress[]) => Promise<readonly Issue[]>;
  /** Hands a snapshot to the worker; `onApplied` or `onRefused` says what became of it. */
  readonly apply: (snapshot: Snapshot) => void;
  /** Puts the control settings into force, all or none; what stands against them comes back as issues. */
  readonly onSettings: (configuration: Configuration) => Promise<readonly Issue[]>;
  /** Hears after every reading which other files were read, and when it began (Unix milliseconds). */
  readonly onFiles?: (files: readonly string[], since: number) => void;
  /** Milliseconds; 2 s unless told otherwise. */
  readonly retryMs?: number;
};

/** A configuration and the revision under which the worker knows its model. */
export type InForce = { readonly revision: number; readonly configuration: Configuration };

/** A configuration without errors, as it was read. */
type Wanted = {
  readonly configuration: Configuration;
  readonly issues: readonly Issue[];
  readonly places: Places;
};

/** Reads the sources, numbers what changed, and knows what is in force and what is wrong. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #log: ReloadLog;
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
  #wanted: Wanted | undefined;
  /** What the worker refused last, which is said once however often it is tried again. */
  #refusal: readonly Issue[] = [];
  #cancelRetry: () => void = () => {};
  /** What takes the place of the sources until they change. */
  #submitted: ConfigurationText | undefined;
  /** Who waits for what becomes of a revision. */
  #waiting: { readonly revision: number; readonly resolve: (issues: readonly Issue[]) => void } | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#log = new ReloadLog(options.log);
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

  /** True while a configuration that was submitted takes the place of the sources. */
  get isSubmitted(): boolean {
    return this.#submitted !== undefined;
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
    signal.addEventListener("abort", () => this.#cancelRetry(), { once: true });
    for (const source of this.#options.sources) void this.#watch(source, signal);
    return this.#first.promise;
  }

  /** Workers are there already, with a revision in force and these listeners: what comes next has a higher number. Before `start`. */
  resume(found: { readonly revision: number; readonly listeners: readonly ListenerStatus[] }): void {
    this.#lastRevision = found.revision;
    this.#listeners = found.listeners;
  }

  /**
   * Puts a whole configuration into force in place of what the sources say, until one of them changes. If it is refused, nothing is as if it had
   * never come.
   */
  async submit(submission: Submission): Promise<SubmissionResult> {
    const { promise, resolve, reject } = Promise.withResolvers<SubmissionResult>();
    void this.#inTurn(() => this.#submit(submission).then(resolve, reject));
    return promise;
  }

  /** Other files that were read have changed. */
  reread(): void {
    void this.#inTurn(() => this.#reload());
  }

  /** The workers have put a revision into force. */
  onApplied(revision: number, listeners: readonly ListenerStatus[]): void {
    const before = this.#listeners;
    this.#listeners = listeners;
    const configuration = this.#sent.get(revision);
    if (configuration === undefined) return;
    for (const sent of [...this.#sent.keys()]) if (sent <= revision) this.#sent.delete(sent);
    const isFirst = this.#inForce === undefined;
    this.#inForce = { revision, configuration };
    this.#refusal = [];
    if (!isFirst) this.#log.applied(revision, configuration, { before, after: listeners });
    this.#first.resolve([]);
    this.#tellWhoWaits(revision, []);
  }

  /** The worker could not put a revision into force; the last good one stays. */
  onRefused(revision: number, refusal: readonly Issue[]): void {
    if (!this.#sent.delete(revision)) return;
    if (this.#tellWhoWaits(revision, refusal)) return;
    const issues = refusal.map((issue) => this.#placed(issue));
    const isNews = !Bun.deepEquals(issues, this.#refusal);
    this.#refusal = issues;
    this.#issues = [...this.#issues, ...issues];
    this.#isReadingGood = false;
    this.#first.resolve(issues);
    if (this.#inForce === undefined) return;
    const isOutside = refusal.some(({ at }) => this.#wanted?.places.has(at.path));
    if (isNews) this.#log.refused(issues, { revision: this.#inForce.revision, isOutside });
    void this.#inTurn(() => this.#restoreSettings());
    if (isOutside) this.#retryLater();
  }

  /** Settings and model are in force together or not at all. */
  async #restoreSettings(): Promise<void> {
    if (this.#inForce !== undefined && this.#sent.size === 0)
      await this.#options.onSettings(this.#inForce.configuration);
  }

  async #watch(source: Source, signal: AbortSignal): Promise<void> {
    try {
      for await (const state of source.watch(signal)) {
        this.#states.set(source.name, state);
        if (this.#states.size === this.#options.sources.length) await this.#inTurn(() => this.#reloadSources());
      }
    } catch (error) {
      if (signal.aborted) return;
      const says = `changes are no longer seen: ${error instanceof Error ? error.message : String(error)}`;
      const issue: Issue = { severity: "error", at: { source: source.name, path: "" }, says };
      this.#refuse([...this.#issues, issue], [issue]);
    }
  }

  /** What was submitted holds until then. */
  async #reloadSources(): Promise<void> {
    this.#submitted = undefined;
    await this.#reload();
  }

  async #reload(): Promise<void> {
    this.#lastReloadAt = Date.now();
    this.#cancelRetry();
    this.#wanted = undefined;
    const states = this.#submitted === undefined ? this.#given() : [{ texts: [this.#submitted], issues: [] }];
    const texts = states.flatMap((state) => state.texts);
    const unreadable = states.flatMap((state) => state.issues);
    // With nothing to read, everything would be missing, which says nothing.
    const isAnythingRead = texts.length > 0 || unreadable.length === 0;
    const reading: Reading = isAnythingRead ? this.#options.read(texts) : { configuration: undefined, issues: [] };
    this.#options.onFiles?.(reading.files ?? [], this.#lastReloadAt);
    const issues = [...unreadable, ...reading.issues];
    const errors = issues.filter(({ severity }) => severity === "error");
    const { configuration, places = new Map() } = reading;
    if (errors.length > 0 || configuration === undefined) {
      this.#refuse(issues, errors);
    } else {
      this.#wanted = { configuration, issues, places };
      await this.#accept(this.#wanted);
    }
  }

  #given(): readonly SourceState[] {
    return this.#options.sources.flatMap(({ name }) => this.#states.get(name) ?? []);
  }

  async #submit({ text, ifRevision, mayWrite }: Submission): Promise<SubmissionResult> {
    const since = Date.now();
    const revision = this.#newest()?.revision ?? 0;
    if (ifRevision !== undefined && ifRevision !== revision) return { kind: "stale", revision };
    const submitted = { source: submissionSource(this.#given()), text };
    const { configuration, issues, places = new Map(), files = [] } = this.#options.read([submitted]);
    if (configuration === undefined) return { kind: "refused", issues };
    const wanted = { configuration, issues, places };
    const staged = mayWrite ? await this.#stage(text) : undefined;
    if (staged !== undefined && "problem" in staged) return { kind: "unwritable", says: staged.problem };
    const troubles = await this.#putIntoForce(wanted, submitted);
    if (troubles !== "late" && troubles.length > 0) {
      await staged?.discard();
      await this.#restoreSettings();
      return { kind: "refused", issues: [...issues, ...troubles.map((trouble) => placedBy(places, trouble))] };
    }
    if (troubles === "late") {
      await staged?.discard();
      return { kind: "late" };
    }
    this.#options.onFiles?.(files, since);
    await staged?.commit();
    const now = this.#inForce?.revision ?? 0;
    const isSaved = staged !== undefined;
    this.#log.submitted(now, isSaved);
    return { kind: "applied", revision: now, issues, isSaved };
  }

  async #stage(text: string) {
    const [source, ...others] = this.#options.sources;
    if (source?.stage === undefined || others.length > 0)
      return { problem: "the configuration comes from several places" };
    return source.stage(text);
  }

  /** What the machine and the workers say to it; nothing if it is in force. */
  async #putIntoForce(wanted: Wanted, submitted: ConfigurationText): Promise<readonly Issue[] | "late"> {
    const { configuration, issues } = wanted;
    const refusals = await this.#options.tryOut(configuration, this.#held());
    if (refusals.length > 0) return refusals;
    const troubles = await this.#options.onSettings(configuration);
    if (troubles.length > 0) return troubles;
    const current = this.#newest();
    const before = this.#submitted;
    this.#submitted = submitted;
    if (current !== undefined && Bun.deepEquals(current.configuration.model, configuration.model)) {
      this.#keep(current, configuration, false);
    } else {
      const verdict = await this.#roll(configuration);
      if (verdict !== "late" && verdict.length > 0) {
        this.#submitted = before;
        return verdict;
      }
      if (verdict === "late") return "late";
    }
    this.#cancelRetry();
    this.#wanted = undefined;
    this.#lastReloadAt = Date.now();
    this.#issues = issues;
    this.#isReadingGood = true;
    return [];
  }

  async #roll(configuration: Configuration): Promise<readonly Issue[] | "late"> {
    const revision = ++this.#lastRevision;
    const { promise, resolve } = Promise.withResolvers<readonly Issue[]>();
    this.#waiting = { revision, resolve };
    this.#sent.set(revision, configuration);
    this.#options.apply({ revision, ...configuration.model });
    const verdict = await within(promise, verdictMs, "late" as const);
    this.#waiting = undefined;
    return verdict;
  }

  #tellWhoWaits(revision: number, issues: readonly Issue[]): boolean {
    if (this.#waiting?.revision !== revision) return false;
    this.#waiting.resolve(issues);
    return true;
  }

  #refuse(issues: readonly Issue[], errors: readonly Issue[], isOutside = false): void {
    // Editors save a file more than once; the same errors are said once.
    const isNews = this.#isReadingGood || !Bun.deepEquals(issues, this.#issues);
    this.#issues = issues;
    this.#isReadingGood = false;
    if (this.#inForce !== undefined && isNews)
      this.#log.refused(errors, { revision: this.#inForce.revision, isOutside });
    this.#first.resolve(errors);
  }

  async #accept(wanted: Wanted): Promise<void> {
    const { configuration, issues } = wanted;
    const wasMended = this.#inForce !== undefined && !this.#isReadingGood;
    let troubles = await this.#options.tryOut(configuration, this.#held());
    if (troubles.length === 0) troubles = await this.#options.onSettings(configuration);
    if (troubles.length > 0) return this.#postpone(wanted, troubles);
    const warnings = issues.filter((issue) => !this.#issues.some((known) => Bun.deepEquals(known, issue)));
    this.#issues = issues;
    this.#isReadingGood = true;
    this.#log.issues(warnings);
    const current = this.#newest();
    if (current === undefined || !Bun.deepEquals(current.configuration.model, configuration.model)) {
      const revision = ++this.#lastRevision;
      this.#sent.set(revision, configuration);
      this.#options.apply({ revision, ...configuration.model });
    } else {
      this.#keep(current, configuration, wasMended);
    }
  }

  #postpone({ issues }: Wanted, troubles: readonly Issue[]): void {
    const errors = troubles.map((trouble) => this.#placed(trouble));
    this.#refuse([...issues, ...errors], errors, true);
    if (this.#inForce !== undefined) this.#retryLater();
  }

  #retryLater(): void {
    this.#cancelRetry();
    this.#cancelRetry = after(this.#options.retryMs ?? usualRetryMs, () => {
      const wanted = this.#wanted;
      void this.#inTurn(async () => {
        if (wanted !== undefined && this.#wanted === wanted) await this.#accept(wanted);
      });
    });
  }

  /** One reload at a time, whoever wants it. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(act).catch((error: unknown) => {
      this.#options.log.error("config-fault", `a configuration could not be worked on: ${String(error)}`);
    });
    return this.#turn;
  }

  /** Where this gateway listens, or is about to. */
  #held(): readonly ListenAddress[] {
    const known = [this.#inForce?.configuration, ...this.#sent.values()].filter((one) => one !== undefined);
    return [...this.#listeners, ...known.flatMap(({ model, settings }) => [settings.admin, ...model.listeners])];
  }

  /** What the machine refuses has the place in the text of what was asked of it. */
  #placed(issue: Issue): Issue {
    return placedBy(this.#wanted?.places, issue);
  }

  /** What the worker has or is about to have. */
  #newest(): InForce | undefined {
    const pending = this.#sent.get(this.#lastRevision);
    return pending === undefined ? this.#inForce : { revision: this.#lastRevision, configuration: pending };
  }

  #keep(current: InForce, configuration: Configuration, wasMended: boolean): void {
    const { revision } = current;
    const hasNewSettings = !Bun.deepEquals(current.configuration.settings, configuration.settings);
    const kept = { model: current.configuration.model, settings: configuration.settings };
    if (this.#sent.has(revision)) this.#sent.set(revision, kept);
    else this.#inForce = { revision, configuration: kept };
    this.#log.kept(revision, hasNewSettings ? "settings" : wasMended ? "mended" : "unchanged");
  }
}

function placedBy(places: Places | undefined, issue: Issue): Issue {
  const at = places?.get(issue.at.path);
  return at === undefined ? issue : { ...issue, at };
}
