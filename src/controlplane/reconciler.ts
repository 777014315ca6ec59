import type { Configuration, ConfigurationText, Places, Reading, Source } from "../core/configuration.ts";
import type { ListenerStatus } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import { after } from "../kit/sleep.ts";
import type { EventLog } from "./event-log.ts";
import { placedBy, type ReadConfiguration } from "./reading.ts";
import { ReloadLog } from "./reload-log.ts";
import { type InForce, Revisions, type RevisionsOptions } from "./revisions.ts";
import { SourceStates } from "./source-states.ts";
import { type Submission, type SubmissionResult, Submissions, submissionSource, type TakenText } from "./submission.ts";

/** How often a change is tried again that nothing is wrong with but that the machine refuses: a port is taken, say (ms). */
const usualRetryMs = 2000;

/** Where configurations come from, and what is done with them. */
export type ReconcilerOptions = RevisionsOptions & {
  readonly sources: readonly Source[];
  readonly read: ReadConfiguration;
  readonly log: EventLog;
  /** Hears after every reading which other files were read, and when it began (Unix milliseconds). */
  readonly onFiles?: (files: readonly string[], since: number) => void;
  /** Milliseconds; 2 s unless told otherwise. */
  readonly retryMs?: number;
};

/** A configuration without errors, as it was read. */
type Wanted = {
  readonly configuration: Configuration;
  readonly issues: readonly Issue[];
  readonly places: Places;
};

/** Has what the sources say in force, and knows what is wrong with it. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #log: ReloadLog;
  readonly #sources: SourceStates;
  readonly #revisions: Revisions;
  readonly #submissions: Submissions;
  readonly #first = Promise.withResolvers<readonly Issue[]>();
  /** Of the newest reading, and of what was done with it. */
  #issues: readonly Issue[] = [];
  #isReadingGood = false;
  #lastReloadAt: number | undefined;
  #wanted: Wanted | undefined;
  /** What the workers refused last, which is said once however often it is tried again. */
  #refusal: readonly Issue[] = [];
  #cancelRetry: () => void = () => {};
  /** What takes the place of the sources until they change. */
  #submitted: ConfigurationText | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#log = new ReloadLog(options.log);
    this.#sources = new SourceStates(options.sources);
    this.#revisions = new Revisions(options, this.#log);
    this.#submissions = new Submissions({
      ...options,
      revisions: this.#revisions,
      log: this.#log,
      onInForce: (taken) => this.#onSubmitted(taken),
    });
  }

  get inForce(): InForce | undefined {
    return this.#revisions.inForce;
  }

  /** The listeners as the workers bound them. */
  get listeners(): readonly ListenerStatus[] {
    return this.#revisions.listeners;
  }

  get issues(): readonly Issue[] {
    return this.#issues;
  }

  /** False while the files say something that is not in force. */
  get isLastReloadGood(): boolean {
    return this.#isReadingGood && !this.#revisions.isPending;
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
    this.#sources.watch(signal, {
      onChange: () => this.#inTurn(() => this.#reloadSources()),
      onLost: (issue) => this.#refuse([...this.#issues, issue], [issue]),
    });
    return this.#first.promise;
  }

  /** Workers are there already, with a revision in force and these listeners: what comes next has a higher number. Before `start`. */
  resume(found: { readonly revision: number; readonly listeners: readonly ListenerStatus[] }): void {
    this.#revisions.resume(found);
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
    if (!this.#revisions.applied(revision, listeners)) return;
    this.#refusal = [];
    this.#first.resolve([]);
  }

  /** The workers could not put a revision into force; the last good one stays. */
  onRefused(revision: number, refusal: readonly Issue[]): void {
    if (!this.#revisions.refused(revision, refusal)) return;
    const issues = refusal.map((issue) => placedBy(this.#wanted?.places, issue));
    const isNews = !Bun.deepEquals(issues, this.#refusal);
    this.#refusal = issues;
    this.#issues = [...this.#issues, ...issues];
    this.#isReadingGood = false;
    this.#first.resolve(issues);
    if (this.inForce === undefined) return;
    const isOutside = refusal.some(({ at }) => this.#wanted?.places.has(at.path));
    if (isNews) this.#log.refused(issues, { revision: this.inForce.revision, isOutside });
    void this.#inTurn(() => this.#revisions.restoreSettings());
    if (isOutside) this.#retryLater();
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
    const states = this.#submitted === undefined ? this.#sources.all : [{ texts: [this.#submitted], issues: [] }];
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

  async #submit(submission: Submission): Promise<SubmissionResult> {
    const text = { source: submissionSource(this.#sources.all), text: submission.text };
    const result = await this.#submissions.take(submission, text);
    // It may yet come into force.
    if (result.kind === "late") this.#submitted = text;
    return result;
  }

  #onSubmitted({ text, issues, files, since }: TakenText): void {
    this.#submitted = text;
    this.#cancelRetry();
    this.#wanted = undefined;
    this.#lastReloadAt = Date.now();
    this.#issues = issues;
    this.#isReadingGood = true;
    this.#options.onFiles?.(files, since);
  }

  #refuse(issues: readonly Issue[], errors: readonly Issue[], isOutside = false): void {
    // Editors save a file more than once; the same errors are said once.
    const isNews = this.#isReadingGood || !Bun.deepEquals(issues, this.#issues);
    this.#issues = issues;
    this.#isReadingGood = false;
    if (this.inForce !== undefined && isNews) this.#log.refused(errors, { revision: this.inForce.revision, isOutside });
    this.#first.resolve(errors);
  }

  async #accept(wanted: Wanted): Promise<void> {
    const { configuration, issues } = wanted;
    const isMended = this.inForce !== undefined && !this.#isReadingGood;
    const troubles = await this.#revisions.settle(configuration);
    if (troubles.length > 0) return this.#postpone(wanted, troubles);
    const warnings = issues.filter((issue) => !this.#issues.some((known) => Bun.deepEquals(known, issue)));
    this.#issues = issues;
    this.#isReadingGood = true;
    this.#log.issues(warnings);
    if (!this.#revisions.keep(configuration, isMended)) this.#revisions.send(configuration);
  }

  #postpone({ issues, places }: Wanted, troubles: readonly Issue[]): void {
    const errors = troubles.map((trouble) => placedBy(places, trouble));
    this.#refuse([...issues, ...errors], errors, true);
    if (this.inForce !== undefined) this.#retryLater();
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
}
