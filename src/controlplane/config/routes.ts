import { z } from "zod";
import { type ResumeSettings, type RouteSettings, usualRetry, type WeightedUpstream } from "../../core/snapshot.ts";
import { keySource, splitSchema } from "./balance.ts";
import { closeCode, duration, list, map, quotedOr, size, text, whole, word } from "./fields.ts";
import { filterSchema } from "./filters.ts";
import { matchSchema } from "./match.ts";

/** Bad gateway. */
const lostCode = 1014;

/** What a target weighs that says nothing about it. */
const usualWeight = 100;

const target = z.union(
  [
    text("write the name of an upstream"),
    map({
      upstream: text("write the name of an upstream").describe("Name of an upstream."),
      weight: whole(0, 10_000).prefault(usualWeight).describe("Share in relation to the other upstreams of the list."),
    }),
  ],
  { error: quotedOr("write the name of an upstream, or { upstream: name, weight: 90 }") },
);

const to = z
  .union([text("write the name of an upstream"), z.array(target).min(1, { error: "write at least one upstream" })], {
    error: quotedOr("write the name of an upstream, or a list such as [ { upstream: a, weight: 90 } ]"),
  })
  .optional()
  .describe("Name of an upstream, or a list of names or maps with the keys below. Needed unless a filter answers.");

const timeouts = map({
  connect: duration().prefault("5s").describe("TCP connect to one endpoint."),
  handshake: duration().prefault("10s").describe("WebSocket: from the client's handshake to the upstream's 101 (504)."),
  idle: duration().prefault("off").describe("WebSocket: no frame from either side."),
  lifetime: duration().prefault("off").describe("WebSocket: age of a session."),
  close: duration().prefault("5s").describe("WebSocket: how long closing may take."),
  request: duration()
    .prefault("60s")
    .describe(
      "HTTP: from the whole request to the head of its answer (504). Also the longest pause of a body: in one that the client " +
        "does not send on (408), in one that the upstream does not take (504), and in an answer that the client does not take. " +
        "An answer that the upstream is slow to send has no limit.",
    ),
});

const keepalive = z.union(
  [
    z.literal("off"),
    map({
      ping: duration().prefault("30s").describe("How often a silent side of a session is pinged."),
      misses: whole(1, 100).prefault(3).describe("After how many unanswered intervals a side counts as dead."),
    }),
  ],
  { error: "write { ping: 30s, misses: 3 }, or off" },
);

const closeCodes = map({
  idle: closeCode().prefault(1001).describe("`timeouts.idle` has passed."),
  lifetime: closeCode().prefault(1001).describe("`timeouts.lifetime` has passed."),
  upstreamLost: closeCode().prefault(lostCode).describe("The upstream went away without a Close frame."),
});

const retry = z.union(
  [
    z.literal("off"),
    map({
      tries: whole(1, 10)
        .prefault(usualRetry.tries)
        .describe("Endpoints that are tried at most; 1 tries no other one."),
      budget: whole(0, 100)
        .prefault(usualRetry.budget)
        .describe(
          "How many of 100 exchanges with the upstream may be tried again, in each worker by itself. Ten are there to begin with, " +
            "and one a second while there is little traffic; 0 tries none again.",
        ),
      handshakes: list(whole(500, 599), "[ 502, 503, 504 ]")
        .prefault([...usualRetry.handshakes])
        .describe("WebSocket: statuses of refused handshakes after which another endpoint is tried."),
    }),
  ],
  { error: "write { tries: 3, handshakes: [ 502, 503, 504 ] }, or off" },
);

const resume = map(
  {
    within: duration()
      .refine((ms) => ms >= 100 && ms <= 300_000, { error: "write 100ms to 5m" })
      .prefault("10s")
      .describe("How long another endpoint is looked for; 100ms to 5m."),
    buffer: size(1024, 16_777_216)
      .prefault("256KB")
      .describe("What the client may send meanwhile, and what is kept to be sent again; 1KB to 16MB each."),
    replay: whole(0, 1000)
      .prefault(0)
      .describe("How many of the client's first messages another endpoint gets again, before anything else."),
  },
  "a map such as { within: 10s, buffer: 256KB }",
).optional();

/** One member of `routes`. */
export const routeSchema = map(
  {
    match: matchSchema
      .prefault({})
      .describe("What the route is for; without it, everything that no other route matches."),
    filters: list(filterSchema, "[ { rewrite: { prefix: / } } ]")
      .prefault([])
      .describe("Steps on the way, in this order, for HTTP and WebSocket alike."),
    to,
    split: splitSchema,
    timeouts: timeouts.prefault({}).describe("How long things may take; `off` switches one off."),
    keepalive: keepalive.prefault({}).describe("Pings of the gateway, or `off`."),
    closeCodes: closeCodes.prefault({}).describe("Codes of the Close frames that the gateway makes itself."),
    resume: resume.describe(
      "For applications that keep no state of a session: when the upstream is lost, the client stays, and another endpoint gets the same " +
        "handshake. Otherwise a session ends with its upstream.",
    ),
    retry: retry
      .optional()
      .describe(
        "When another endpoint is tried: after a connect that failed, and where nothing was sent yet. Never the same one twice. `off` tries none.",
      ),
    onChange: word("keep", "drain", "close")
      .prefault("keep")
      .describe(
        "What happens to open sessions when the route changes. A deleted route drains, unless it says `close`.",
      ),
  },
  "a map such as { to: name-of-an-upstream }",
);

/** A route as the schema gives it. */
export type Route = z.output<typeof routeSchema>;

/** A route for the model. */
export function routeSettings(name: string, route: Route): RouteSettings {
  const { keepalive, timeouts } = route;
  return {
    name,
    match: route.match,
    filters: route.filters,
    to: targetsOf(route.to),
    ...(route.split === undefined ? {} : { split: keySource(route.split) }),
    timeouts: {
      connectMs: timeouts.connect,
      handshakeMs: timeouts.handshake,
      idleMs: timeouts.idle,
      lifetimeMs: timeouts.lifetime,
      closeMs: timeouts.close,
      requestMs: timeouts.request,
    },
    keepalive: keepalive === "off" ? { pingMs: 0, misses: 3 } : { pingMs: keepalive.ping, misses: keepalive.misses },
    closeCodes: closeCodesOf(route),
    onChange: route.onChange,
    ...(route.resume === undefined ? {} : { resume: resumeSettings(route.resume) }),
    ...(route.retry === undefined ? {} : { retry: route.retry === "off" ? { ...usualRetry, tries: 1 } : route.retry }),
  };
}

/** A client that could not be kept is asked to come back (1012), where a route does not say something else. */
function closeCodesOf({ closeCodes, resume }: Route): Route["closeCodes"] {
  const isUsual = closeCodes.upstreamLost === lostCode;
  return resume !== undefined && isUsual ? { ...closeCodes, upstreamLost: 1012 } : closeCodes;
}

function resumeSettings({ within, buffer, replay }: NonNullable<Route["resume"]>): ResumeSettings {
  return { withinMs: within, bufferBytes: buffer, replay };
}

/** Where a route leads, with weights. */
export function targetsOf(to: Route["to"]): readonly WeightedUpstream[] {
  if (to === undefined) return [];
  if (typeof to === "string") return [{ upstream: to, weight: usualWeight }];
  return to.map((target) => (typeof target === "string" ? { upstream: target, weight: usualWeight } : target));
}
