import { describe, expect, test } from "bun:test";
import { closeContent, makeFrame } from "../../../test/support/frames.ts";
import { clientFrame, SessionBench } from "../../../test/support/session-bench.ts";

const close = (code: number, reason = "") => ({ opcode: 8, payload: closeContent(code, reason) });
const codes = (frames: readonly { opcode: number; code?: number }[]) =>
  frames.filter((frame) => frame.opcode === 8).map((frame) => frame.code);

describe("the closing handshake", () => {
  test("begun by the client it passes as it came, and the gateway ends its TCP towards the client first", () => {
    const bench = new SessionBench();
    const frame = clientFrame(close(4321, "test"));
    bench.client.receive(frame);
    expect(bench.upstream.sent.equals(frame)).toBe(true);
    expect(bench.client.isEnded || bench.upstream.isEnded).toBe(false);
    bench.fromUpstream(close(4321, "test"));
    expect(bench.toClient).toMatchObject([{ code: 4321, reason: "test", isMasked: false }]);
    expect([bench.client.isEnded, bench.upstream.isEnded]).toEqual([true, false]);
    bench.upstream.peerEnds();
    expect(bench.upstream.isClosed).toBe(true);
    bench.client.peerEnds();
    expect(bench.ends).toEqual([
      {
        reason: "closed",
        initiator: "client",
        clientCode: 4321,
        sentToClient: 4321,
        upstreamCode: 4321,
        sentToUpstream: 4321,
        closeReason: "test",
        isClean: true,
      },
    ]);
    expect(bench.disposals).toBe(1);
    expect(bench.wheel.armed).toBe(0);
  });

  test("begun by the upstream without a code it stays without a code", () => {
    const bench = new SessionBench();
    bench.fromUpstream({ opcode: 8 });
    bench.fromClient({ opcode: 8 });
    expect(bench.toClient).toMatchObject([{ opcode: 8, code: 1005 }]);
    expect(bench.toUpstream).toMatchObject([{ opcode: 8, code: 1005 }]);
    bench.client.peerEnds();
    bench.upstream.peerEnds();
    expect(bench.ends).toMatchObject([{ reason: "closed", initiator: "upstream", clientCode: 1005, isClean: true }]);
  });

  test("begun by both at once each gets the other's code, and nothing more", () => {
    const bench = new SessionBench();
    bench.session.close({ reason: "admin", code: 4000, text: "go" });
    bench.fromClient(close(1001));
    bench.fromUpstream(close(4002));
    expect([codes(bench.toClient), codes(bench.toUpstream)]).toEqual([[4000], [4000]]);
    const crossing = new SessionBench();
    crossing.fromClient(close(4001));
    crossing.fromUpstream(close(4002));
    expect([codes(crossing.toClient), codes(crossing.toUpstream)]).toEqual([[4002], [4001]]);
    crossing.client.peerEnds();
    crossing.upstream.peerEnds();
    expect(crossing.ends).toMatchObject([{ initiator: "client", clientCode: 4001, upstreamCode: 4002, isClean: true }]);
  });

  test("data after a Close is dropped, on its way from both sides", () => {
    const bench = new SessionBench();
    bench.session.close({ reason: "admin", code: 4000, text: "" });
    bench.fromClient({ opcode: 1, payload: "late" });
    bench.fromUpstream({ opcode: 1, payload: "late" });
    bench.fromClient(close(4000));
    bench.fromClient({ opcode: 1, payload: "later" });
    expect(bench.toUpstream).toHaveLength(1);
    expect(bench.toClient).toHaveLength(1);
  });

  test("data towards the one that closes still passes until its own peer has answered", () => {
    const bench = new SessionBench();
    bench.fromClient(close(1000));
    bench.fromUpstream({ opcode: 1, payload: "the rest" });
    bench.fromUpstream(close(1000));
    expect(bench.toClient).toMatchObject([{ opcode: 1 }, { opcode: 8, code: 1000 }]);
  });

  test("a peer that never answers is cut when the time is over", () => {
    const bench = new SessionBench({ timeouts: { closeMs: 5000 } });
    bench.fromClient(close(1000));
    bench.pass(4900);
    expect(bench.ends).toEqual([]);
    bench.pass(200);
    expect([bench.client.isDestroyed, bench.upstream.isDestroyed]).toEqual([true, true]);
    expect(bench.ends).toMatchObject([{ reason: "closed", isClean: false }]);
    expect(bench.wheel.armed).toBe(0);
  });

  test("a peer that never ends its TCP is cut too", () => {
    const bench = new SessionBench({ timeouts: { closeMs: 5000 } });
    bench.fromClient(close(1000));
    bench.pass(3000);
    bench.fromUpstream(close(1000));
    bench.pass(4900);
    expect(bench.ends).toEqual([]);
    bench.pass(200);
    expect(bench.ends).toMatchObject([{ reason: "closed", isClean: true }]);
  });

  test("without a time limit nothing is cut", () => {
    const bench = new SessionBench({ timeouts: { closeMs: 0 } });
    bench.fromClient(close(1000));
    bench.pass(600_000);
    expect(bench.ends).toEqual([]);
    bench.fromUpstream(close(1000));
    expect(codes(bench.toClient)).toEqual([1000]);
  });

  test("a slow reader gets all that was sent before the Close, for as long as it takes something", () => {
    const bench = new SessionBench({ timeouts: { closeMs: 5000 } });
    bench.client.isBlocked = true;
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(100_000) });
    bench.fromUpstream(close(1000));
    for (let step = 0; step < 9; step++) {
      bench.pass(4000);
      bench.client.take(10_000);
    }
    expect(bench.ends).toEqual([]);
    bench.pass(11_000);
    expect(bench.ends).toMatchObject([{ reason: "closed", isClean: false }]);
  });
});

describe("a Close of the gateway's own", () => {
  test("goes between two frames of a fragmented message, never into one", () => {
    const bench = new SessionBench();
    const first = makeFrame({ opcode: 1, payload: "0123456789", isFinal: false });
    bench.upstream.receive(first.subarray(0, 6));
    bench.session.close({ reason: "drain", code: 1012, text: "restart" });
    expect(bench.client.sent.equals(first.subarray(0, 6))).toBe(true);
    expect(codes(bench.toUpstream)).toEqual([1012]);
    bench.upstream.receive(first.subarray(6), makeFrame({ opcode: 0, payload: "rest" }));
    expect(bench.toClient).toMatchObject([
      { opcode: 1, isFinal: false },
      { opcode: 8, code: 1012, reason: "restart" },
    ]);
  });

  test("towards the upstream is masked", () => {
    const bench = new SessionBench();
    bench.session.close({ reason: "admin", code: 4000, text: "go" });
    expect(bench.toUpstream).toMatchObject([{ isMasked: true, code: 4000, reason: "go" }]);
    expect(bench.toClient).toMatchObject([{ isMasked: false, code: 4000, reason: "go" }]);
  });

  test("after a violation waits for the frame that is going by in the other direction", () => {
    const bench = new SessionBench();
    const frame = makeFrame({ opcode: 2, payload: "0123456789" });
    bench.upstream.receive(frame.subarray(0, 5));
    bench.client.receive(makeFrame({ opcode: 1, payload: "not masked" }));
    expect(bench.client.isEnded).toBe(false);
    bench.upstream.receive(frame.subarray(5));
    expect(bench.toClient).toMatchObject([{ opcode: 2 }, { opcode: 8, code: 1002 }]);
    expect(bench.client.isEnded).toBe(true);
  });

  test("into a frame that never ends is given up when the time is over", () => {
    const bench = new SessionBench();
    bench.upstream.receive(makeFrame({ opcode: 2, payload: "0123456789" }).subarray(0, 5));
    bench.session.close({ reason: "drain", code: 1012, text: "" });
    bench.pass(5100);
    expect(bench.ends).toMatchObject([{ reason: "drain", sentToUpstream: 1012, isClean: false }]);
    expect(bench.client.sent).toHaveLength(5);
  });

  test("finds the answer of a side that was not read because the other is slow", () => {
    const bench = new SessionBench();
    bench.client.isBlocked = true;
    bench.fromUpstream({ opcode: 2, payload: new Uint8Array(300_000) });
    expect(bench.upstream.isPaused).toBe(true);
    bench.session.close({ reason: "drain", code: 1012, text: "" });
    expect(bench.upstream.isPaused).toBe(false);
  });
});

describe("violations", () => {
  test("a client that breaks the protocol gets 1002 and the upstream 1001, and nothing bad is passed on", () => {
    const bench = new SessionBench();
    bench.fromClient({ opcode: 1, payload: "good" });
    bench.client.receive(makeFrame({ opcode: 1, payload: "not masked" }));
    expect(bench.toUpstream).toMatchObject([{ opcode: 1 }, { opcode: 8, code: 1001 }]);
    expect(codes(bench.toClient)).toEqual([1002]);
    bench.client.peerEnds();
    bench.fromUpstream(close(1001));
    bench.upstream.peerEnds();
    expect(bench.ends).toMatchObject([{ reason: "protocol_error", initiator: "gateway", sentToClient: 1002 }]);
    expect(bench.ends[0]?.detail).toContain("not masked");
  });

  test("an upstream that breaks the protocol gets 1002 and the client 1014", () => {
    const bench = new SessionBench();
    bench.fromUpstream({ opcode: 3 });
    expect([codes(bench.toUpstream), codes(bench.toClient)]).toEqual([[1002], [1014]]);
  });
});

describe("the loss of a leg", () => {
  const losses = ["peerEnds", "peerResets"] as const;

  test.each(losses)("%s of the upstream becomes 1014 for the client", (loss) => {
    const bench = new SessionBench();
    bench.upstream[loss]();
    expect(bench.toClient).toMatchObject([{ opcode: 8, code: 1014, reason: "" }]);
    bench.fromClient(close(1014));
    bench.client.peerEnds();
    expect(bench.ends).toMatchObject([{ reason: "upstream_lost", initiator: "upstream", sentToClient: 1014 }]);
    expect(bench.wheel.armed).toBe(0);
  });

  test.each(losses)("%s of the client becomes 1001 for the upstream, and then the end", (loss) => {
    const bench = new SessionBench();
    bench.client[loss]();
    expect(bench.toUpstream).toMatchObject([{ opcode: 8, code: 1001, isMasked: true }]);
    bench.fromUpstream(close(1001));
    bench.upstream.peerEnds();
    expect(bench.ends).toMatchObject([{ reason: "client_lost", initiator: "client", sentToUpstream: 1001 }]);
  });

  test.each(losses)("%s in the middle of a frame is a bare end for the other side", (loss) => {
    for (const side of ["client", "upstream"] as const) {
      const bench = new SessionBench();
      const other = side === "client" ? bench.upstream : bench.client;
      const frame =
        side === "client"
          ? clientFrame({ opcode: 2, payload: "0123456789" })
          : makeFrame({ opcode: 2, payload: "0123456789" });
      const part = frame.subarray(0, 8);
      bench[side].receive(part);
      bench[side][loss]();
      expect(other.sent.equals(part)).toBe(true);
      expect(other.isEnded).toBe(true);
      other.peerEnds();
      expect(bench.ends).toMatchObject([{ reason: `${side}_lost`, isClean: false }]);
    }
  });

  test.each(losses)("%s after its own Close is no loss, and the other one's Close is answered", (loss) => {
    for (const side of ["client", "upstream"] as const) {
      const bench = new SessionBench();
      const send = (who: "client" | "upstream", code: number) =>
        who === "client" ? bench.fromClient(close(code)) : bench.fromUpstream(close(code));
      const other = side === "client" ? "upstream" : "client";
      send(side, 4000);
      bench[side][loss]();
      send(other, 4000);
      bench[other].peerEnds();
      bench.pass(11_000);
      expect(bench.ends).toMatchObject([{ reason: "closed", initiator: side }]);
      expect(codes(other === "client" ? bench.toClient : bench.toUpstream)).toEqual([4000]);
    }
  });

  test.each(losses)("%s instead of an answer to a Close echoes that Close", (loss) => {
    const bench = new SessionBench();
    bench.fromClient(close(4005, "bye"));
    bench.upstream[loss]();
    expect(bench.toClient).toMatchObject([{ opcode: 8, code: 4005, reason: "bye" }]);
    bench.client.peerEnds();
    expect(bench.ends).toMatchObject([{ reason: "closed", initiator: "client" }]);
  });

  test("of both legs at once ends the session once", () => {
    const bench = new SessionBench();
    bench.client.peerResets();
    bench.upstream.peerResets();
    expect(bench.ends).toHaveLength(1);
    expect(bench.disposals).toBe(1);
    bench.session.cut();
    bench.session.close({ reason: "drain", code: 1012, text: "" });
    bench.pass(20_000);
    expect(bench.ends).toHaveLength(1);
  });
});

test("a fault of the gateway's own closes this session alone, with 1011", () => {
  const bench = new SessionBench();
  bench.upstream.failure = new Error("broken invariant");
  bench.fromClient({ opcode: 1, payload: "x" });
  expect(codes(bench.toClient)).toEqual([1011]);
  expect(codes(bench.toUpstream)).toEqual([1011]);
  bench.client.peerEnds();
  bench.upstream.peerEnds();
  expect(bench.ends).toMatchObject([{ reason: "internal", initiator: "gateway", detail: "broken invariant" }]);
});

test("a side that could not be sent its Close is ended when the other one is lost", () => {
  const bench = new SessionBench({ timeouts: { closeMs: 0 } });
  bench.upstream.failure = new Error("broken invariant");
  expect(() => bench.session.close({ reason: "admin", code: 1012, text: "" })).toThrow("broken invariant");
  bench.client.peerEnds();
  expect(bench.upstream.isEnded).toBe(true);
});

test("1005, 1006 and 1015 are never sent, whatever happens", () => {
  const steps: readonly ((bench: SessionBench) => void)[] = [
    (bench) => bench.client.peerResets(),
    (bench) => bench.upstream.peerResets(),
    (bench) => bench.client.peerEnds(),
    (bench) => bench.upstream.peerEnds(),
    (bench) => bench.fromClient({ opcode: 8 }),
    (bench) => bench.fromUpstream({ opcode: 8 }),
    (bench) => bench.fromClient(close(1006)),
    (bench) => bench.fromUpstream(close(1005)),
    (bench) => bench.fromUpstream(close(1015)),
    (bench) => bench.session.close({ reason: "admin", code: 4000, text: "" }),
    (bench) => bench.pass(200_000),
  ];
  for (const first of steps)
    for (const second of steps)
      for (const third of steps) {
        const bench = new SessionBench();
        for (const step of [first, second, third]) step(bench);
        bench.pass(200_000);
        const closes = [...bench.toClient, ...bench.toUpstream].filter((frame) => frame.opcode === 8);
        for (const frame of closes)
          expect([1005, 1006, 1015].includes(frame.payload.length < 2 ? 0 : (frame.code ?? 0))).toBe(false);
        expect(codes(bench.toClient).length).toBeLessThanOrEqual(1);
        expect(codes(bench.toUpstream).length).toBeLessThanOrEqual(1);
        expect(bench.ends.length).toBe(1);
        expect(bench.disposals).toBe(1);
        expect(bench.wheel.armed).toBe(0);
      }
});
