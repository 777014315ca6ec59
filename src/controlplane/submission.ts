import { dirname, join } from "node:path";
import type { SourceState } from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";

/** How long the workers may take to put a submitted configuration into force (ms). */
export const verdictMs = 30_000;

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

/** What issues call a submitted text. Files that it names stand where they would for the first file of the sources. */
export function submissionSource(states: readonly SourceState[]): string {
  const first = states.flatMap(({ texts }) => texts)[0];
  return join(first === undefined ? "." : dirname(first.source), "request");
}
