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
/** More of them by the environment: `CAUSEWAY_TEST_CONNECTS=5000 bun test test/e2e/socket-io.test.ts`. */
const connects = Number(process.env.CAUSEWAY_TEST_CONNECTS ?? 50);
const patienceMs = 30_000 + 40 * connects;

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

/** Does it as often as there are connects, five at a time. */
async function inTurns(act: () => Promise<unknown>): Promise<void> {
  let left = connects;
  const turn = async (): Promise<void> => {
    while (left-- > 0) await act();
  };
  await Promise.all([1, 2, 3, 4, 5].map(turn));
}

/** Statuses of all answers that were none of the expected ones. */
function refusals(gateway: GatewayFixture): number[] {
  return gateway.records.flatMap((record) => (record.kind === "http" && record.status >= 400 ? [record.status] : []));
}

describe("AC-10.2: socket.io, from polling to WebSocket over five applications", () => {
  test(
    "with cookies",
    async () => {
      await using gateway = GatewayFixture.open({
        to: applications,
        upstream: { balance: "round-robin", sticky: { cookie: {} } },
        isSecure: false,
      });
      const outcomes: Outcome[] = [];
      await inTurns(async () => outcomes.push(await connect(gateway, {}, true)));
      expect(new Set(outcomes.map(({ application }) => application)).size).toBe(5);
      expect(outcomes.filter(({ transports }) => transports.at(-1) !== "websocket")).toEqual([]);
      expect(refusals(gateway)).toEqual([]);
    },
    patienceMs,
  );

  test(
    "without cookies, by a query parameter that clients choose themselves",
    async () => {
      await using gateway = GatewayFixture.open({
        to: applications,
        upstream: { balance: { hash: { query: "client" } } },
        isSecure: false,
      });
      const outcomes: Outcome[] = [];
      await inTurns(async () => outcomes.push(await connect(gateway, { client: crypto.randomUUID() }, false)));
      expect(new Set(outcomes.map(({ application }) => application)).size).toBe(5);
      expect(refusals(gateway)).toEqual([]);
    },
    patienceMs,
  );

  test(
    "without any stickiness it fails, so the tests above say something",
    async () => {
      await using gateway = GatewayFixture.open({
        to: applications,
        upstream: { balance: "round-robin" },
        isSecure: false,
      });
      const outcomes = await Promise.allSettled([1, 2, 3].map(() => connect(gateway, {}, false)));
      expect(outcomes.map(({ status }) => status)).toContain("rejected");
      expect(refusals(gateway)).toContain(400);
    },
    patienceMs,
  );
});
