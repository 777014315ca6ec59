import { describe, expect, test } from "bun:test";
import { makeFrame } from "../../../test/support/frames.ts";
import { clientFrame, SessionBench } from "../../../test/support/session-bench.ts";

const day = 24 * 3_600_000;

describe("keepalive", () => {
  test("AC-3.1: a silent session whose peers answer pings stays for a day, and no other timer ends it", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 30_000, misses: 3 } });
    bench.pass(day, () => bench.answerPings());
    expect(bench.ends).toEqual([]);
    expect(bench.session.isClosing).toBe(false);
    expect(bench.wheel.armed).toBe(1);
    expect(bench.roundTrips.length).toBeGreaterThan(2 * 1400);
    expect(bench.toClient.every((frame) => frame.opcode === 9)).toBe(true);
    expect(bench.toUpstream.every((frame) => frame.opcode === 9)).toBe(true);
  });

  test("without pings a silent session stays as well, and no timer waits", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 0, misses: 3 } });
    bench.pass(day);
    expect(bench.ends).toEqual([]);
    expect(bench.client.sent).toHaveLength(0);
    expect(bench.wheel.armed).toBe(0);
  });

  test.each(["client", "upstream"] as const)("a dead %s is found within interval times misses", (dead) => {
    const bench = new SessionBench({ keepalive: { pingMs: 10_000, misses: 3 } });
    const living = dead === "client" ? "upstream" : "client";
    let foundAt = 0;
    bench.pass(60_000, () => {
      const frames = living === "client" ? bench.toClient : bench.toUpstream;
      const ping = frames.findLast((frame) => frame.opcode === 9);
      const pong = { opcode: 10, payload: ping?.payload ?? "" };
      if (ping !== undefined) bench[living].receive(living === "client" ? clientFrame(pong) : makeFrame(pong));
      if (bench.session.isClosing && foundAt === 0) foundAt = bench.wheel.clock();
    });
    expect(foundAt).toBeGreaterThanOrEqual(30_000);
    expect(foundAt).toBeLessThanOrEqual(31_000);
    const told = living === "client" ? bench.toClient : bench.toUpstream;
    expect(told.at(-1)).toMatchObject({ opcode: 8, code: living === "client" ? 1014 : 1001 });
    expect(bench.ends).toMatchObject([{ reason: "dead_peer", initiator: "gateway" }]);
    expect(bench.ends[0]?.detail).toContain(dead);
  });

  test("a dead peer in the middle of a frame is a bare end for the other side, and the session ends", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 10_000, misses: 3 } });
    bench.upstream.receive(makeFrame({ opcode: 2, payload: "0123456789" }).subarray(0, 5));
    bench.pass(35_000, () => bench.client.receive(clientFrame({ opcode: 10, payload: "here" })));
    expect(bench.client.isEnded).toBe(true);
    bench.client.peerEnds();
    expect(bench.ends).toMatchObject([{ reason: "dead_peer" }]);
  });

  test("a peer that takes its bytes slowly is not dead, nor is one that is not read meanwhile", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 10_000, misses: 3 } });
    bench.client.isBlocked = true;
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(400_000) });
    expect(bench.upstream.isPaused).toBe(true);
    for (let step = 0; step < 30; step++) {
      bench.pass(9000);
      bench.client.take(1000);
    }
    expect(bench.session.isClosing).toBe(false);
  });

  test("a peer that takes nothing and says nothing is dead", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 10_000, misses: 3 } });
    bench.client.isBlocked = true;
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(400_000) });
    bench.pass(45_000);
    expect(bench.ends).toMatchObject([{ reason: "dead_peer" }]);
  });

  test("pongs to the gateway's pings are swallowed, and all others pass", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 10_000, misses: 3 } });
    bench.pass(11_000);
    const [ping] = bench.toClient;
    expect(ping?.opcode).toBe(9);
    bench.fromClient({ opcode: 10, payload: "unsolicited" });
    bench.fromClient({ opcode: 10, payload: ping?.payload ?? "" });
    bench.fromClient({ opcode: 10, payload: ping?.payload ?? "" });
    const passed = bench.toUpstream.filter((frame) => frame.opcode === 10).map((frame) => frame.payload);
    expect(passed).toEqual([Buffer.from("unsolicited"), ping?.payload ?? Buffer.alloc(0)]);
    expect(bench.roundTrips).toHaveLength(1);
  });

  test("pings and pongs of the peers are passed on as they are, and count as activity", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 0, misses: 3 }, timeouts: { idleMs: 10_000 } });
    for (let step = 0; step < 10; step++) {
      bench.pass(8000);
      bench.fromClient({ opcode: 9, payload: `ping ${step}` });
      bench.fromUpstream({ opcode: 10, payload: `ping ${step}` });
    }
    expect(bench.session.isClosing).toBe(false);
    expect(bench.toUpstream.map((frame) => frame.opcode)).toEqual(Array.from({ length: 10 }, () => 9));
    expect(bench.toClient.at(-1)).toMatchObject({ opcode: 10, payload: Buffer.from("ping 9") });
  });

  test("a ping of the gateway's waits for the end of the frame that is going by", () => {
    const bench = new SessionBench({ keepalive: { pingMs: 10_000, misses: 10 } });
    const frame = makeFrame({ opcode: 2, payload: "0123456789" });
    bench.upstream.receive(frame.subarray(0, 5));
    bench.pass(11_000);
    expect(bench.client.sent).toHaveLength(5);
    bench.upstream.receive(frame.subarray(5));
    expect(bench.toClient.map(({ opcode }) => opcode)).toEqual([2, 9]);
  });
});

describe("idle and lifetime", () => {
  test("a session without frames is closed on both sides with the configured code", () => {
    const bench = new SessionBench({ timeouts: { idleMs: 60_000 } });
    bench.pass(59_900, () => bench.answerPings());
    expect(bench.session.isClosing).toBe(false);
    bench.pass(200);
    expect(bench.toClient.at(-1)).toMatchObject({ opcode: 8, code: 4001 });
    expect(bench.toUpstream.at(-1)).toMatchObject({ opcode: 8, code: 4001 });
    bench.pass(6000);
    expect(bench.ends).toMatchObject([{ reason: "idle_timeout", initiator: "gateway" }]);
  });

  test("a frame from either side keeps it", () => {
    const bench = new SessionBench({ timeouts: { idleMs: 60_000 } });
    for (let step = 0; step < 20; step++) {
      bench.pass(50_000, () => bench.answerPings());
      if (step % 2 === 0) bench.fromClient({ opcode: 1, payload: "x" });
      else bench.fromUpstream({ opcode: 1, payload: "x" });
    }
    expect(bench.session.isClosing).toBe(false);
  });

  test("a session that has lived its time is closed however busy it is", () => {
    const bench = new SessionBench({ timeouts: { lifetimeMs: 100_000 } });
    bench.pass(100_100, () => {
      bench.fromClient({ opcode: 1, payload: "x" });
      bench.fromUpstream({ opcode: 1, payload: "x" });
    });
    expect(bench.toClient.at(-1)).toMatchObject({ opcode: 8, code: 4002 });
    bench.pass(6000);
    expect(bench.ends).toMatchObject([{ reason: "lifetime" }]);
  });
});

describe("back-pressure", () => {
  test("reading stops past 256 KB and goes on below 64 KB", () => {
    const bench = new SessionBench();
    bench.client.isBlocked = true;
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(200_000) });
    expect(bench.upstream.isPaused).toBe(false);
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(100_000) });
    expect(bench.upstream.isPaused).toBe(true);
    bench.client.take(bench.client.queued - 65_537);
    expect(bench.upstream.isPaused).toBe(true);
    bench.pass(1000);
    bench.client.take(1);
    expect(bench.upstream.isPaused).toBe(false);
    expect(bench.session.upstream.pausedMs).toBeGreaterThanOrEqual(1000);
  });

  test("the other direction is not affected", () => {
    const bench = new SessionBench();
    bench.client.isBlocked = true;
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(300_000) });
    bench.fromClient({ opcode: 1, payload: "still here" });
    expect(bench.client.isPaused).toBe(false);
    expect(bench.toUpstream).toHaveLength(1);
  });

  test("the loss of the slow side lets the other be read again, so that its end is seen", () => {
    const bench = new SessionBench();
    bench.client.isBlocked = true;
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(300_000) });
    bench.client.peerResets();
    expect(bench.upstream.isPaused).toBe(false);
    bench.upstream.peerEnds();
    expect(bench.ends).toMatchObject([{ reason: "client_lost" }]);
  });
});
