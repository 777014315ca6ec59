import { z } from "@hono/zod-openapi";

const traffic = z
  .object({ messages: z.number(), frames: z.number(), bytes: z.number(), pings: z.number(), pongs: z.number() })
  .openapi("Traffic", { description: "What a session carried in one direction; bytes are payload bytes." });

/** An open session. */
export const session = z
  .object({
    id: z.string(),
    worker: z.string().optional().openapi({ description: "the worker that has it, as in /api/workers" }),
    requestId: z.string(),
    state: z.enum(["open", "closing"]),
    route: z.string(),
    upstream: z.string(),
    endpoint: z.string(),
    listener: z.string(),
    client: z.string().openapi({ description: "address:port of who asked" }),
    host: z.string(),
    path: z.string(),
    protocol: z.string().optional(),
    openedAt: z.number().openapi({ description: "Unix milliseconds" }),
    lastActivityAt: z.number().openapi({ description: "Unix milliseconds" }),
    revision: z.number().openapi({ description: "the revision whose settings it runs under" }),
    fromClient: traffic,
    fromUpstream: traffic,
    queuedToClient: z.number().openapi({ description: "bytes waiting because the client reads slowly" }),
    queuedToUpstream: z.number().openapi({ description: "bytes waiting because the upstream reads slowly" }),
    clientRttMs: z.number().optional(),
    upstreamRttMs: z.number().optional(),
  })
  .openapi("Session");

/** What is wrong with a request. */
export const failure = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi("Error");

const word = z.string().min(1).max(1024);

/** Which sessions are meant; all conditions hold together. */
export const sessionFilter = z.strictObject({
  id: word.optional(),
  worker: word.optional().openapi({ description: "as in /api/workers" }),
  route: word.optional(),
  upstream: word.optional(),
  endpoint: word.optional(),
  listener: word.optional(),
  client: word.optional().openapi({ description: "an address, with or without its port" }),
  host: word.optional(),
  state: z.enum(["open", "closing"]).optional(),
});

/** The query of a session list. */
export const sessionQuery = sessionFilter.extend({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(1000)
    .openapi({ description: "how many at most, oldest first" }),
});

/** The Close frame that ends sessions. */
export const closeQuery = z.strictObject({
  code: z.coerce
    .number()
    .int()
    .refine(isSendable, { message: "must be 1000-1003, 1007-1014 or 3000-4999" })
    .default(1000)
    .openapi({ description: "a code that may be sent (RFC 6455, 7.4): 1000-1003, 1007-1014 or 3000-4999" }),
  reason: z
    .string()
    .refine((reason) => Buffer.byteLength(reason) <= 123 && reason.isWellFormed(), {
      message: "must be at most 123 bytes of UTF-8",
    })
    .default("")
    .openapi({ description: "at most 123 bytes of UTF-8" }),
});

/** 1005, 1006 and 1015 are never put on the wire, and 1004 has no meaning. */
function isSendable(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/** A list of things that are described elsewhere (the configuration reference, the glossary). */
export const list = z.object({ items: z.array(z.record(z.string(), z.unknown())) });
/** A map whose members the OpenAPI document does not describe. */
export const anything = z.record(z.string(), z.unknown());

/** A JSON answer in the OpenAPI document. */
export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** The answer to everything that goes wrong. */
export const orFailure = { default: json(failure, "What is wrong") };
