import { describe, expect, test } from "bun:test";
import type { EndpointVerdict } from "../../src/core/endpoint-state.ts";
import { TimerWheel } from "../../src/kit/timer-wheel.ts";
import { type FixtureSettings, GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { WsApp, WsPeer } from "../support/ws.ts";

/** Two applications behind a gateway whose clock the test moves. */
class Site implements AsyncDisposable {
  readonly wheel = new TimerWheel({ clock: "simulated" });
  readonly clients: WsPeer[] = [];
  readonly #settings: FixtureSettings;
  readonly #apps: readonly WsApp[];
  readonly #fixture: GatewayFixture;

  private constructor(apps: readonly WsApp[], upstream: object) {
    this.#apps = apps;
    const route = { keepalive: "off", timeouts: { close: "1s" } };
    this.#settings = { to: apps, upstream: { balance: "round-robin", ...upstream }, route };
    this.#fixture = GatewayFixture.open({ ...this.#settings, wheel: this.wheel });
  }

  static async open(upstream: object = {}): Promise<Site> {
    return new Site([await WsApp.open(), await WsApp.open()], upstream);
  }

  /** Sessions that are open and not closing, on each of the two. */
  get open(): number[] {
    const { sessions } = this.#fixture.gateway;
    return this.#apps.map(({ port }) => {
      const found = sessions.find({ endpoint: `127.0.0.1:${port}`, state: "open" });
      return found.length;
    });
  }

  /** Why the sessions that have ended did. */
  get reasons(): string[] {
    return this.#fixture.records.flatMap((record) => (record.kind === "session-close" ? [record.end.reason] : []));
  }

  async connect(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) this.clients.push(await WsPeer.open(this.#fixture.port));
  }

  /** Says something of the first application. */
  judge(more: Partial<EndpointVerdict>): void {
    const address = `127.0.0.1:${this.#apps[0]?.port}`;
    const verdict = { upstream: "app", address, health: "unchecked", isDraining: false, since: 0, ...more } as const;
    this.#fixture.gateway.judge([verdict]);
  }

  /** Puts other endpoints into force; each is an application by number with a weight. */
  apply(endpoints: readonly { readonly app: number; readonly weight: number }[]): void {
    const wanted = endpoints.map(({ app, weight }) => ({ address: `127.0.0.1:${this.#apps[app]?.port}`, weight }));
    const upstream = { ...this.#settings.upstream, endpoints: wanted };
    const snapshot = snapshotOf({
      ...this.#settings,
      upstream,
      listener: { address: `127.0.0.1:${this.#fixture.port}` },
    });
    expect(this.#fixture.gateway.apply({ ...snapshot, revision: 2 })).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fixture[Symbol.asyncDispose]();
    for (const app of this.#apps) await app[Symbol.asyncDispose]();
  }
}

describe("AC-2.3: an endpoint drains", () => {
  test("gets nothing new, and its sessions a Close 1012 at moments spread over the window", async () => {
    await using site = await Site.open({ drain: "100s" });
    await site.connect(80);
    expect(site.open).toEqual([40, 40]);
    site.judge({ isDraining: true });
    const left: number[] = [];
    for (let second = 10; second <= 90; second += 10) {
      site.wheel.advance(second * 1000);
      left.push(site.open[0] ?? 0);
    }
    // Of 40 uniform moments about 20 are over in the middle: between 8 and 32 in all but one of 40,000 runs.
    expect(left[4]).toBeGreaterThan(8);
    expect(left[4]).toBeLessThan(32);
    await site.connect(2);
    expect(site.open[1]).toBe(42);
    site.wheel.advance(100_000 + 50);
    expect(site.open).toEqual([0, 42]);
    const closed = await Promise.all(
      site.clients
        .slice(0, 80)
        .filter((_, at) => at % 2 === 0)
        .map((peer) => peer.untilEnd()),
    );
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1012]));
    await until(() => site.reasons.length === 40);
    expect(new Set(site.reasons)).toEqual(new Set(["drain"]));
  });

  test("and keeps the sessions that are left when that is taken back", async () => {
    await using site = await Site.open({ drain: "100s" });
    await site.connect(80);
    site.judge({ isDraining: true });
    site.wheel.advance(50_000);
    const left = site.open[0] ?? 0;
    site.judge({ isDraining: false });
    site.wheel.advance(300_000);
    expect(site.open).toEqual([left, 40]);
    await site.connect(2);
    expect(site.open).toEqual([left + 1, 41]);
  });

  test("and keeps all of them where drain is off", async () => {
    await using site = await Site.open({ drain: "off" });
    await site.connect(4);
    site.judge({ isDraining: true });
    site.wheel.advance(1_000_000);
    await site.connect(1);
    expect(site.open).toEqual([2, 3]);
  });

  test("and drains in the time of every other drain where nothing is said", async () => {
    await using site = await Site.open();
    await site.connect(4);
    site.judge({ isDraining: true });
    site.wheel.advance(30_050);
    expect(site.open).toEqual([0, 2]);
  });

  test("when its weight becomes 0, and stops when it has a weight again", async () => {
    await using site = await Site.open({ drain: "100s" });
    await site.connect(80);
    site.apply([
      { app: 0, weight: 0 },
      { app: 1, weight: 100 },
    ]);
    site.wheel.advance(50_000);
    const left = site.open[0] ?? 0;
    expect(left).toBeLessThan(40);
    site.apply([
      { app: 0, weight: 1 },
      { app: 1, weight: 100 },
    ]);
    site.wheel.advance(300_000);
    expect(site.open).toEqual([left, 40]);
    await until(() => site.reasons.length === 40 - left);
    expect(new Set(site.reasons)).toEqual(new Set(["config"]));
  });

  test("when it is removed", async () => {
    await using site = await Site.open({ drain: "1s" });
    await site.connect(4);
    site.apply([{ app: 1, weight: 100 }]);
    site.wheel.advance(1050);
    expect(site.open).toEqual([0, 2]);
  });

  test("and a session whose handshake was under way when it began gets its Close too", async () => {
    const wheel = new TimerWheel({ clock: "simulated" });
    const go = Promise.withResolvers<void>();
    await using backend = ScriptedBackend.open(async (connection) => {
      const request = await connection.request();
      await go.promise;
      connection.switch(request);
      await connection.until(() => connection.rest.length > 0);
    });
    const upstream = { drain: "10s" };
    await using site = GatewayFixture.open({ to: [backend], upstream, wheel, route: { keepalive: "off" } });
    const client = await site.connect();
    client.write(handshake());
    await backend.connection();
    await until(() => backend.text.includes("\r\n\r\n"));
    const address = `127.0.0.1:${backend.port}`;
    site.gateway.judge([{ upstream: "app", address, health: "unchecked", isDraining: true, since: 0 }]);
    go.resolve();
    await until(() => site.gateway.sessions.size === 1);
    wheel.advance(10_050);
    await until(() => client.received.includes(Buffer.from([0x88, 2, 0x03, 0xf4])));
  });
});

describe("sessions of an endpoint whose checks fail", () => {
  test("stay, and it gets nothing new until the checks are good again", async () => {
    await using site = await Site.open();
    await site.connect(2);
    site.judge({ health: "unhealthy", why: "refused" });
    site.wheel.advance(100_000);
    await site.connect(2);
    expect(site.open).toEqual([1, 3]);
    site.judge({ health: "healthy" });
    await site.connect(2);
    expect(site.open).toEqual([2, 4]);
  });

  test("are closed at once where onUnhealthy says so", async () => {
    await using site = await Site.open({ health: { type: "tcp", onUnhealthy: "close" } });
    await site.connect(4);
    site.judge({ health: "unhealthy", why: "refused" });
    expect(site.open).toEqual([0, 2]);
    expect(await site.clients[0]?.untilEnd()).toEqual({ code: 1012, reason: "" });
    await until(() => site.reasons.length === 2);
    expect(site.reasons).toEqual(["unhealthy", "unhealthy"]);
  });
});
