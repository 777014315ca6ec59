import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { type Configuration, withoutSecrets } from "../../core/configuration.ts";
import { formatIssue } from "../../core/issue.ts";
import { formatAddress } from "../../core/snapshot.ts";
import type { InForce } from "../revisions.ts";
import { AdminError } from "./admin-error.ts";
import { anything, json, list, orFailure } from "./schemas.ts";
import { askMs, type ControlView, type WorkerView, workerStatusIfAny } from "./view.ts";

/** What is configured and how it is doing. Counts that only the workers know are null while one of them does not answer. */
export function addStateRoutes(app: OpenAPIHono, view: ControlView): void {
  app.openapi(page("/api/config", "The configuration in force, without secrets", anything), async (context) => {
    const { revision, configuration } = inForce(view);
    const status = await workerStatusIfAny(view);
    const answer = {
      revision,
      isLastReloadGood: view.reconciler.isLastReloadGood,
      lastReloadAt: view.reconciler.lastReloadAt ?? null,
      isSubmitted: view.reconciler.isSubmitted,
      settings: withoutSecrets(configuration.settings),
      sessionsByRevision: status?.sessionsByRevision ?? null,
      model: withoutKeys(configuration.model),
    };
    return context.json(answer, 200, { etag: `"${revision}"` });
  });
  app.openapi(page("/api/listeners", "Listeners, with the ports that are bound", list), async (context) => {
    const status = await workerStatusIfAny(view);
    const { listeners } = inForce(view).configuration.model;
    const running = status?.listeners ?? view.reconciler.listeners;
    const items = listeners.map((settings) => {
      const bound = running.find(({ name }) => name === settings.name);
      const address = formatAddress({ host: settings.host, port: bound?.port ?? settings.port });
      const connections = status === undefined ? null : (bound?.connections ?? 0);
      return { ...settings, port: bound?.port ?? settings.port, address, connections };
    });
    return context.json({ items }, 200);
  });
  app.openapi(page("/api/routes", "Routes, with their open sessions", list), async (context) => {
    const status = await workerStatusIfAny(view);
    const counts = status === undefined ? undefined : new Map(Object.entries(status.sessionsByRoute));
    const { routes } = inForce(view).configuration.model;
    const items = routes.map((route) => ({
      ...route,
      sessions: counts === undefined ? null : (counts.get(route.name) ?? 0),
    }));
    return context.json({ items }, 200);
  });
  app.openapi(page("/api/workers", "The worker processes", list), async (context) => {
    return context.json({ items: await Promise.all(view.workers.all.map(describe)) }, 200);
  });
  app.openapi(page("/api/issues", "What is wrong or doubtful in the newest configuration", list), (context) => {
    const items = view.reconciler.issues.map((issue) => ({ ...issue, text: formatIssue(issue) }));
    return context.json({ items }, 200);
  });
}

function page<P extends string, S extends typeof list | typeof anything>(path: P, summary: string, schema: S) {
  return createRoute({ method: "get", path, summary, responses: { 200: json(schema, summary), ...orFailure } });
}

async function describe(worker: WorkerView): Promise<Record<string, unknown>> {
  const { id, pid, state, restarts, startedAt } = worker;
  const answer = await worker.ask({ about: "status" }, askMs).catch(() => undefined);
  const isHanging = answer === undefined && (state === "serving" || state === "draining");
  const figures = answer?.status ?? { revision: null, sessions: null, connections: null, residentMemory: null };
  const { revision, sessions, connections, residentMemory } = figures;
  const shown = isHanging ? "unresponsive" : state;
  return { id, pid: pid ?? null, state: shown, startedAt, restarts, revision, sessions, connections, residentMemory };
}

/** Private keys and other secrets are shown to nobody. */
function withoutKeys({
  certificates,
  cookieKey,
  ...model
}: Configuration["model"]): Omit<Configuration["model"], "certificates" | "cookieKey"> {
  return model;
}

function inForce(view: ControlView): InForce {
  const current = view.reconciler.inForce;
  if (current === undefined) throw new AdminError(503, "not_configured", "no configuration is in force yet");
  return current;
}
