import { describe, expect, test } from "bun:test";
import { HeaderList } from "../../core/headers.ts";
import type { Asker } from "./key-source.ts";
import { Offer, type Offerable } from "./offer.ts";

type Peer = { -readonly [Key in keyof Offerable]: Offerable[Key] };

function peer(address: string, more: Partial<Peer> = {}): Peer {
  return {
    address,
    weight: 100,
    share: 100,
    load: 0,
    latencyMs: 0,
    credit: 0,
    isStandby: false,
    zone: undefined,
    ...more,
  };
}

function askerWith(user: string): Asker {
  const headers = HeaderList.from([["X-User", user]]);
  const head = { method: "GET", target: "/", headers, authority: "", host: "", path: "/", query: "" };
  return { head, headers, client: { address: "10.1.2.3", port: 1 } };
}

const none: ReadonlySet<Peer> = new Set();

/** How many of 1,000 choices each gets, by address. */
function sharesOf(offer: Offer<Peer>): Map<string, number> {
  const counts = new Map<string, number>();
  for (let turn = 0; turn < 1000; turn++) {
    const address = offer.pick(none, undefined)?.address ?? "nobody";
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  return counts;
}

describe("endpoints that stand by", () => {
  const all = [peer("a"), peer("b"), peer("c"), peer("d"), peer("spare", { isStandby: true })];

  test.each([
    { standbyBelow: 1, usable: 4, spare: false },
    { standbyBelow: 1, usable: 1, spare: false },
    { standbyBelow: 1, usable: 0, spare: true },
    { standbyBelow: 50, usable: 2, spare: false },
    { standbyBelow: 50, usable: 1, spare: true },
    { standbyBelow: 100, usable: 3, spare: true },
  ])("below $standbyBelow %, with $usable of 4 usable: $spare", ({ standbyBelow, usable, spare }) => {
    const offer = new Offer<Peer>({ balance: "round-robin", standbyBelow });
    offer.update(all, [...all.slice(0, usable), ...all.slice(4)]);
    expect(sharesOf(offer).has("spare")).toBe(spare);
    expect(offer.size).toBe(usable + (spare ? 1 : 0));
  });

  test("one that cannot be used is not used", () => {
    const offer = new Offer<Peer>({ balance: "round-robin" });
    offer.update(all, []);
    expect(offer.size).toBe(0);
    expect(offer.pick(none, undefined)).toBeUndefined();
  });
});

describe("zones", () => {
  const near = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((at) => peer(`near${at}`, { zone: "a" }));
  const far = [1, 2].map((at) => peer(`far${at}`, { zone: "b" }));
  const zones = { prefer: "a", spillBelow: 70 };

  function farShare(usable: number): number {
    const offer = new Offer<Peer>({ balance: "random", zones });
    offer.update([...near, ...far], [...near.slice(0, usable), ...far]);
    const counts = sharesOf(offer);
    return ((counts.get("far1") ?? 0) + (counts.get("far2") ?? 0)) / 1000;
  }

  test("the own zone gets everything as long as enough of it is usable", () => {
    expect(farShare(10)).toBe(0);
    expect(farShare(7)).toBe(0);
  });

  test("below that the others get what is missing, and in the end everything", () => {
    expect(farShare(4)).toBeGreaterThan(0.35);
    expect(farShare(4)).toBeLessThan(0.5);
    expect(farShare(0)).toBe(1);
  });

  test("who was tried in the own zone goes elsewhere", () => {
    const offer = new Offer<Peer>({ balance: "least-sessions", zones });
    offer.update([...near, ...far], [...near, ...far]);
    expect(offer.pick(new Set(near), undefined)?.zone).toBe("b");
  });

  test("a key does not change between zones", () => {
    const offer = new Offer<Peer>({ balance: { hash: { from: "header", name: "x-user" }, table: "ring" }, zones });
    offer.update([...near, ...far], [...near.slice(0, 4), ...far]);
    const seen = new Set<string | undefined>();
    for (let user = 0; user < 100; user++) {
      const first = offer.pick(none, askerWith(`user-${user}`));
      seen.add(first?.zone);
      for (let turn = 0; turn < 5; turn++) expect(offer.pick(none, askerWith(`user-${user}`))).toBe(first);
    }
    expect([...seen].sort()).toEqual(["a", "b"]);
  });
});

describe("keys", () => {
  test("the same key leads to the same endpoint, and without one the choice is counted and balanced", () => {
    const offer = new Offer<Peer>({
      balance: "round-robin",
      sticky: { by: "key", key: { from: "header", name: "x-user" } },
    });
    const peers = [peer("a"), peer("b"), peer("c")];
    offer.update(peers, peers);
    const seen = new Set<Peer | undefined>();
    for (let user = 0; user < 50; user++) {
      const first = offer.pick(none, askerWith(`user-${user}`));
      seen.add(first);
      expect(offer.pick(none, askerWith(`user-${user}`))).toBe(first);
    }
    expect(seen.size).toBe(3);
    expect(offer.keyless).toBe(0);
    expect(new Set([1, 2, 3].map(() => offer.pick(none, askerWith(""))?.address)).size).toBe(3);
    expect(offer.keyless).toBe(3);
  });
});
