import { hashText, mix } from "../../kit/text-hash.ts";

/** Points of a ring, by their place and by whose they are; the two belong together index by index. */
type Points = { readonly places: Uint32Array; readonly owners: Uint32Array };

/**
 * The points that addresses have on a hash ring, in the order of their places. Where a point lies depends on its address alone, so
 * that all workers have the same ring, whatever it was before.
 */
export class RingPoints {
  static readonly none = new RingPoints([], [], { places: new Uint32Array(0), owners: new Uint32Array(0) });
  /** Ascending; numbers of 32 bits. */
  readonly places: Uint32Array;
  /** Whose the points are: indexes of addresses. */
  readonly owners: Uint32Array;
  readonly #addresses: readonly string[];
  readonly #counts: readonly number[];

  private constructor(addresses: readonly string[], counts: readonly number[], { places, owners }: Points) {
    this.#addresses = addresses;
    this.#counts = counts;
    this.places = places;
    this.owners = owners;
  }

  /** The ring of these addresses, with so many points each. What stays of this one is not laid anew: that takes a twentieth of the time. */
  changedTo(addresses: readonly string[], counts: readonly number[]): RingPoints {
    const staying = this.#indexesIn(addresses, counts);
    const stays = new Uint8Array(addresses.length);
    for (const index of staying) if (index >= 0) stays[index] = 1;
    const fresh = ascending(
      layPoints(
        addresses,
        counts.map((count, index) => (stays[index] === 1 ? 0 : count)),
      ),
      addresses,
    );
    const length = counts.reduce((sum, count) => sum + count, 0);
    return new RingPoints(addresses, counts, merge({ old: this, staying, fresh, length, addresses }));
  }

  /** For each address of now its index among `addresses`; -1 if it is not there, or has another number of points. */
  #indexesIn(addresses: readonly string[], counts: readonly number[]): Int32Array {
    const before = new Map(this.#addresses.map((address, index) => [address, index]));
    const indexes = new Int32Array(this.#addresses.length).fill(-1);
    for (const [index, address] of addresses.entries()) {
      const old = before.get(address);
      if (old === undefined || this.#counts[old] !== counts[index]) continue;
      indexes[old] = index;
      // The same address may come twice.
      before.delete(address);
    }
    return indexes;
  }
}

/** By how many bits a place is shifted to find its slice, so that a slice has two or three of so many points. */
export function sliceShift(points: number): number {
  return 32 - Math.min(20, Math.max(1, Math.ceil(Math.log2(points + 1)) - 1));
}

/** How many points are before each slice of the ring, which has as many places as `shift` bits can say. */
export function sliceStarts(places: Uint32Array, shift: number): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array(2 ** (32 - shift));
  for (let at = 0; at < places.length; at++) {
    const slice = (places[at] as number) >>> shift;
    starts[slice] = (starts[slice] as number) + 1;
  }
  let before = 0;
  for (let slice = 0; slice < starts.length; slice++) {
    const count = starts[slice] as number;
    starts[slice] = before;
    before += count;
  }
  return starts;
}

/** The points in no order. */
function layPoints(addresses: readonly string[], counts: readonly number[]): Points {
  const length = counts.reduce((sum, count) => sum + count, 0);
  const [places, owners] = [new Uint32Array(length), new Uint32Array(length)];
  let next = 0;
  for (const [index, count] of counts.entries()) {
    if (count === 0) continue;
    const seed = hashText(addresses[index] as string);
    for (let point = 0; point < count; point++) {
      places[next] = mix(seed + Math.imul(point, 0x85ebca77));
      owners[next++] = index;
    }
  }
  return { places, owners };
}

/** Points are as good as random, so that a slice of the ring has two or three: they are laid into their slices, and sorted there. */
function ascending({ places, owners }: Points, addresses: readonly string[]): Points {
  const { length } = places;
  const shift = sliceShift(length);
  const starts = sliceStarts(places, shift);
  const ends = starts.slice();
  const [sorted, theirs] = [new Uint32Array(length), new Uint32Array(length)];
  for (let from = 0; from < length; from++) {
    const place = places[from] as number;
    const owner = owners[from] as number;
    const slice = place >>> shift;
    const first = starts[slice] as number;
    let to = ends[slice] as number;
    ends[slice] = to + 1;
    for (; to > first; to--) {
      const other = sorted[to - 1] as number;
      if (other < place || (other === place && isBefore(addresses, theirs[to - 1] as number, owner))) break;
      sorted[to] = other;
      theirs[to] = theirs[to - 1] as number;
    }
    sorted[to] = place;
    theirs[to] = owner;
  }
  return { places: sorted, owners: theirs };
}

/** The order of two points that lie at the same place. */
function isBefore(addresses: readonly string[], one: number, other: number): boolean {
  return (addresses[one] as string) <= (addresses[other] as string);
}

type Merging = {
  readonly old: Points;
  /** For each owner of an old point its index of now; -1 if it has gone. */
  readonly staying: Int32Array;
  readonly fresh: Points;
  readonly length: number;
  readonly addresses: readonly string[];
};

function merge({ old, staying, fresh, length, addresses }: Merging): Points {
  if (fresh.places.length === length) return fresh;
  const [places, owners] = [new Uint32Array(length), new Uint32Array(length)];
  const freshPlaces = fresh.places;
  const freshOwners = fresh.owners;
  let next = 0;
  let taken = 0;
  for (let at = 0; at < old.places.length; at++) {
    const owner = staying[old.owners[at] as number] as number;
    if (owner < 0) continue;
    const place = old.places[at] as number;
    for (; taken < freshPlaces.length; taken++) {
      const other = freshPlaces[taken] as number;
      if (other > place || (other === place && isBefore(addresses, owner, freshOwners[taken] as number))) break;
      places[next] = other;
      owners[next++] = freshOwners[taken] as number;
    }
    places[next] = place;
    owners[next++] = owner;
  }
  places.set(freshPlaces.subarray(taken), next);
  owners.set(freshOwners.subarray(taken), next);
  return { places, owners };
}
