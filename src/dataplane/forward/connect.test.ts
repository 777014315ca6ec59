import { expect, test } from "bun:test";
import { makeExchange, makeRoute } from "../../../test/support/exchange.ts";
import { GatewayError } from "../../core/errors.ts";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import { Endpoint } from "../upstreams/endpoint.ts";
import { connect } from "./connect.ts";

const cases = [
  { kind: "handshake", connectMs: 5000, handshakeMs: 10_000, sinceMs: 0, given: 5000 },
  { kind: "handshake", connectMs: 5000, handshakeMs: 1000, sinceMs: 0, given: 1000 },
  { kind: "handshake", connectMs: 5000, handshakeMs: 10_000, sinceMs: 9500, given: 500 },
  { kind: "handshake", connectMs: 5000, handshakeMs: 10_000, sinceMs: 12_000, given: 1 },
  { kind: "handshake", connectMs: 0, handshakeMs: 10_000, sinceMs: 0, given: 10_000 },
  { kind: "handshake", connectMs: 5000, handshakeMs: 0, sinceMs: 9000, given: 5000 },
  { kind: "request", connectMs: 5000, handshakeMs: 1000, sinceMs: 9000, given: 5000 },
] as const;

test.each(cases)(
  "a connect of $connectMs ms for a $kind of $handshakeMs ms, $sinceMs ms old, may take $given ms",
  async (one) => {
    const { kind, connectMs, handshakeMs } = one;
    const wheel = new TimerWheel({ clock: "simulated" });
    wheel.advance(one.sinceMs);
    const timeouts = { ...makeRoute().timeouts, connectMs, handshakeMs };
    const given: number[] = [];
    const endpoint = new Endpoint<never>({ host: "127.0.0.1", port: 1, weight: 1 }, { idle: 0, idleMs: 0 });
    const attempt = connect({
      exchange: makeExchange({ kind, route: makeRoute({}, { timeouts }) }),
      endpoint,
      parts: {
        wheel,
        upstream: () => undefined,
        dial: async ({ timeoutMs }) => {
          given.push(timeoutMs);
          throw new GatewayError("upstream_connect_timeout", "too late");
        },
      },
    });
    expect(attempt).rejects.toMatchObject({ code: "upstream_connect_timeout" });
    await attempt.catch(() => {});
    expect(given).toEqual([one.given]);
    expect(endpoint.status.connectFailures).toBe(1);
  },
);

test("a connection that is being made is counted until it is there or has failed", async () => {
  const endpoint = new Endpoint<never>({ host: "127.0.0.1", port: 1, weight: 1 }, { idle: 0, idleMs: 0 });
  const dialled = Promise.withResolvers<never>();
  const attempt = connect({
    exchange: makeExchange({ kind: "request" }),
    endpoint,
    parts: { wheel: new TimerWheel({ clock: "simulated" }), upstream: () => undefined, dial: () => dialled.promise },
  });
  expect(endpoint.connecting).toBe(1);
  dialled.reject(new GatewayError("upstream_refused", "nobody listens"));
  await attempt.catch(() => {});
  expect(endpoint.connecting).toBe(0);
});
