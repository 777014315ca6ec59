import { afterAll, describe, expect, test } from "bun:test";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { GatewayFixture } from "../support/gateway-fixture.ts";

// A hub gives out a token in its negotiate step, and whoever did not give it out answers the handshake with 404.

const endOfRecord = "\x1e";
/** So many that five hubs are all met by random keys: of 30, one run in 160 misses one. */
const connects = 100;

/** A hub that answers every invocation with its own number. */
function openHub(number: number) {
  const tokens = new Set<string>();
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const url = new URL(request.url);
      if (url.pathname === "/hub/negotiate") {
        const connectionToken = crypto.randomUUID();
        tokens.add(connectionToken);
        const availableTransports = [{ transport: "WebSockets", transferFormats: ["Text"] }];
        const connectionId = crypto.randomUUID();
        return Response.json({ negotiateVersion: 1, connectionId, connectionToken, availableTransports });
      }
      const isKnown = tokens.has(url.searchParams.get("id") ?? "");
      return isKnown && server.upgrade(request)
        ? undefined
        : new Response("No Connection with that ID", { status: 404 });
    },
    websocket: {
      message(socket, message) {
        for (const record of String(message).split(endOfRecord).slice(0, -1)) {
          const { protocol, type, invocationId } = JSON.parse(record);
          if (protocol !== undefined) socket.send(`{}${endOfRecord}`);
          else if (type === 1)
            socket.send(`${JSON.stringify({ type: 3, invocationId, result: number })}${endOfRecord}`);
        }
      },
    },
  });
}

const hubs = [0, 1, 2, 3, 4].map((number) => openHub(number));
afterAll(async () => {
  for (const hub of hubs) await hub.stop(true);
});
const to = hubs.map(({ port = 0 }) => ({ port }));

/** Negotiates, opens the WebSocket, and asks which hub it is. */
async function connect(gateway: GatewayFixture, query = ""): Promise<number> {
  const connection = new HubConnectionBuilder()
    .withUrl(`http://127.0.0.1:${gateway.port}/hub${query}`)
    .configureLogging(LogLevel.None)
    .build();
  await connection.start();
  try {
    return await connection.invoke("who");
  } finally {
    await connection.stop();
  }
}

function refusals(gateway: GatewayFixture): number[] {
  return gateway.records.flatMap((record) => (record.kind === "http" && record.status >= 400 ? [record.status] : []));
}

describe("AC-10.2: SignalR, from negotiate to WebSocket over five hubs", () => {
  test.each([
    { name: "with cookies", upstream: { balance: "round-robin", sticky: { cookie: {} } }, query: () => "" },
    {
      name: "without cookies, by a query parameter of the client's own",
      upstream: { sticky: { query: "client" } },
      query: () => `?client=${crypto.randomUUID()}`,
    },
  ])("$name", async ({ upstream, query }) => {
    await using gateway = GatewayFixture.open({ to, upstream, isSecure: false });
    const seen = new Set<number>();
    for (let count = 0; count < connects; count++) seen.add(await connect(gateway, query()));
    expect(seen.size).toBe(5);
    expect(refusals(gateway)).toEqual([]);
  });

  test("without any stickiness it fails, so the tests above say something", async () => {
    await using gateway = GatewayFixture.open({ to, upstream: { balance: "round-robin" }, isSecure: false });
    await expect(connect(gateway)).rejects.toThrow();
    expect(refusals(gateway)).toEqual([404]);
  });
});
