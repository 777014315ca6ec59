import { describe, expect, test } from "bun:test";
import type { UpstreamNotice } from "../../src/core/endpoint-state.ts";
import type { EndpointStatus } from "../../src/core/figures.ts";
import { Gateway } from "../../src/dataplane/gateway.ts";
import { TimerWheel } from "../../src/kit/timer-wheel.ts";
import { snapshotOf } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { RawClient } from "../support/raw-client.ts";
import { answering, friendly, okAnswer, type Script, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const badSwitch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/** A gateway in front of a backend that misbehaves and one that does not, on a clock that the test moves. */
class Site implements AsyncDisposable {
  readonly notices: UpstreamNotice[] = [];
  readonly wheel = new TimerWheel({ clock: "simulated" });
  readonly bad: ScriptedBackend;
  readonly good = ScriptedBackend.open(friendly);
  readonly #gateway: Gateway;

  constructor(script: Script, ejection: object, route: object = {}) {
    this.bad = ScriptedBackend.open(script);
    this.#gateway = new Gateway({ wheel: this.wheel, onNotice: (notice) => this.notices.push(notice) });
    const upstream = { balance: "round-robin", ejection: { connects: 0, handshakes: 0, time: "30s", ...ejection } };
    const to = [this.bad, this.good];
    expect(
      this.#gateway.apply(snapshotOf({ to, upstream, route: { keepalive: "off", ...route }, isSecure: false })),
    ).toEqual([]);
  }

  get port(): number {
    return this.#gateway.listeners[0]?.port ?? 0;
  }

  /** What is known of the one that misbehaves. */
  get endpoint(): EndpointStatus | undefined {
    return this.#gateway.status().upstreams[0]?.endpoints.find(({ address }) => address.endsWith(`:${this.bad.port}`));
  }

  /** Sends something on a connection of its own and brings back the status. */
  async ask(text: string): Promise<number> {
    await using client = await RawClient.open(this.port);
    client.write(text);
    const { status } = await client.response();
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway[Symbol.asyncDispose]();
    await this.bad[Symbol.asyncDispose]();
    await this.good[Symbol.asyncDispose]();
  }
}

/** Two exchanges reach each backend once. */
async function round(site: Site, text: string): Promise<number[]> {
  return [await site.ask(text), await site.ask(text)].sort();
}

describe("an endpoint is ejected when in a row", () => {
  test("handshakes are answered with 503, which clients get as it is", async () => {
    await using site = new Site(answering(unavailable), { handshakes: 2 });
    expect(await round(site, handshake())).toEqual([101, 503]);
    expect(await round(site, handshake())).toEqual([101, 503]);
    expect(site.endpoint).toMatchObject({ state: "ejected", handshakes: 2, handshakeFailures: 2, ejections: 1 });
    expect(await round(site, handshake())).toEqual([101, 101]);
    expect(site.notices).toMatchObject([
      { event: "endpoint-ejected", why: "2 handshakes in a row failed", forMs: 30_000 },
    ]);
    site.wheel.advance(30_100);
    expect(await round(site, handshake())).toEqual([101, 503]);
  });

  test("handshakes are answered with a 101 that is none", async () => {
    await using site = new Site(answering(badSwitch), { handshakes: 2 });
    for (let turn = 0; turn < 2; turn++) expect(await round(site, handshake())).toEqual([101, 502]);
    expect(site.endpoint).toMatchObject({ state: "ejected", handshakeFailures: 2 });
  });

  test("requests are answered with 503, and a good answer begins the count anew", async () => {
    let isBad = true;
    await using site = new Site(
      answering(() => (isBad ? unavailable : okAnswer("fine"))),
      { errors: 2 },
    );
    expect(await round(site, request())).toEqual([200, 503]);
    isBad = false;
    expect(await round(site, request())).toEqual([200, 200]);
    isBad = true;
    expect(await round(site, request())).toEqual([200, 503]);
    expect(site.endpoint).toMatchObject({ state: "unchecked", answers: 3, answerFailures: 2 });
    expect(await round(site, request())).toEqual([200, 503]);
    expect(site.endpoint?.state).toBe("ejected");
  });

  test("sessions lose it young", async () => {
    await using site = new Site(
      async (connection) => {
        connection.switch(await connection.request());
        connection.reset();
      },
      { sessions: 2, sessionAge: "5s" },
    );
    await round(site, handshake());
    await until(() => site.endpoint?.sessionFailures === 1);
    await round(site, handshake());
    await until(() => site.endpoint?.state === "ejected");
    expect(site.notices).toMatchObject([{ why: "2 young sessions in a row failed" }]);
  });

  test("connects are refused, which no client sees", async () => {
    await using site = new Site(friendly, { connects: 2 });
    await site.bad[Symbol.asyncDispose]();
    for (let turn = 0; turn < 3; turn++) expect(await round(site, handshake())).toEqual([101, 101]);
    expect(site.endpoint).toMatchObject({ state: "ejected", connectFailures: 2 });
  });
});

describe("it says nothing of an endpoint that", () => {
  test("clients go away in the middle of a handshake", async () => {
    await using site = new Site(
      async (connection) => {
        await connection.request();
      },
      { handshakes: 1 },
    );
    for (let turn = 0; turn < 4; turn++) {
      const client = await RawClient.open(site.port);
      client.write(handshake());
      await until(() => site.bad.connections.length + site.good.connections.length > turn);
      client.reset();
    }
    await until(() => site.bad.connections.every(({ hasEnded }) => hasEnded));
    expect(site.endpoint).toMatchObject({ state: "unchecked", handshakeFailures: 0 });
  });

  test("it refuses requests with 4xx", async () => {
    const forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    await using site = new Site(answering(forbidden), { handshakes: 1, errors: 1 });
    expect(await round(site, handshake())).toEqual([101, 403]);
    expect(await round(site, request())).toEqual([200, 403]);
    expect(site.endpoint).toMatchObject({ state: "unchecked", handshakes: 1, answers: 1 });
  });
});
