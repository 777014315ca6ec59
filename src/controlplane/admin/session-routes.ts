import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { SessionFilter } from "../../core/session.ts";
import { AdminError } from "./admin-error.ts";
import { closeQuery, json, orFailure, session, sessionFilter, sessionQuery } from "./schemas.ts";
import { askMs, type ControlView } from "./view.ts";

const byId = z.object({ id: z.string().min(1).max(1024) });
const closed = z.object({ closed: z.number() });

const listRoute = createRoute({
  method: "get",
  path: "/api/sessions",
  summary: "Open sessions, oldest first",
  request: { query: sessionQuery },
  responses: {
    200: json(z.object({ items: z.array(session), total: z.number() }), "The sessions; `total` counts all that match"),
    ...orFailure,
  },
});

const oneRoute = createRoute({
  method: "get",
  path: "/api/sessions/{id}",
  summary: "One open session",
  request: { params: byId },
  responses: { 200: json(session, "The session"), ...orFailure },
});

const closeOneRoute = createRoute({
  method: "delete",
  path: "/api/sessions/{id}",
  summary: "Close one session with a code and a reason",
  request: { params: byId, query: closeQuery },
  responses: { 200: json(closed, "How many are closing"), ...orFailure },
});

const closeManyRoute = createRoute({
  method: "delete",
  path: "/api/sessions",
  summary: "Close all sessions that match; at least one condition must be given",
  request: { query: z.strictObject({ ...sessionFilter.shape, ...closeQuery.shape }) },
  responses: { 200: json(closed, "How many are closing"), ...orFailure },
});

/** Listing and closing sessions. */
export function addSessionRoutes(app: OpenAPIHono, view: ControlView): void {
  app.openapi(listRoute, async (context) => {
    const { limit, ...filter } = context.req.valid("query");
    const answer = await view.workers.ask({ about: "sessions", filter: given(filter), limit }, askMs);
    return context.json({ items: [...answer.items], total: answer.total }, 200);
  });
  app.openapi(oneRoute, async (context) => {
    const { id } = context.req.valid("param");
    const answer = await view.workers.ask({ about: "sessions", filter: { id }, limit: 1 }, askMs);
    const found = answer.items.find((item) => item.id === id);
    if (found === undefined) throw noSession(id);
    return context.json(found, 200);
  });
  app.openapi(closeOneRoute, async (context) => {
    const { id } = context.req.valid("param");
    const { code, reason } = context.req.valid("query");
    const answer = await view.workers.ask({ about: "close", filter: { id }, code, reason }, askMs);
    if (answer.closed === 0) throw noSession(id);
    return context.json({ closed: answer.closed }, 200);
  });
  app.openapi(closeManyRoute, async (context) => {
    const { code, reason, ...conditions } = context.req.valid("query");
    const filter = given(conditions);
    if (Object.keys(filter).length === 0) {
      throw new AdminError(
        400,
        "filter_required",
        "say which sessions: id, worker, route, upstream, endpoint, listener, client, host or state",
      );
    }
    const answer = await view.workers.ask({ about: "close", filter, code, reason }, askMs);
    return context.json({ closed: answer.closed }, 200);
  });
}

function noSession(id: string): AdminError {
  return new AdminError(404, "no_session", `no open session has the id ${JSON.stringify(id)}`);
}

type Conditions = { readonly [Key in keyof SessionFilter]: SessionFilter[Key] | undefined };

/** The filter without the conditions that were not given. */
function given(conditions: Conditions): SessionFilter {
  return Object.fromEntries(Object.entries(conditions).filter(([, value]) => value !== undefined));
}
