import { expect, test } from "bun:test";
import { Random } from "../../../test/support/random.ts";
import { type DnsQuestion, decodeAnswer, encodeQuery } from "./dns-message.ts";

const question: DnsQuestion = { id: 0x1234, name: "app.test", type: "A" };

/** A good answer: `app.test` is an alias of `b.app.test`, whose name points back into the question. */
const good = Buffer.concat([
  Buffer.from("123481800001000200000000", "hex"),
  Buffer.from(encodeQuery(question)).subarray(12),
  Buffer.from("c00c00050001000000050004", "hex"),
  Buffer.from("\x01b\xc0\x0c", "latin1"),
  Buffer.from("c026000100010000003c0004c0000207", "hex"),
]);

test("an answer is read, its pointers followed", () => {
  const records = [{ type: "A" as const, ttl: 5, address: "192.0.2.7" }];
  expect(decodeAnswer(good, question)).toEqual({ code: 0, isCut: false, records });
});

const others: readonly (readonly [string, Partial<DnsQuestion>])[] = [
  ["another id", { id: 0x1235 }],
  ["another name", { name: "app.tesd" }],
  ["another type", { type: "AAAA" }],
];

test.each(others)("an answer with %s belongs to another question", (_, other) => {
  expect(decodeAnswer(good, { ...question, ...other })).toBeUndefined();
});

test("a query is no answer", () => {
  expect(decodeAnswer(encodeQuery(question), question)).toBeUndefined();
});

test("a pointer that leads to itself is found out", () => {
  const looped = Buffer.from(good);
  looped.writeUInt16BE(0xc000 | 26, 26);
  expect(() => decodeAnswer(looped, question)).toThrow("leads to itself");
});

test("whatever comes is read, refused or not ours, and never more than that", () => {
  const random = new Random(7);
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(good.subarray(0, random.below(2) === 0 ? good.length : random.below(good.length)));
    for (let times = random.below(4); times >= 0 && bytes.length > 0; times--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    try {
      const answer = decodeAnswer(bytes, question);
      if (answer !== undefined) expect(answer.records.length).toBeLessThanOrEqual(2);
    } catch (error) {
      // What the reader says, and no slip of ours.
      expect(String(error)).toMatch(/^Error: .*\banswer\b/);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(100);
});
