import { stat } from "node:fs/promises";
import { sleep } from "../../kit/sleep.ts";
import { fingerprint } from "./read-files.ts";
import { type Pace, settle, usualPace } from "./settle.ts";

/** Watches files that a configuration names, certificates for example, and tells when one of them has changed. */
export class FileWatch {
  readonly #pace: Pace;
  #paths: readonly string[] = [];
  #seen = "";

  constructor(pace: Pace = usualPace) {
    this.#pace = pace;
  }

  /** From now on these are watched. They have been read after `since` (Unix milliseconds). */
  async follow(paths: readonly string[], since: number): Promise<void> {
    if (Bun.deepEquals(paths, this.#paths)) return;
    this.#paths = paths;
    this.#seen = await fingerprint(paths);
    // What changed while it was read may have been read too early.
    if (await anyChangedSince(paths, since)) this.#seen = "";
  }

  /** Calls `onChange` after every change, once the files keep still, until `signal` aborts. */
  async watch(signal: AbortSignal, onChange: () => void): Promise<void> {
    while (!signal.aborted) {
      const paths = this.#paths;
      const now = await settle({ paths, seen: this.#seen, pace: this.#pace }, signal);
      if (paths === this.#paths && now !== this.#seen && !signal.aborted) {
        this.#seen = now;
        onChange();
      }
      await sleep(this.#pace.pollMs, signal);
    }
  }
}

async function anyChangedSince(paths: readonly string[], since: number): Promise<boolean> {
  const times = paths.map((path) =>
    stat(path)
      .then(({ ctimeMs }) => ctimeMs)
      .catch(() => 0),
  );
  return (await Promise.all(times)).some((ctimeMs) => ctimeMs >= since);
}
