import { describe, expect, test } from "bun:test";
import { makeExchange, makeReply, makeRoute } from "../../../test/support/exchange.ts";
import { GatewayError } from "../../core/errors.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { LimitSettings } from "../../core/filter-settings.ts";
import { createLimit } from "./limit.ts";
import { RouteLimits } from "./route-limits.ts";

describe("the filter limit", () => {
  test("counts open sessions until their scope ends, and requests not at all", async () => {
    const gate = new Gate({ sessions: 2 });
    const first = await gate.open();
    await gate.open();
    expect(await gate.ask("handshake")).toBe("too_many_sessions");
    expect(await gate.ask("request")).toBe("passed");
    first.scope[Symbol.dispose]();
    expect(await gate.ask("handshake")).toBe("passed");
  });

  test("counts open sessions of each client address, however it is written", async () => {
    const gate = new Gate({ sessionsPerAddress: 1 });
    const first = await gate.open("10.0.0.1");
    expect(await gate.ask("handshake", "::ffff:10.0.0.1")).toBe("too_many_sessions");
    expect(await gate.ask("handshake", "10.0.0.2")).toBe("passed");
    first.scope[Symbol.dispose]();
    expect(await gate.ask("handshake", "10.0.0.1")).toBe("passed");
    expect(gate.counts.sessions).toBe(0);
    expect(gate.counts.addresses).toBe(0);
  });

  test("a handshake that fails further on gives its place back with its scope", async () => {
    const gate = new Gate({ sessions: 1 });
    for (let count = 0; count < 5; count++) {
      const exchange = makeExchange({ kind: "handshake" });
      const failed = gate.filter(exchange, () => Promise.reject(new Error("refused")));
      await expect(failed).rejects.toThrow("refused");
      exchange.scope[Symbol.dispose]();
    }
    expect(await gate.ask("handshake")).toBe("passed");
  });

  for (const kind of ["request", "handshake"] as const) {
    test(`limits new exchanges per second and says when to come back (${kind})`, async () => {
      const gate = new Gate({ perSecond: { rate: 0.5, burst: 2 } });
      expect(await gate.ask(kind)).toBe("passed");
      expect(await gate.ask(kind)).toBe("passed");
      expect(await gate.ask(kind)).toBe("too_many_requests, retry after 2");
      gate.now += 1_500;
      expect(await gate.ask(kind)).toBe("too_many_requests, retry after 1");
      gate.now += 500;
      expect(await gate.ask(kind)).toBe("passed");
      expect(await gate.ask(kind)).toBe("too_many_requests, retry after 2");
    });

    test(`limits each client address on its own (${kind})`, async () => {
      const gate = new Gate({ perSecondPerAddress: { rate: 1, burst: 1 } });
      expect(await gate.ask(kind, "10.0.0.1")).toBe("passed");
      expect(await gate.ask(kind, "10.0.0.1")).toBe("too_many_requests, retry after 1");
      expect(await gate.ask(kind, "10.0.0.2")).toBe("passed");
    });
  }

  test("an address over its own limit does not use up that of the route", async () => {
    const gate = new Gate({ perSecond: { rate: 1, burst: 2 }, perSecondPerAddress: { rate: 1, burst: 1 } });
    expect(await gate.ask("request", "10.0.0.1")).toBe("passed");
    for (let count = 0; count < 5; count++) await gate.ask("request", "10.0.0.1");
    expect(await gate.ask("request", "10.0.0.2")).toBe("passed");
  });

  test("sessions that are refused say to come back after 1 to 5 seconds", async () => {
    const gate = new Gate({ sessions: 1 });
    await gate.open();
    const waits = new Set<number>();
    for (let count = 0; count < 200; count++) waits.add(await gate.retryAfter());
    expect([...waits].sort()).toEqual([1, 2, 3, 4, 5]);
  });

  test("what was counted survives a new snapshot, and the new limit holds at once", async () => {
    const limits = new RouteLimits();
    const before = new Gate({ sessions: 5, perSecond: { rate: 1, burst: 3 } }, limits);
    for (let count = 0; count < 3; count++) await before.open();
    const after = new Gate({ sessions: 3, perSecond: { rate: 1, burst: 3 } }, limits);
    expect(await after.ask("handshake")).toBe("too_many_sessions");
    expect(await after.ask("request")).toStartWith("too_many_requests");
  });

  test("a route that is gone is forgotten once its sessions have ended", async () => {
    const limits = new RouteLimits();
    const session = await new Gate({ sessions: 1 }, limits).open();
    limits.retain(new Set());
    expect(limits.of("test", 0).sessions).toBe(1);
    session.scope[Symbol.dispose]();
    const before = limits.of("test", 0);
    limits.retain(new Set());
    expect(limits.of("test", 0)).not.toBe(before);
  });
});

/** A limit filter, a clock that stands still, and everything else passed. */
class Gate {
  now = 0;
  readonly limits: RouteLimits;
  readonly filter: ReturnType<typeof createLimit>;

  constructor(settings: Omit<LimitSettings, "type">, limits = new RouteLimits()) {
    this.limits = limits;
    const parts = { route: makeRoute(), clock: () => this.now, limits, ordinal: 0 };
    this.filter = createLimit({ type: "limit", ...settings }, parts);
  }

  get counts() {
    return this.limits.of("test", 0);
  }

  /** A session that stays open. */
  async open(client = "10.0.0.1"): Promise<Exchange> {
    const exchange = makeExchange({ kind: "handshake", client });
    await this.filter(exchange, async () => makeReply("handshake"));
    return exchange;
  }

  /** What becomes of an exchange that ends at once. */
  async ask(kind: Exchange["kind"], client = "10.0.0.1"): Promise<string> {
    const exchange = makeExchange({ kind, client });
    try {
      await this.filter(exchange, async () => makeReply(kind));
      return "passed";
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown;
      expect(thrown.status).toBe(429);
      return thrown.code === "too_many_requests"
        ? `${thrown.code}, retry after ${thrown.headers?.get("retry-after")}`
        : thrown.code;
    } finally {
      exchange.scope[Symbol.dispose]();
    }
  }

  async retryAfter(): Promise<number> {
    try {
      await this.open();
      return 0;
    } catch (thrown) {
      return thrown instanceof GatewayError ? Number(thrown.headers?.get("retry-after")) : Number.NaN;
    }
  }
}
