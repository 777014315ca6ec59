import { z } from "zod";
import type {
  BalanceSettings,
  KeySource,
  NamedField,
  RebalanceSettings,
  SlowStartSettings,
  StickyCookie,
  StickySettings,
} from "../../core/balance-settings.ts";
import { hashText } from "../../kit/text-hash.ts";
import { type Context, duration, Misread, map, parsed, refuse, text, truth, whole, word } from "./fields.ts";
import { parseHeaderName } from "./header-fields.ts";

const headerName = () =>
  parsed({ write: "write the name of a header such as x-user", title: "header name", parse: parseHeaderName });

const cookieName = () =>
  parsed({
    write: "write the name of a cookie such as session",
    title: "cookie name",
    parse: (name) =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)
        ? name
        : new Misread(`"${name}" is no cookie name`, "write letters, digits, hyphens and underscores"),
  });

const parameterName = () => text("write the name of a query parameter such as sid").min(1);

/** A map of which exactly one key is given. */
function exactlyOne(forms: Readonly<Record<string, unknown>>, context: Context): void {
  const given = Object.values(forms).filter((form) => form !== undefined).length;
  if (given === 1) return;
  const names = Object.keys(forms);
  const says = given === 0 ? "this names nothing" : "this names more than one thing";
  refuse(context, { says, try: `write one of ${names.join(", ")}` });
}

const keyMap = map({
  header: headerName().optional().describe("The value of this header."),
  cookie: cookieName().optional().describe("The value of this cookie, which the application sets."),
  query: parameterName().optional().describe("The value of this query parameter."),
  claim: text("write the name of a claim such as sub")
    .min(1)
    .optional()
    .describe(
      "This claim of the JWT that stands there; of a bearer token in `Authorization` if nothing else is named. It is read and not verified: " +
        "whoever makes up a token chooses an endpoint, and nothing else.",
    ),
}).superRefine(({ header, cookie, query, claim }, context) => {
  if (claim === undefined || [header, cookie, query].some((field) => field !== undefined))
    exactlyOne({ header, cookie, query }, context);
});

/** What of a request is a key. */
const keySchema = () =>
  z.union([word("client-address", "path"), keyMap], {
    error: "write client-address, path, { header: x-user }, { cookie: name }, { query: sid } or { claim: sub }",
  });

/** `balance` of an upstream. */
export const balanceSchema = z
  .union(
    [
      word("least-sessions", "round-robin", "random", "peak-ewma"),
      map({
        hash: keySchema().describe(
          "The key: `client-address`, `path`, or a map with one of the keys below. The same key leads to the same endpoint. Without a key a request is balanced by `least-sessions`.",
        ),
        table: word("ring", "maglev")
          .prefault("ring")
          .describe(
            "`ring`: no key moves but those of an endpoint that comes or goes. `maglev`: exact shares, where those of a ring are within 3 %; a few other keys move too.",
          ),
      }),
    ],
    { error: "write least-sessions, round-robin, random, peak-ewma, or { hash: client-address }" },
  )
  .prefault("least-sessions")
  .describe(
    "`least-sessions`: the endpoint with the fewest open sessions and requests for its weight. `round-robin`: each in turn. " +
      "`random`: two by chance, and of these the one with less to do. `peak-ewma`: the same, and slow ones count as having more to do. " +
      "A map chooses by a hash.",
  );

const cookieSchema = map({
  name: cookieName()
    .optional()
    .describe("Name of the cookie; one that is made from the name of the upstream unless given."),
  ttl: duration().prefault("off").describe("How long clients keep it; `off`: until the browser is closed."),
  path: parsed({
    write: "write a path such as /",
    title: "path",
    parse: (path) =>
      /^\/[\x21-\x3a\x3c-\x7e]*$/.test(path) ? path : new Misread(`"${path}" is no path`, "write a path such as /"),
  })
    .prefault("/")
    .describe("Paths that clients send it with."),
  sameSite: word("lax", "strict", "none")
    .prefault("lax")
    .describe("Whether pages of other sites send it with; `none` does, and needs TLS."),
  secure: z
    .union([z.literal("auto"), truth()], { error: "write true, false or auto" })
    .prefault("auto")
    .describe("Whether clients send it by TLS only; `auto`: yes for those that came by TLS."),
}).superRefine(({ sameSite, secure }, context) => {
  if (sameSite === "none" && secure === false)
    refuse(context, { says: "browsers drop a cookie with sameSite: none that is not secure", try: "write auto" }, [
      "secure",
    ]);
});

/** `sticky` of an upstream. */
export const stickySchema = z
  .union(
    [
      z.literal("client-address"),
      map({
        cookie: cookieSchema
          .optional()
          .describe("A signed cookie that the gateway sets, on HTTP answers and on the 101. Needs `cookieKey`."),
        header: headerName().optional().describe("By the value of this header."),
        query: parameterName().optional().describe("By the value of this query parameter, such as `sid` or `id`."),
      }).superRefine(({ cookie, header, query }, context) => exactlyOne({ cookie, header, query }, context)),
    ],
    { error: "write { cookie: {} }, { header: x-user }, { query: sid } or client-address" },
  )
  .optional()
  .describe(
    "How a client gets the endpoint again that it had before: by its address, or by one of the keys below. Others are balanced as usual.",
  );

/** `slowStart` of an upstream. */
export const slowStartSchema = z
  .union(
    [
      duration(),
      map({
        time: duration().describe("How long it takes until an endpoint has its full share."),
        floor: whole(1, 100).prefault(10).describe("Percent of its weight that it begins with."),
      }),
    ],
    { error: "write a duration such as 30s, or { time: 30s, floor: 10 }" },
  )
  .prefault("off")
  .describe(
    "How long an endpoint that is new or back gets less than its share, which rises in proportion to the time.",
  );

/** `rebalance` of an upstream. */
export const rebalanceSchema = map({
  tolerance: whole(0, 1000).prefault(20).describe("Percent above its share that an endpoint may have."),
  perSecond: whole(1, 10_000).prefault(10).describe("Sessions that each worker closes in a second at most."),
  dryRun: truth()
    .prefault(false)
    .describe("Closes none, and only says in `causeway_endpoint_surplus` how many are too many."),
})
  .optional()
  .describe(
    "Closes sessions, the oldest first, of endpoints that have more than their share, such as after others were added, so that clients come " +
      "back to those that have less. Without it open sessions stay.",
  );

/** How open sessions are spread anew, for the model. */
export function rebalanceSettings(rebalance: NonNullable<z.output<typeof rebalanceSchema>>): RebalanceSettings {
  const { tolerance, perSecond, dryRun } = rebalance;
  return { tolerance, perSecond, isDryRun: dryRun };
}

/** `split` of a route. */
export const splitSchema = keySchema()
  .optional()
  .describe(
    "What decides between several upstreams of `to`: the same key gets the same one, and a key moves only when a weight changes. " +
      "Without it they come in turn.",
  );

/** What of a client's request is hashed, for the model. */
export function keySource(key: z.output<ReturnType<typeof keySchema>>): KeySource {
  if (typeof key === "string") return { from: key };
  const { claim, ...fields } = key;
  if (claim === undefined) return namedField(fields);
  const isElsewhere = Object.values(fields).some((field) => field !== undefined);
  return { from: "claim", name: claim, token: namedField(isElsewhere ? fields : { header: "authorization" }) };
}

function namedField(key: Omit<z.output<typeof keyMap>, "claim">): NamedField {
  if (key.header !== undefined) return { from: "header", name: key.header.toLowerCase() };
  if (key.cookie !== undefined) return { from: "cookie", name: key.cookie };
  return { from: "query", name: key.query ?? "" };
}

/** How endpoints are chosen, for the model. */
export function balanceSettings(balance: z.output<typeof balanceSchema>): BalanceSettings {
  return typeof balance === "string" ? balance : { hash: keySource(balance.hash), table: balance.table };
}

/** How clients stick to endpoints, for the model; undefined if they do not. */
export function stickySettings(upstream: string, sticky: z.output<typeof stickySchema>): StickySettings | undefined {
  if (sticky === undefined) return undefined;
  if (typeof sticky === "string") return { by: "key", key: { from: sticky } };
  const { cookie, header, query } = sticky;
  return cookie === undefined
    ? { by: "key", key: keySource({ header, query }) }
    : { by: "cookie", cookie: cookieSettings(upstream, cookie) };
}

function cookieSettings(upstream: string, cookie: z.output<typeof cookieSchema>): StickyCookie {
  const { ttl, path, sameSite, secure } = cookie;
  // Clients need not know what upstreams are called, but each needs a cookie of its own.
  const name = cookie.name ?? `causeway-${hashText(upstream).toString(16).padStart(8, "0")}`;
  return { name, ttlMs: ttl, path, sameSite, secure: sameSite === "none" ? true : secure };
}

/** How endpoints start, for the model; undefined if at once. */
export function slowStartSettings(slowStart: z.output<typeof slowStartSchema>): SlowStartSettings | undefined {
  const { time, floor } = typeof slowStart === "number" ? { time: slowStart, floor: 10 } : slowStart;
  return time === 0 ? undefined : { ms: time, floor };
}
