import type { KeySource } from "../../core/balance-settings.ts";
import { GatewayError } from "../../core/errors.ts";
import type { WeightedUpstream } from "../../core/snapshot.ts";
import { hashText } from "../../kit/text-hash.ts";
import { type Asker, createKeyFinder } from "../upstreams/key-source.ts";
import { RoundRobin } from "../upstreams/round-robin.ts";

/** What a choice among upstreams depends on beside their weights. */
export type TargetChoiceOptions = {
  readonly split: KeySource | undefined;
  /** Tells whether a client belongs to an upstream already. */
  readonly upstream: (name: string) => { holds(asker: Asker): boolean } | undefined;
};

type Target = { readonly name: string; readonly share: number; credit: number };

/** Chooses among a route's upstreams: the one that the client's cookie leads to, or else by its key, or else in turn; always by weight. */
export function createTargetChoice(
  targets: readonly WeightedUpstream[],
  { split, upstream }: TargetChoiceOptions,
): (asker: Asker) => string {
  const candidates: readonly Target[] = targets
    .filter(({ weight }) => weight > 0)
    .map(({ upstream: name, weight }) => ({ name, share: weight, credit: 0 }));
  const [only] = candidates;
  if (only === undefined) {
    return () => {
      throw new GatewayError("upstream_empty", "the route sends nothing anywhere: all weights are 0");
    };
  }
  if (candidates.length === 1) return () => only.name;
  const turns = new RoundRobin<Target>();
  turns.offer(candidates);
  const findKey = split && createKeyFinder(split);
  return (asker) => {
    for (const { name } of candidates) if (upstream(name)?.holds(asker) === true) return name;
    const key = findKey?.(asker);
    const chosen = key === undefined ? turns.pick(nobody) : pickByKey(candidates, key);
    return (chosen ?? only).name;
  };
}

const nobody: ReadonlySet<Target> = new Set();

/** Each has its stretch of all hashes: when a weight grows, only the keys in between move. */
function pickByKey(candidates: readonly Target[], key: string): Target | undefined {
  const total = candidates.reduce((sum, { share }) => sum + share, 0);
  const point = (hashText(key) / 2 ** 32) * total;
  let end = 0;
  for (const candidate of candidates) {
    end += candidate.share;
    if (point < end) return candidate;
  }
  return undefined;
}
