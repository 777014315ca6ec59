import { dirname, join } from "node:path";
import type {
  Configuration,
  ConfigurationText,
  Places,
  Source,
  SourceState,
  StagedText,
} from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";
import { placedBy, type ReadConfiguration } from "./reading.ts";
import type { ReloadLog } from "./reload-log.ts";
import type { Revisions } from "./revisions.ts";

/** A whole configuration that somebody sends in place of what the sources say. */
export type Submission = {
  readonly text: string;
  /** Refused unless this revision is in force. */
  readonly ifRevision?: number;
  /** True if it shall be written back to where the configuration comes from. */
  readonly mayWrite: boolean;
};

/** What became of it. */
export type SubmissionResult =
  /** `issues` are warnings. */
  | {
      readonly kind: "applied";
      readonly revision: number;
      readonly issues: readonly Issue[];
      readonly isSaved: boolean;
    }
  | { readonly kind: "refused"; readonly issues: readonly Issue[] }
  /** Another revision is in force. */
  | { readonly kind: "stale"; readonly revision: number }
  | { readonly kind: "unwritable"; readonly says: string }
  /** The workers have not said anything; it may yet come into force. */
  | { readonly kind: "late" };

/** What submissions are read by, and put into force with. */
export type SubmissionsOptions = {
  readonly sources: readonly Source[];
  readonly read: ReadConfiguration;
  readonly revisions: Revisions;
  readonly log: ReloadLog;
  /** Hears what has come into force, before it is written. */
  readonly onInForce: (taken: TakenText) => void;
};

/** A submitted text that is in force, with its warnings, which other files it had read, and since when (Unix milliseconds). */
export type TakenText = {
  readonly text: ConfigurationText;
  readonly issues: readonly Issue[];
  readonly files: readonly string[];
  readonly since: number;
};

/** Takes configurations that are sent, one at a time. One that is refused leaves everything as if it had never come. */
export class Submissions {
  readonly #options: SubmissionsOptions;

  constructor(options: SubmissionsOptions) {
    this.#options = options;
  }

  /** Puts it into force, and writes it if it may; `text` is that of the submission, as issues shall call it. */
  async take({ ifRevision, mayWrite }: Submission, text: ConfigurationText): Promise<SubmissionResult> {
    const { read, revisions, log, onInForce } = this.#options;
    const since = Date.now();
    const revision = revisions.newest?.revision ?? 0;
    if (ifRevision !== undefined && ifRevision !== revision) return { kind: "stale", revision };
    const { configuration, issues, places, files = [] } = read([text]);
    if (configuration === undefined) return { kind: "refused", issues };
    const staged = mayWrite ? await this.#stage(text.text) : undefined;
    if (staged !== undefined && "problem" in staged) return { kind: "unwritable", says: staged.problem };
    const troubles = await this.#putIntoForce(configuration, places);
    if (troubles === "late" || troubles.length > 0) await staged?.discard();
    if (troubles === "late") return { kind: "late" };
    if (troubles.length > 0) {
      await revisions.restoreSettings();
      return { kind: "refused", issues: [...issues, ...troubles] };
    }
    onInForce({ text, issues, files, since });
    await staged?.commit();
    const now = revisions.inForce?.revision ?? 0;
    const isSaved = staged !== undefined;
    log.submitted(now, isSaved);
    return { kind: "applied", revision: now, issues, isSaved };
  }

  /** Only one source can be written, and only if there is no other. */
  async #stage(text: string): Promise<StagedText | { readonly problem: string }> {
    const [source, ...others] = this.#options.sources;
    if (source?.stage === undefined || others.length > 0)
      return { problem: "the configuration comes from several places" };
    return source.stage(text);
  }

  /** What the machine and the workers say to it; nothing if it is in force. */
  async #putIntoForce(configuration: Configuration, places: Places | undefined): Promise<readonly Issue[] | "late"> {
    const { revisions } = this.#options;
    let verdict: readonly Issue[] | "late" = await revisions.settle(configuration);
    if (verdict.length === 0 && !revisions.keep(configuration, false))
      verdict = await revisions.sendAndWait(configuration);
    return verdict === "late" ? verdict : verdict.map((issue) => placedBy(places, issue));
  }
}

/** What issues call a submitted text. Files that it names stand where they would for the first file of the sources. */
export function submissionSource(states: readonly SourceState[]): string {
  const first = states.flatMap(({ texts }) => texts)[0];
  return join(first === undefined ? "." : dirname(first.source), "request");
}
