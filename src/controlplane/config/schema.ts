import { z } from "zod";
import { acmeSchema } from "./acme.ts";
import { adminSchema, drainSchema, logSchema, workersSchema } from "./control.ts";
import { cookieKeySchema } from "./cookie-key.ts";
import { map, named } from "./fields.ts";
import { listenerSchema } from "./listeners.ts";
import { routeSchema } from "./routes.ts";
import { upstreamSchema } from "./upstreams.ts";

/** The whole configuration: the one source of parser, types, JSON Schema and reference page. */
export const configurationSchema = map({
  admin: adminSchema
    .prefault({})
    .describe("The listener of the admin API, metrics and health. It has an address of its own."),
  workers: workersSchema.prefault("auto"),
  log: logSchema.prefault({}).describe("What is written to standard output."),
  drain: drainSchema
    .prefault({})
    .describe("How sessions end when the gateway stops, and when a route with open sessions is deleted."),
  cookieKey: cookieKeySchema,
  acme: acmeSchema.optional().describe("Where certificates are ordered for which listeners name no files."),
  listeners: named(listenerSchema, '{ web: { address: ":8080" } }').describe(
    "Where clients connect, by name. HTTP and WebSocket share a port.",
  ),
  upstreams: named(upstreamSchema, "{ app: { endpoints: [ 127.0.0.1:8888 ] } }")
    .prefault({})
    .describe("The applications behind the gateway, by name."),
  routes: named(routeSchema, "{ all: { to: app } }")
    .prefault({})
    .describe(
      "What to match, what to do on the way, where to send it, by name. The more specific route wins: the host first " +
        "(exact, longer wildcard, any), then the path (exact, longer prefix, regex, any), then the one with more conditions, then the name.",
    ),
});

/** The JSON Schema (draft 7, which editors understand best) of what users write. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(configurationSchema, { io: "input", target: "draft-7" });
  return { $schema, title: "Causeway configuration", ...schema };
}
