import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { parseDuration } from "../../kit/duration.ts";
import type { AskedDrain, DrainTarget } from "../drains.ts";
import { AdminError } from "./admin-error.ts";
import { closeQuery, json, orFailure } from "./schemas.ts";
import { askMs, type ControlView } from "./view.ts";

const word = z.string().min(1).max(1024).optional();

const target = z.strictObject({
  route: word.openapi({ description: "a route, or with `listener` what comes to it there" }),
  listener: word,
  upstream: word.openapi({ description: "all endpoints of an upstream, or with `endpoint` one of them" }),
  endpoint: word.openapi({ description: "the endpoint of this address, in all upstreams that have it" }),
});

const plan = z.strictObject({
  window: z
    .string()
    .refine((text) => parseDuration(text) !== undefined, { message: "write a duration such as 60s" })
    .optional()
    .openapi({ description: "how long Close frames are spread over; as `drain.window` says unless given" }),
  code: closeQuery.shape.code.removeDefault().optional(),
  reason: closeQuery.shape.reason.removeDefault().optional(),
});

const progress = z
  .object({
    target: z.object({ route: word, listener: word, upstream: word, endpoint: word }),
    startedAt: z.number().optional().openapi({ description: "Unix milliseconds" }),
    endsAt: z.number().optional().openapi({ description: "when the last Close frame goes out: Unix milliseconds" }),
    windowMs: z.number().optional(),
    code: z.number().optional(),
    reason: z.string().optional(),
    sessions: z.number().openapi({ description: "sessions that it concerns and that have not ended" }),
  })
  .openapi("Drain");

const listRoute = createRoute({
  method: "get",
  path: "/api/drain",
  summary: "The drains in force, and how many sessions each has left",
  responses: { 200: json(z.object({ items: z.array(progress) }), "The drains"), ...orFailure },
});

const beginRoute = createRoute({
  method: "post",
  path: "/api/drain",
  summary: "Give what is named no new sessions and end those that it has; without a name everything",
  request: { query: z.strictObject({ ...target.shape, ...plan.shape }) },
  responses: { 200: json(progress, "The drain has begun"), ...orFailure },
});

const cancelRoute = createRoute({
  method: "delete",
  path: "/api/drain",
  summary: "Take a drain back: sessions that are left stay, and new ones are taken again",
  request: { query: target },
  responses: { 200: json(progress.pick({ target: true, sessions: true }), "It is taken back"), ...orFailure },
});

/** Draining the gateway or a part of it, and taking that back. */
export function addDrainRoutes(app: OpenAPIHono, view: ControlView): void {
  app.openapi(listRoute, async (context) => {
    view.drains.tidy();
    return context.json({ items: await Promise.all(view.drains.all.map((asked) => describe(view, asked))) }, 200);
  });
  app.openapi(beginRoute, async (context) => {
    // Whoever names a route in a body would drain everything.
    if ((await context.req.text()) !== "")
      throw new AdminError(400, "bad_request", "say what to drain in the query, such as ?route=chat&window=60s");
    const { window, code, reason, ...named } = context.req.valid("query");
    const begun = view.drains.begin(checked(named), {
      ...(window === undefined ? {} : { windowMs: parseDuration(window) ?? 0 }),
      ...(code === undefined ? {} : { code }),
      ...(reason === undefined ? {} : { reason }),
    });
    if ("problem" in begun) throw new AdminError(404, "no_target", begun.problem);
    return context.json(await describe(view, begun), 200);
  });
  app.openapi(cancelRoute, async (context) => {
    const named = checked(context.req.valid("query"));
    view.drains.tidy();
    if (!view.drains.cancel(named))
      throw new AdminError(404, "no_drain", "nothing like that is drained; see /api/drain");
    return context.json(await describe(view, { target: named }), 200);
  });
}

async function describe(view: ControlView, { target, startedAt, plan }: AskedDrain) {
  const { total } = await view.workers.ask({ about: "sessions", filter: target, limit: 0 }, askMs);
  const isTimed = startedAt !== undefined && plan !== undefined;
  const times = isTimed ? { startedAt, endsAt: startedAt + plan.windowMs, ...plan } : {};
  return { target: { ...target }, ...times, sessions: total };
}

function checked(named: z.output<typeof target>): DrainTarget {
  const { route, listener, upstream, endpoint } = named;
  if ((route ?? listener) !== undefined && (upstream ?? endpoint) !== undefined)
    throw new AdminError(400, "bad_request", "name a route or a listener, or else an upstream or an endpoint");
  return {
    ...(route === undefined ? {} : { route }),
    ...(listener === undefined ? {} : { listener }),
    ...(upstream === undefined ? {} : { upstream }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
