import { expect, test } from "bun:test";
import { closeContent, type FrameParts, makeFrame } from "../../../test/support/frames.ts";
import { clientFrame, SessionBench } from "../../../test/support/session-bench.ts";

const talk: readonly FrameParts[] = [
  { opcode: 1, payload: "short" },
  { opcode: 2, payload: Buffer.alloc(300, 7), isFinal: false },
  { opcode: 9, payload: "between" },
  { opcode: 0, payload: "rest" },
  { opcode: 10, payload: "unasked" },
  { opcode: 2, payload: Buffer.alloc(66_000, 9) },
  { opcode: 8, payload: closeContent(4321, "wörter") },
];
/** All of them but the inner bytes of the longest frame, which are alike. */
const offsets = (length: number): number[] =>
  Array.from({ length }, (_, at) => at).filter((at) => at < 400 || at > length - 60 || at % 4096 === 0);

for (const side of ["client", "upstream"] as const) {
  test(`what the ${side} sends arrives once and in order, wherever in it the session is handed over`, () => {
    const bytes = Buffer.concat(talk.map(side === "client" ? clientFrame : makeFrame));
    for (const at of offsets(bytes.length)) {
      const bench = new SessionBench();
      bench[side].receive(bytes.subarray(0, at));
      bench.move();
      bench[side].receive(bytes.subarray(at));
      const other = side === "client" ? bench.upstream : bench.client;
      expect(other.sent.equals(bytes)).toBe(true);
      const traffic = bench.session.summary()[side === "client" ? "fromClient" : "fromUpstream"];
      expect(traffic).toEqual({ messages: 3, frames: 7, bytes: 66_309, pings: 1, pongs: 1 });
      expect(bench.session.isClosing).toBe(true);
    }
  });
}
