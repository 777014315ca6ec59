import type { Source, SourceState, StagedText } from "../../core/configuration.ts";
import { sleep } from "../../kit/sleep.ts";
import { fingerprint, readFiles } from "./read-files.ts";
import { type Pace, settle, usualPace } from "./settle.ts";
import { stageText } from "./stage-text.ts";

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
    const [paths, pace] = [this.#paths, this.#pace];
    let seen = "";
    let given: string | undefined;
    while (!signal.aborted) {
      // The first one of all is taken as it is.
      const now = await (seen === "" ? fingerprint(paths) : settle({ paths, seen, pace }, signal));
      if (now !== seen || this.#isAsked) {
        const isAsked = this.#isAsked;
        this.#isAsked = false;
        seen = now;
        const state = await readFiles(paths);
        const key = JSON.stringify(state);
        if (signal.aborted) return;
        // A file that was touched, or replaced by its like, is no change.
        if (key !== given || isAsked) yield state;
        given = key;
      }
      await sleep(pace.pollMs, signal);
    }
  }
}
