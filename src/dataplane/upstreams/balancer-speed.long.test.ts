import { expect, test } from "bun:test";
import { timed } from "../../../test/support/cpu-time.ts";
import { mix } from "../../kit/text-hash.ts";
import type { Balancer, Candidate } from "./candidate.ts";
import { HashRing } from "./hash-ring.ts";
import { LeastSessions } from "./least-sessions.ts";
import { Maglev } from "./maglev.ts";
import { RoundRobin } from "./round-robin.ts";
import { latencyCost, loadCost, TwoChoices } from "./two-choices.ts";

const none: ReadonlySet<Candidate> = new Set();
const rounds = 12;
const picks = 2000;

/** Microseconds for one choice: the quickest of several rounds, since other programs can only make a round slower. */
function quickest(balancer: Balancer<Candidate>): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    for (let turn = 0; turn < picks; turn++) balancer.pick(none, mix(turn));
    best = Math.min(best, ((performance.now() - startedAt) * 1000) / picks);
  }
  return best;
}

function thousand(): Candidate[] {
  return Array.from({ length: 1000 }, (_, at) => {
    return { address: `10.0.0.${at}:80`, weight: 100, share: 100, load: at % 7, latencyMs: 1 + (at % 5), credit: 0 };
  });
}

test.each([
  { name: "hash, ring", balancer: new HashRing(), limit: 2 },
  { name: "hash, maglev", balancer: new Maglev(), limit: 2 },
  { name: "random", balancer: new TwoChoices(loadCost), limit: 2 },
  { name: "peak-ewma", balancer: new TwoChoices(latencyCost), limit: 2 },
  { name: "round-robin", balancer: new RoundRobin(), limit: 20 },
  { name: "least-sessions", balancer: new LeastSessions(), limit: 20 },
])("$name chooses one of 1,000 endpoints in less than $limit µs", ({ name, balancer, limit }) => {
  balancer.offer(thousand());
  const microseconds = quickest(balancer);
  console.log(`1 of 1,000 endpoints by ${name}: ${microseconds.toFixed(2)} µs`);
  expect(microseconds).toBeLessThan(limit);
});

test("hash, ring: the first choice after one of 1,000 endpoints has come or gone takes less than 10 ms", () => {
  const balancer = new HashRing();
  const candidates = thousand();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 40; round++) {
    balancer.offer(candidates.slice(round % 2));
    best = Math.min(best, timed(() => balancer.pick(none, round)).ms);
  }
  console.log(`first choice of 1,000 endpoints by hash, ring: ${best.toFixed(1)} ms`);
  expect(best).toBeLessThan(10);
});
