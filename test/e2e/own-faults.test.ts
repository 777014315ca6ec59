import { afterAll, beforeAll, expect, test } from "bun:test";
import { Gateway } from "../../src/dataplane/gateway.ts";
import { snapshotOf } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode } from "../support/http-message.ts";
import { RawClient } from "../support/raw-client.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

let app: WsApp;
let web: ScriptedBackend;

beforeAll(async () => {
  app = await WsApp.open(echo);
  web = ScriptedBackend.open(friendly);
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await web[Symbol.asyncDispose]();
});

/** A data plane whose own parts fail on demand. */
class Failing implements AsyncDisposable {
  readonly faults: string[] = [];
  /** Which part fails from now on. */
  broken: "nothing" | "request" | "response" | "record" = "nothing";
  readonly gateway = new Gateway({
    onFault: (error) => this.faults.push(String(error)),
    onRecord: () => this.#work("record"),
  });

  constructor(to: readonly { readonly port: number }[]) {
    const snapshot = snapshotOf({ to, route: { timeouts: { close: "500ms" } }, isSecure: false });
    const settings = {
      type: "headers" as const,
      request: this.#changes("request"),
      response: this.#changes("response"),
    };
    const routes = snapshot.routes.map((route) => ({ ...route, filters: [settings] }));
    const issues = this.gateway.apply({ ...snapshot, routes });
    expect(issues).toEqual([]);
  }

  get port(): number {
    return this.gateway.listeners[0]?.port ?? 0;
  }

  /** The value of a gauge, all labels together. */
  gauge(name: string): number {
    const values = this.gateway.metrics().find((family) => family.name === name)?.values ?? [];
    return values.reduce((sum, { value }) => sum + value, 0);
  }

  /** Waits until nothing is held any more but for `sessions` sessions. */
  async held(sessions: number): Promise<void> {
    await until(
      () =>
        this.gateway.sessions.size === sessions &&
        this.gauge("causeway_connections_open") === sessions &&
        this.gauge("causeway_endpoint_sessions") === sessions &&
        this.gauge("causeway_endpoint_requests") + this.gauge("causeway_exchanges_running") === 0 &&
        this.gauge("causeway_pending") === 0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
  }

  /** Settings of a filter that throws when it reads them. */
  #changes(part: "request" | "response") {
    const work = () => this.#work(part);
    return {
      get set() {
        work();
        return [];
      },
      add: [],
      remove: [],
    };
  }

  #work(part: Failing["broken"]): void {
    if (this.broken === part) throw new Error(`the ${part} part failed`);
  }
}

/** A session beside the fault, that must not feel it. */
async function bystander(failing: Failing): Promise<{ peer: WsPeer; isWell(): Promise<void> }> {
  const peer = await WsPeer.open(failing.port);
  const isWell = async () => {
    peer.messages.length = 0;
    peer.send("still here");
    await until(() => peer.messages.length === 1);
  };
  return { peer, isWell };
}

for (const part of ["request", "response"] as const) {
  test(`AC-7.3: a filter that throws on the way of the ${part} answers 500, to its own exchange alone`, async () => {
    await using failing = new Failing([app]);
    const other = await bystander(failing);
    failing.broken = part;
    for (const bytes of [handshake(), request()]) {
      const client = await RawClient.open(failing.port);
      const response = await client.write(bytes).response();
      expect([response.status, errorCode(response)]).toEqual([500, "internal"]);
      client.end();
    }
    await other.isWell();
    failing.broken = "nothing";
    await failing.held(1);
    const again = await bystander(failing);
    await again.isWell();
    for (const { peer } of [other, again]) peer.socket.terminate();
    await failing.held(0);
  });
}

test("AC-7.3: what fails inside an open session closes that session alone, with 1011", async () => {
  await using failing = new Failing([app]);
  const other = await bystander(failing);
  const peer = await WsPeer.open(failing.port);
  const session = [...failing.gateway.sessions].at(-1);
  if (session === undefined) throw new Error("no session opened");
  session.client.scanner.scan = () => {
    throw new Error("the scanner failed");
  };
  peer.send("hello");
  expect(await peer.untilEnd()).toEqual({ code: 1011, reason: "" });
  expect(new Set(failing.faults)).toEqual(new Set(["Error: the scanner failed"]));
  await other.isWell();
  other.peer.socket.terminate();
  await failing.held(0);
});

test("AC-7.3: an observer that throws costs no connection at all, and is told of", async () => {
  await using failing = new Failing([app]);
  failing.broken = "record";
  const other = await bystander(failing);
  const client = await RawClient.open(failing.port);
  expect((await client.write(handshake({ headers: { "Sec-WebSocket-Version": "7" } })).response()).status).toBe(426);
  client.end();
  await other.isWell();
  other.peer.socket.close(1000);
  expect((await other.peer.untilEnd()).code).toBe(1000);
  await failing.held(0);
  expect(new Set(failing.faults)).toEqual(new Set(["Error: the record part failed"]));
});

test("AC-7.1: a client that resets while its handshake is being answered fails nobody", async () => {
  await using failing = new Failing([app]);
  const other = await bystander(failing);
  for (let count = 0; count < 50; count++) {
    const client = await RawClient.open(failing.port);
    client.write(handshake());
    if (count % 2 === 0) await Bun.sleep(0);
    client.reset();
  }
  await other.isWell();
  await failing.held(1);
  expect(failing.faults).toEqual([]);
  other.peer.socket.terminate();
});

test("AC-7.1: a GET in front of a handshake on the same connection is answered, and then the handshake", async () => {
  await using failing = new Failing([web]);
  const client = await RawClient.open(failing.port);
  client.write(request() + handshake());
  expect((await client.response()).status).toBe(200);
  expect((await client.response()).status).toBe(101);
  client.reset();
  await failing.held(0);
  expect(failing.faults).toEqual([]);
});
