import { expect, test } from "bun:test";
import { Random } from "../../../test/support/random.ts";
import { RingPoints } from "./ring-points.ts";

/** Where the points lie, and whose they are by name. */
function whole(points: RingPoints, addresses: readonly string[]): string[] {
  return Array.from(points.places, (place, at) => `${place} ${addresses[points.owners[at] as number]}`);
}

test("a ring that was changed again and again is the one that would be laid anew", () => {
  const random = new Random(7);
  let points = RingPoints.none;
  for (let change = 0; change < 60; change++) {
    const all = Array.from({ length: 30 }, (_, at) => `10.0.0.${at}:80`);
    const addresses = all.filter(() => random.next() < 0.8).sort(() => random.next() - 0.5);
    const counts = addresses.map(() => 1 + random.below(2) * 40);
    points = points.changedTo(addresses, counts);
    const anew = RingPoints.none.changedTo(addresses, counts);
    expect(whole(points, addresses)).toEqual(whole(anew, addresses));
    expect(points.places).toEqual(points.places.slice().sort());
  }
});

test("an address that comes twice has its points twice", () => {
  const points = RingPoints.none.changedTo(["a:1", "b:1", "a:1"], [2, 3, 2]);
  expect(points.changedTo(["a:1", "a:1"], [2, 2]).places).toEqual(
    RingPoints.none.changedTo(["a:1", "a:1"], [2, 2]).places,
  );
  expect(points.places.length).toBe(7);
  expect(points.changedTo([], []).places.length).toBe(0);
});
