import type { RunningGateway } from "./running-gateway.ts";
import { until } from "./until.ts";
import { type WsApp, WsPeer } from "./ws.ts";

/** A worker as the admin API shows it. */
export type ShownWorker = {
  readonly id: string;
  readonly pid: number;
  readonly state: string;
  readonly sessions: number;
};

/** A gateway of two workers (or of another number) with the route `live` to an application; `more` are further routes. */
export function twoWorkers(app: WsApp, more: Readonly<Record<string, object>> = {}, workers = 2): string {
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers,
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
    routes: { live: { match: { path: "/live" }, to: "app" }, ...more },
  });
}

export async function workersOf(gateway: RunningGateway): Promise<readonly ShownWorker[]> {
  // What the API of this very program answers.
  return (await gateway.admin("/api/workers")).body.items as readonly ShownWorker[];
}

/** Opens sessions until every worker has some. */
export async function openOnAll(gateway: RunningGateway): Promise<WsPeer[]> {
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const peers: WsPeer[] = [];
  await until(async () => {
    peers.push(...(await Promise.all(Array.from({ length: 10 }, () => WsPeer.open(port, { path: "/live" })))));
    return (await workersOf(gateway)).every(({ sessions }) => sessions > 0);
  });
  return peers;
}
