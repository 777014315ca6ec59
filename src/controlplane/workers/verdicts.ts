import type { ListenerStatus } from "../../core/figures.ts";
import type { Issue } from "../../core/issue.ts";
import { after } from "../../kit/sleep.ts";

/** How long a worker may take to prepare a snapshot or to put it into force (ms). */
const verdictMs = 20_000;

/** What a worker has made of a snapshot. */
export type Verdict =
  | { readonly kind: "done"; readonly listeners: readonly ListenerStatus[] }
  | { readonly kind: "refused"; readonly issues: readonly Issue[] }
  /** It ended meanwhile, which may be the snapshot's doing. */
  | { readonly kind: "ended"; readonly how: string }
  | { readonly kind: "late" };

/** The verdicts that one worker still owes, by revision. */
export class Verdicts {
  readonly #waiting = new Map<number, (verdict: Verdict) => void>();

  /** Waits for the next verdict on a revision; one that takes too long is `late`. */
  on(revision: number): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const cancel = after(verdictMs, () => this.settle(revision, { kind: "late" }));
    this.#waiting.set(revision, (verdict) => {
      cancel();
      resolve(verdict);
    });
    return promise;
  }

  settle(revision: number, verdict: Verdict): void {
    const resolve = this.#waiting.get(revision);
    this.#waiting.delete(revision);
    resolve?.(verdict);
  }

  settleAll(verdict: Verdict): void {
    for (const revision of [...this.#waiting.keys()]) this.settle(revision, verdict);
  }
}
