import { expect, test } from "bun:test";
import { makeFrame } from "../../../test/support/frames.ts";
import { Random } from "../../../test/support/random.ts";
import { scanner } from "../../../test/support/scanner-notes.ts";

test("random frames in random chunks come out as they went in, less the pongs that were taken out", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const isMasked = random.below(2) === 0;
    const { parts, kept } = randomStream(random, isMasked);
    const { notes, scanned } = scanner({ isMasked, mayUseReservedBits: true });
    notes.keepsPong = (payload) => payload[0] !== 0xaa;
    let wanted = 0;
    for (const chunk of random.cut(Buffer.concat(parts), 400)) {
      scanned.scan(chunk);
      if (random.below(5) !== 0 || scanned.isAtBoundary) continue;
      scanned.interrupt();
      wanted++;
    }
    const ends = new Set([0]);
    let end = 0;
    for (const part of kept) {
      end += part.length;
      ends.add(end);
    }
    expect(notes.violations).toEqual([]);
    expect(notes.all.equals(Buffer.concat(kept))).toBe(true);
    expect(notes.boundaries.every((at) => ends.has(at))).toBe(true);
    expect(notes.boundaries.length).toBeLessThanOrEqual(wanted);
    expect(wanted === 0).toBe(notes.boundaries.length === 0);
  }
});

/** A legal stream; the pongs that begin with 0xaa are not in `kept`. */
function randomStream(random: Random, isMasked: boolean): { parts: Buffer[]; kept: Buffer[] } {
  const parts: Buffer[] = [];
  const kept: Buffer[] = [];
  let isOpen = false;
  for (let count = random.below(40) + 1; count > 0 || isOpen; count--) {
    const mask = isMasked ? { mask: random.bytes(4) } : {};
    if (random.below(3) === 0) {
      const isTaken = random.below(2) === 0;
      const payload = isTaken ? Buffer.from([0xaa, ...random.bytes(random.below(120))]) : random.bytes(random.below(9));
      if (!isTaken && payload.length > 0) payload[0] = 1;
      const control = makeFrame({ opcode: isTaken ? 10 : random.pick([9, 10]), payload, ...mask });
      parts.push(control);
      if (!isTaken) kept.push(control);
      continue;
    }
    const isFinal = count <= 0 || random.below(2) === 0;
    const size = random.pick([0, 1, 5, 125, 126, 200, 1000, 66_000]);
    const opcode = isOpen ? 0 : random.pick([1, 2]);
    const reserved = random.pick([0, 0x40]);
    const data = makeFrame({ opcode, isFinal, reserved, payload: random.bytes(random.below(size + 1)), ...mask });
    parts.push(data);
    kept.push(data);
    isOpen = !isFinal;
  }
  return { parts, kept };
}
