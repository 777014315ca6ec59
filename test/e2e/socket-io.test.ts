import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { until } from "../support/until.ts";

// Engine.IO gives out a session id with its first answer, and only the process that gave it knows it: everybody else answers 400.

type Application = { readonly port: number; readonly io: Server; readonly http: HttpServer };

const applications: Application[] = [];
const connects = 50;

beforeAll(async () => {
  for (let count = 0; count < 5; count++) {
    const http = createServer();
    const server = new Server(http);
    server.on("connection", (socket) => {
      socket.on("who", (answer: (at: number) => void) => answer(count));
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    // A server that listens on TCP has such an address.
    applications.push({ port: (http.address() as AddressInfo).port, io: server, http });
  }
});

afterAll(async () => {
  for (const { io: server } of applications) await server.close();
});

type Outcome = { readonly application: number; readonly transports: readonly string[] };

/** Connects as browsers do, by polling first, and waits for the change to a WebSocket. */
async function connect(
  gateway: GatewayFixture,
  query: Readonly<Record<string, string>>,
  hasCookies: boolean,
): Promise<Outcome> {
  const client: Socket = io(`http://127.0.0.1:${gateway.port}`, {
    query,
    withCredentials: hasCookies,
    forceNew: true,
    reconnection: false,
    transports: ["polling", "websocket"],
  });
  const failures: unknown[] = [];
  client.on("connect_error", (error) => failures.push(error));
  try {
    const transports: string[] = [];
    await until(() => {
      if (failures.length > 0) throw new Error(`it does not connect: ${failures[0]}`);
      const name = client.io.engine?.transport.name;
      if (name !== undefined && transports.at(-1) !== name) transports.push(name);
      return client.connected && name === "websocket";
    });
    const application: number = await client.timeout(4000).emitWithAck("who");
    return { application, transports };
  } finally {
    client.disconnect();
  }
}

/** Statuses of all answers that were none of the expected ones. */
function refusals(gateway: GatewayFixture): number[] {
  return gateway.records.flatMap((record) => (record.kind === "http" && record.status >= 400 ? [record.status] : []));
}

describe("AC-10.2: socket.io, from polling to WebSocket over five applications", () => {
  test("with cookies", async () => {
    await using gateway = GatewayFixture.open({
      to: applications,
      upstream: { balance: "round-robin", sticky: { cookie: {} } },
      isSecure: false,
    });
    const outcomes: Outcome[] = [];
    for (let count = 0; count < connects; count++) outcomes.push(await connect(gateway, {}, true));
    expect(new Set(outcomes.map(({ application }) => application)).size).toBe(5);
    expect(outcomes.filter(({ transports }) => transports.at(-1) !== "websocket")).toEqual([]);
    expect(refusals(gateway)).toEqual([]);
  }, 30_000);

  test("without cookies, by a query parameter that clients choose themselves", async () => {
    await using gateway = GatewayFixture.open({
      to: applications,
      upstream: { balance: { hash: { query: "client" } } },
      isSecure: false,
    });
    const outcomes: Outcome[] = [];
    for (let count = 0; count < connects; count++)
      outcomes.push(await connect(gateway, { client: crypto.randomUUID() }, false));
    expect(new Set(outcomes.map(({ application }) => application)).size).toBe(5);
    expect(refusals(gateway)).toEqual([]);
  }, 30_000);

  test("without any stickiness it fails, so the tests above say something", async () => {
    await using gateway = GatewayFixture.open({
      to: applications,
      upstream: { balance: "round-robin" },
      isSecure: false,
    });
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => connect(gateway, {}, false)));
    expect(outcomes.map(({ status }) => status)).toContain("rejected");
    expect(refusals(gateway)).toContain(400);
  }, 30_000);
});
