import { sleep } from "../../kit/sleep.ts";
import { fingerprint } from "./read-files.ts";

/** How files are watched; all in milliseconds. */
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

/** What is watched: `seen` is the fingerprint as of the last reading. */
export type Watched = { readonly paths: readonly string[]; readonly seen: string; readonly pace: Pace };

/** The fingerprint of files, once it has stood still if it differs from the one that was seen. */
export async function settle({ paths, seen, pace }: Watched, signal: AbortSignal): Promise<string> {
  const { settleMs, patienceMs } = pace;
  let now = await fingerprint(paths);
  for (let waited = 0; now !== seen && waited < patienceMs && !signal.aborted; waited += settleMs) {
    await sleep(settleMs, signal);
    const next = await fingerprint(paths);
    if (next === now) return now;
    now = next;
  }
  return now;
}
