import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { json, orFailure } from "./schemas.ts";
import { type ControlView, workerStatus } from "./view.ts";

const health = z.object({ status: z.string(), reason: z.string().optional() });

const healthRoute = createRoute({
  method: "get",
  path: "/healthz",
  summary: "Is the control process alive?",
  responses: { 200: json(health, "It is") },
});

const readyRoute = createRoute({
  method: "get",
  path: "/readyz",
  summary: "Does the gateway take new exchanges?",
  responses: { 200: json(health, "It does"), 503: json(health, "It does not, and why"), ...orFailure },
});

const metricsRoute = createRoute({
  method: "get",
  path: "/metrics",
  summary: "Figures in the text format of Prometheus",
  responses: {
    200: { description: "The figures of all processes", content: { "text/plain": { schema: z.string() } } },
  },
});

/** What probes and Prometheus ask for. */
export function addHealthRoutes(app: OpenAPIHono, view: ControlView): void {
  app.openapi(healthRoute, (context) => context.json({ status: "ok" }, 200));
  app.openapi(readyRoute, async (context) => {
    const reason = await whyNotReady(view);
    if (reason === undefined) return context.json({ status: "ready", ...failing(view) }, 200);
    return context.json({ status: "not ready", reason }, 503);
  });
  app.openapi(metricsRoute, async (context) => {
    const { text, contentType } = await view.metrics();
    return context.text(text, 200, { "content-type": contentType });
  });
}

/** A worker that hangs is not ready either, so it is asked. */
async function whyNotReady(view: ControlView): Promise<string | undefined> {
  const { state } = view.workers;
  if (view.reconciler.inForce === undefined) return "no configuration is in force yet";
  if (view.drains.areForAll) return "the gateway drains, as it was asked to";
  if (state !== "serving") return failing(view).reason ?? `the workers are ${state}`;
  try {
    const status = await workerStatus(view);
    return status.state === "serving" ? undefined : `the workers are ${status.state}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Which workers end again and again. The others serve, so this alone does not fail readiness. */
function failing(view: ControlView): { reason?: string } {
  const found = view.workers.all.filter(({ failures }) => failures > 1);
  if (found.length === 0) return {};
  const each = found.map(
    ({ id, failures }) => `worker ${id} has ended ${failures} times in a row soon after its start`,
  );
  return { reason: each.join("; ") };
}
