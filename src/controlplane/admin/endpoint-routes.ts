import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { UpstreamStatus } from "../../core/figures.ts";
import { AdminError } from "./admin-error.ts";
import { json, list, orFailure } from "./schemas.ts";
import { type ControlView, workerStatus } from "./view.ts";

const place = z.object({
  name: z.string().min(1).max(1024).openapi({ description: "the upstream" }),
  address: z.string().min(1).max(1024).openapi({ description: "the endpoint's address, as /api/upstreams shows it" }),
});

const drained = z.object({ upstream: z.string(), address: z.string(), isDraining: z.boolean() });

const listRoute = createRoute({
  method: "get",
  path: "/api/upstreams",
  summary: "Upstreams and their endpoints at run time",
  responses: { 200: json(list, "The upstreams"), ...orFailure },
});

const drainRoute = createRoute({
  method: "post",
  path: "/api/upstreams/{name}/endpoints/{address}/drain",
  summary: "Give an endpoint nothing new, and end its sessions within the `drain` of its upstream",
  request: { params: place },
  responses: { 200: json(drained, "It drains"), ...orFailure },
});

const undrainRoute = createRoute({
  method: "delete",
  path: "/api/upstreams/{name}/endpoints/{address}/drain",
  summary: "Take a drain back: the endpoint gets new sessions again and keeps those that are left",
  request: { params: place },
  responses: { 200: json(drained, "It does not drain"), ...orFailure },
});

/** Upstreams with what workers and checks know of their endpoints, and endpoints that are drained by hand. */
export function addEndpointRoutes(app: OpenAPIHono, view: ControlView): void {
  app.openapi(listRoute, async (context) => {
    const { upstreams } = await workerStatus(view);
    return context.json({ items: upstreams.map((upstream) => withChecks(upstream, view)) }, 200);
  });
  app.openapi(drainRoute, (context) => context.json(drain(view, context.req.valid("param"), "begin"), 200));
  app.openapi(undrainRoute, (context) => context.json(drain(view, context.req.valid("param"), "undo"), 200));
}

/** `latencyMs` is null before the first answer, and `checks` where nothing is checked. */
function withChecks(upstream: UpstreamStatus, view: ControlView): Record<string, unknown> {
  const endpoints = upstream.endpoints.map(({ answerMs, ...endpoint }) => ({
    ...endpoint,
    latencyMs: meanOf(answerMs, endpoint.handshakes + endpoint.answers),
    checks: view.endpoints.find(upstream.name, endpoint.address)?.checks ?? null,
  }));
  return { ...upstream, endpoints };
}

function meanOf(sum: number, count: number): number | null {
  return count === 0 ? null : Math.round((sum / count) * 10) / 10;
}

function drain(view: ControlView, { name, address }: z.output<typeof place>, what: "begin" | "undo") {
  const verdict = view.endpoints.drain(name, address, what);
  if (verdict !== undefined) return { upstream: name, address, isDraining: verdict.isDraining };
  const says = `the upstream ${JSON.stringify(name)} has no endpoint ${JSON.stringify(address)}; see /api/upstreams`;
  throw new AdminError(404, "no_endpoint", says);
}
