import { describe, expect, test } from "bun:test";
import { Random } from "../../../test/support/random.ts";
import { hashText } from "../../kit/text-hash.ts";
import type { Balancer, Candidate } from "./candidate.ts";
import { HashRing } from "./hash-ring.ts";
import { LeastSessions } from "./least-sessions.ts";
import { Maglev } from "./maglev.ts";
import { RoundRobin } from "./round-robin.ts";
import { latencyCost, loadCost, TwoChoices } from "./two-choices.ts";

type Peer = { -readonly [Key in keyof Candidate]: Candidate[Key] };

const makers: Readonly<Record<string, () => Balancer<Peer>>> = {
  "least-sessions": () => new LeastSessions(),
  "round-robin": () => new RoundRobin<Peer>(),
  random: () => new TwoChoices(loadCost, seeded()),
  "peak-ewma": () => new TwoChoices(latencyCost, seeded()),
  ring: () => new HashRing(),
  maglev: () => new Maglev(),
};

function seeded(): () => number {
  const random = new Random(4);
  return () => random.next();
}

function peers(weights: readonly number[]): Peer[] {
  return weights.map((weight, at) => ({
    address: `10.0.0.${at}:8080`,
    weight,
    share: weight,
    load: 0,
    latencyMs: 5,
    credit: 0,
  }));
}

/** How often each of these is chosen, in choices for as many keys. */
function counts(balancer: Balancer<Peer>, offered: readonly Peer[], choices: number): number[] {
  const found = new Map<Peer, number>(offered.map((peer) => [peer, 0]));
  for (let turn = 0; turn < choices; turn++) {
    const peer = balancer.pick(none, hashText(`user-${turn}`));
    if (peer !== undefined) found.set(peer, (found.get(peer) ?? 0) + 1);
  }
  return offered.map((peer) => found.get(peer) ?? 0);
}

const none: ReadonlySet<Peer> = new Set();

for (const [name, make] of Object.entries(makers)) {
  describe(`every balancer: ${name}`, () => {
    test.each([
      { weights: [100, 100, 100, 100, 100] },
      { weights: [1, 1, 1] },
      { weights: [100, 50, 25] },
      { weights: [10, 20, 30, 40] },
      { weights: [10_000, 7000, 2500] },
    ])("100,000 choices are within 3 % of the weights $weights", ({ weights }) => {
      const balancer = make();
      const offered = peers(weights);
      balancer.offer(offered);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [at, count] of counts(balancer, offered, 100_000).entries()) {
        const due = (100_000 * (weights[at] ?? 0)) / total;
        expect(Math.abs(count - due) / due).toBeLessThan(0.03);
      }
    });

    test("what was tried is not chosen again, and when all were there is nothing", () => {
      const balancer = make();
      const offered = peers([100, 1, 100]);
      balancer.offer(offered);
      for (let key = 0; key < 200; key++) {
        const tried = new Set<Peer>();
        for (const _ of offered) tried.add(balancer.pick(tried, hashText(`user-${key}`)) ?? (offered[0] as Peer));
        expect(tried.size).toBe(3);
        expect(balancer.pick(tried, hashText(`user-${key}`))).toBeUndefined();
      }
    });

    test("only what is offered now is chosen", () => {
      const balancer = make();
      const offered = peers([100, 100, 100]);
      expect(balancer.pick(none, 1)).toBeUndefined();
      balancer.offer(offered);
      expect(counts(balancer, offered, 1000).every((count) => count > 0)).toBe(true);
      const fewer = offered.slice(1);
      balancer.offer(fewer);
      expect(counts(balancer, offered, 1000)[0]).toBe(0);
      balancer.offer([]);
      expect(balancer.pick(none, 1)).toBeUndefined();
    });
  });
}

for (const name of ["least-sessions", "random", "peak-ewma"]) {
  test(`${name}: who has more to do than its weight says is left alone`, () => {
    const balancer = makers[name]?.() as Balancer<Peer>;
    const offered = peers([100, 100]);
    balancer.offer(offered);
    for (const peer of offered) peer.load = peer === offered[0] ? 10 : 0;
    expect(counts(balancer, offered, 100)).toEqual([0, 100]);
  });

  test(`${name}: sessions that stay open are spread within 3 % of the weights`, () => {
    const balancer = makers[name]?.() as Balancer<Peer>;
    const offered = peers([100, 50, 150]);
    balancer.offer(offered);
    for (let turn = 0; turn < 3000; turn++) {
      const peer = balancer.pick(none, 0);
      if (peer !== undefined) peer.load++;
    }
    for (const [at, due] of [1000, 500, 1500].entries())
      expect(Math.abs((offered[at]?.load ?? 0) - due) / due).toBeLessThan(0.03);
  });
}

test("peak-ewma: of two with as much to do, the quicker one is chosen", () => {
  const balancer = new TwoChoices<Peer>(latencyCost, seeded());
  const offered = peers([100, 100]);
  for (const peer of offered) peer.latencyMs = peer === offered[0] ? 50 : 5;
  balancer.offer(offered);
  expect(counts(balancer, offered, 100)).toEqual([0, 100]);
});

test("peak-ewma: one that nothing is known of is tried, and one that is asked and does not answer is not asked again", () => {
  const balancer = new TwoChoices<Peer>(latencyCost, seeded());
  const offered = peers([100, 100]);
  const [silent] = offered;
  if (silent !== undefined) silent.latencyMs = 0;
  balancer.offer(offered);
  // Now and then one is drawn twice.
  expect(counts(balancer, offered, 100)[0]).toBeGreaterThan(95);
  if (silent !== undefined) silent.load = 1;
  expect(counts(balancer, offered, 100)[0]).toBeLessThan(5);
});

for (const name of ["least-sessions", "round-robin"]) {
  test(`${name}: those that are equal come in turn`, () => {
    const balancer = makers[name]?.() as Balancer<Peer>;
    const offered = peers([100, 100, 100]);
    balancer.offer(offered);
    const first = [0, 1, 2].map(() => balancer.pick(none, 0)?.address);
    expect(new Set(first).size).toBe(3);
    balancer.offer(offered.slice());
    expect([0, 1, 2].map(() => balancer.pick(none, 0)?.address)).toEqual(first);
  });
}

for (const name of ["least-sessions", "round-robin", "random"]) {
  test(`${name}: a candidate that starts slowly gets its share, and not its weight`, () => {
    const balancer = makers[name]?.() as Balancer<Peer>;
    const offered = peers([100, 100]);
    for (const peer of offered) peer.share = peer === offered[0] ? 10 : 100;
    balancer.offer(offered);
    const [slow = 0] = counts(balancer, offered, 11_000);
    expect(slow).toBeGreaterThan(900);
    expect(slow).toBeLessThan(1100);
  });
}

describe.each([
  { name: "ring", others: 0 },
  { name: "maglev", others: 0.1 },
])("$name: keys that move", ({ name, others }) => {
  test.each([{ size: 2 }, { size: 5 }, { size: 10 }, { size: 100 }])(
    "one of $size goes, and comes back",
    ({ size }) => {
      const balancer = makers[name]?.() as Balancer<Peer>;
      const offered = peers(Array.from({ length: size }, () => 100));
      const where = () => Array.from({ length: 20_000 }, (_, key) => balancer.pick(none, hashText(`user-${key}`)));
      balancer.offer(offered);
      const before = where();
      balancer.offer(offered.slice(1));
      const after = where();
      const moved = before.filter((peer, key) => peer !== after[key]).length / before.length;
      const ofOthers = before.filter((peer, key) => peer !== after[key] && peer !== offered[0]).length / before.length;
      expect(moved).toBeGreaterThan(0.5 / size);
      expect(moved).toBeLessThanOrEqual(name === "ring" ? 1.1 / size : 1 / size + 0.1);
      expect(ofOthers).toBeLessThanOrEqual(others);
      balancer.offer(offered);
      expect(where()).toEqual(before);
    },
  );

  test("the order in which endpoints are configured does not matter", () => {
    const [one, other] = [makers[name]?.() as Balancer<Peer>, makers[name]?.() as Balancer<Peer>];
    const offered = peers([100, 100, 100, 100]);
    one.offer(offered);
    other.offer(offered.toReversed());
    let same = 0;
    for (let key = 0; key < 1000; key++)
      if (one.pick(none, hashText(`user-${key}`)) === other.pick(none, hashText(`user-${key}`))) same++;
    expect(same).toBeGreaterThanOrEqual(name === "ring" ? 1000 : 900);
  });
});
