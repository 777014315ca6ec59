import type { Source, SourceState, StagedText } from "../../core/configuration.ts";
import { sleep } from "../../kit/sleep.ts";
import { fingerprint, readFiles } from "./read-files.ts";
import { stageText } from "./stage-text.ts";

/** How a source watches; all in milliseconds. */
export type Pace = {
  /** How often the files are looked at. */
  readonly pollMs: number;
  /** Files are read once they have kept still for this long, since editors write in several steps. */
  readonly settleMs: number;
  /** Files that never keep still are read all the same, this long after the first change. */
  readonly patienceMs: number;
};

/** Sees every change within a second, for the price of four stats a second and file. */
export const usualPace: Pace = { pollMs: 250, settleMs: 100, patienceMs: 500 };

/**
 * Configuration from files and folders. A stat poll notices what watching for events misses: files that are replaced by renaming, the
 * link swaps of Kubernetes, files that come back after they were deleted, and network file systems.
 */
export class FileSource implements Source {
  readonly name = "files";
  readonly #paths: readonly string[];
  readonly #pace: Pace;
  #isAsked = false;

  constructor(paths: readonly string[], pace: Pace = usualPace) {
    this.#paths = paths;
    this.#pace = pace;
  }

  /** Reads the files at the next look. */
  refresh(): void {
    this.#isAsked = true;
  }

  /** Only a single file can take a whole configuration. */
  async stage(text: string): Promise<StagedText | { readonly problem: string }> {
    const [path, ...others] = this.#paths;
    if (path === undefined || others.length > 0) return { problem: "the configuration comes from several files" };
    return stageText(path, text);
  }

  /** The texts now, and again whenever they have changed, within a second. Ends when `signal` aborts; never throws. */
  async *watch(signal: AbortSignal): AsyncGenerator<SourceState, void, undefined> {
    let seen = "";
    let given: string | undefined;
    while (!signal.aborted) {
      const now = await this.#settle(signal, seen);
      if (now !== seen || this.#isAsked) {
        const isAsked = this.#isAsked;
        this.#isAsked = false;
        seen = now;
        const state = await readFiles(this.#paths);
        const key = JSON.stringify(state);
        if (signal.aborted) return;
        // A file that was touched, or replaced by its like, is no change.
        if (key !== given || isAsked) yield state;
        given = key;
      }
      await sleep(this.#pace.pollMs, signal);
    }
  }

  /** The fingerprint of the files, once it has stood still if it differs from `seen`. The first one of all is taken as it is. */
  async #settle(signal: AbortSignal, seen: string): Promise<string> {
    let now = await fingerprint(this.#paths);
    if (seen === "") return now;
    const { settleMs, patienceMs } = this.#pace;
    for (let waited = 0; now !== seen && waited < patienceMs && !signal.aborted; waited += settleMs) {
      await sleep(settleMs, signal);
      const next = await fingerprint(this.#paths);
      if (next === now) return now;
      now = next;
    }
    return now;
  }
}
