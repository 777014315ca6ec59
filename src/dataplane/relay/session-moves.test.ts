import { expect, test } from "bun:test";
import { closeContent, makeFrame, readFrames } from "../../../test/support/frames.ts";
import { SessionBench } from "../../../test/support/session-bench.ts";

test("a session that is handed over at every step of its closing handshake closes as it would have", () => {
  const steps: ((bench: SessionBench) => void)[] = [
    (bench) => bench.fromClient({ opcode: 8, payload: closeContent(4000, "bye") }),
    (bench) => bench.fromUpstream({ opcode: 8, payload: closeContent(4000, "bye") }),
    (bench) => bench.upstream.peerEnds(),
    (bench) => bench.client.peerEnds(),
  ];
  const play = (movedAfter: number): SessionBench => {
    const bench = new SessionBench();
    for (const [at, step] of steps.entries()) {
      if (at === movedAfter) bench.move();
      step(bench);
    }
    return bench;
  };
  const unmoved = play(-1);
  expect(unmoved.ends).toMatchObject([{ reason: "closed", clientCode: 4000, closeReason: "bye", isClean: true }]);
  for (const at of steps.keys()) {
    const moved = play(at);
    expect(moved.ends).toEqual(unmoved.ends);
    expect([moved.toClient, moved.toUpstream]).toEqual([unmoved.toClient, unmoved.toUpstream]);
  }
});

test("a Close of the gateway's own that waits for a frame boundary is sent there by the next process", () => {
  const bench = new SessionBench();
  const frame = makeFrame({ opcode: 2, payload: Buffer.alloc(1000) });
  bench.upstream.receive(frame.subarray(0, 500));
  bench.session.close({ reason: "admin", code: 4007, text: "now" });
  bench.move();
  expect(bench.client.sent.length).toBe(500);
  bench.upstream.receive(frame.subarray(500));
  expect(bench.toClient).toMatchObject([{ opcode: 2 }, { opcode: 8, code: 4007, reason: "now" }]);
});

test("what was ordered while a session was frozen is done by whoever has it then", () => {
  for (const isMoved of [true, false]) {
    const bench = new SessionBench();
    bench.session.freeze([]);
    bench.session.close({ reason: "admin", code: 4007, text: "" });
    expect(bench.client.sent.length).toBe(0);
    if (isMoved) bench.move();
    else bench.session.thaw();
    expect(bench.toClient).toMatchObject([{ opcode: 8, code: 4007 }]);
  }
});

test("bytes and ends that come while a session is frozen are relayed when it thaws", () => {
  const bench = new SessionBench();
  bench.session.freeze([]);
  bench.fromClient({ opcode: 1, payload: "late" });
  bench.fromUpstream({ opcode: 8, payload: closeContent(1001) });
  bench.upstream.peerEnds();
  expect([bench.client.sent.length, bench.upstream.sent.length]).toEqual([0, 0]);
  bench.session.thaw();
  expect(readFrames(bench.upstream.sent).frames).toMatchObject([{ opcode: 1 }]);
  expect(bench.toClient).toMatchObject([{ opcode: 8, code: 1001 }]);
});

test("deadlines go on where they were: idle time, lifetime, pings and the end of a closing handshake", () => {
  const idle = new SessionBench({ timeouts: { idleMs: 10_000 } });
  idle.pass(9000);
  idle.move();
  idle.pass(900);
  expect(idle.client.sent.length).toBe(0);
  idle.pass(200);
  expect(idle.toClient).toMatchObject([{ opcode: 8, code: 4001 }]);
  const old = new SessionBench({ timeouts: { lifetimeMs: 10_000 } });
  old.pass(9000);
  old.move();
  old.pass(1100);
  expect(old.toClient).toMatchObject([{ opcode: 8, code: 4002 }]);
  const pinged = new SessionBench();
  pinged.pass(30_100);
  pinged.move();
  pinged.answerPings();
  expect(pinged.roundTrips).toHaveLength(2);
  const closing = new SessionBench();
  closing.session.close({ reason: "admin", code: 4000, text: "" });
  closing.pass(4000);
  closing.move();
  closing.pass(1100);
  expect(closing.ends).toMatchObject([{ reason: "admin", isClean: false }]);
});

test("a slow reader's pause is handed over, and ends when the reader takes what waits", () => {
  const bench = new SessionBench();
  bench.client.isBlocked = true;
  bench.fromUpstream({ opcode: 2, payload: Buffer.alloc(300_000) });
  expect(bench.upstream.isPaused).toBe(true);
  bench.move();
  expect(bench.upstream.isPaused).toBe(true);
  bench.client.take();
  expect(bench.upstream.isPaused).toBe(false);
});

test("a session with a wire that cannot leave its process does not either", () => {
  const bench = new SessionBench();
  expect(bench.session.isMovable).toBe(true);
  bench.upstream.isMovable = false;
  expect(bench.session.isMovable).toBe(false);
});
