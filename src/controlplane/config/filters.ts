import { z } from "zod";
import type {
  FilterSettings,
  IpSettings,
  LimitSettings,
  Rate,
  RedirectSettings,
  RewriteSettings,
} from "../../core/filter-settings.ts";
import { compileRegex } from "../../kit/regex.ts";
import { list, map, parsed, refuse, text, whole, word } from "./fields.ts";
import { headerChanges, headerValues } from "./header-fields.ts";
import { ipRange } from "./listeners.ts";
import { path, regex } from "./match.ts";
import { parseAllowedOrigin, parseRedirectHost } from "./origins.ts";

const rewrite = map(
  {
    prefix: path().optional().describe("What replaces the path that the route matched."),
    regex: regex().optional().describe("RE2 expression for the part of the raw path that is replaced."),
    to: text("write a replacement such as /b/$1")
      .optional()
      .describe("What replaces it; `$1` and `${name}` stand for groups."),
  },
  '{ prefix: / } or { regex: "^/a/(.*)$", to: "/b/$1" }',
)
  .superRefine((rewrite, context) => {
    if (rewrite.prefix === undefined && rewrite.regex === undefined) {
      refuse(context, { says: "nothing says what to rewrite", try: "write prefix, or regex and to" });
    } else if (rewrite.prefix !== undefined && (rewrite.regex ?? rewrite.to) !== undefined) {
      refuse(context, { says: "prefix stands alone", try: "write prefix, or regex and to" }, ["prefix"]);
    } else if (rewrite.regex !== undefined && rewrite.to === undefined) {
      refuse(context, { says: "regex needs to", try: 'add to: "/b/$1"' });
    } else if (rewrite.regex !== undefined && rewrite.to !== undefined) {
      const problem = whyBadReplacement(rewrite.regex, rewrite.to);
      if (problem !== undefined) refuse(context, { says: problem, try: "name groups that the expression has" }, ["to"]);
    }
    if (rewrite.to !== undefined && /[^\x21-\x7e]/.test(rewrite.to)) {
      refuse(context, { says: "to holds characters that a request encodes", try: `write ${encodeURI(rewrite.to)}` }, [
        "to",
      ]);
    }
  })
  .transform(
    (rewrite): RewriteSettings =>
      rewrite.regex === undefined
        ? { type: "rewrite", prefix: rewrite.prefix ?? "/" }
        : { type: "rewrite", regex: rewrite.regex, replacement: rewrite.to ?? "" },
  )
  .optional()
  .describe("Changes the path on its way upstream, in its raw form; the query stays.");

function whyBadReplacement(regex: string, to: string): string | undefined {
  try {
    compileRegex(regex).replacer(to);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const headers = map(
  {
    request: headerChanges("request").optional().describe("On the way to the upstream."),
    response: headerChanges("response").optional().describe("On the way to the client."),
  },
  "a map such as { request: { set: { x-tenant: a } } }",
)
  .transform(({ request = unchanged, response = unchanged }) => ({ type: "headers" as const, request, response }))
  .optional()
  .describe(
    "Sets, adds and removes headers of requests and answers: of handshakes, and of the gateway's own errors behind this filter, too.",
  );

const unchanged = { set: [], add: [], remove: [] };

const statuses = [301, 302, 303, 307, 308] as const;

const redirect = map({
  status: z
    .literal(statuses, { error: "write 301, 302, 303, 307 or 308" })
    .prefault(302)
    .describe("Status of the answer."),
  scheme: word("http", "https").optional().describe("Scheme to go to; that of the request otherwise."),
  host: parsed({ write: "write a host such as www.example.com", title: "host", parse: parseRedirectHost })
    .optional()
    .describe("Host to go to, with a port if one is wanted; that of the request otherwise."),
  path: path().optional().describe("Path to go to; that of the request otherwise. The query stays."),
})
  .refine((to) => (to.scheme ?? to.host ?? to.path) !== undefined, {
    error: "write scheme, host or path; without one of them it leads back to itself",
  })
  .transform(
    ({ status, scheme, host, path }): RedirectSettings => ({
      type: "redirect",
      status,
      ...(scheme === undefined ? {} : { scheme }),
      ...(host === undefined ? {} : { host }),
      ...(path === undefined ? {} : { path }),
    }),
  )
  .optional()
  .describe("Answers with a redirect.");

const respond = map({
  status: whole(200, 599).prefault(200).describe("Status of the answer."),
  body: text("write a text").prefault("").describe("Content of the answer."),
  headers: headerValues().optional().describe("Headers of the answer."),
})
  .superRefine(({ status, body }, context) => {
    if (status === 304)
      refuse(context, { says: "304 only answers conditional requests", try: "write 200" }, ["status"]);
    if ((status === 204 || status === 205) && body !== "") {
      refuse(context, { says: `${status} has no content`, try: "remove the body, or write status 200" }, ["body"]);
    }
  })
  .transform(({ status, body, headers = [] }) => ({ type: "respond" as const, status, body, headers }))
  .optional()
  .describe("Answers with a fixed response.");

const origin = map({
  allow: list(
    parsed({ write: "write an origin such as https://example.com", title: "origin", parse: parseAllowedOrigin }),
    '[ "https://*.example.com" ]',
  )
    .prefault([])
    .describe(
      "Origins, origins with a `*.` host, `/regex/`, or `*`. A page of the requested host itself is always allowed.",
    ),
  mode: word("block", "report").prefault("block").describe("`report` lets everything pass and writes it to the log."),
})
  .transform(({ allow, mode }) => ({ type: "origin" as const, allow, mode }))
  .optional()
  .describe(
    "Checks `Origin` before the upstream hears of the exchange (403). A route without this filter has a check all the same: " +
      "a handshake that brings cookies from a page of another origin is refused.",
  );

const ip = map({
  allow: list(ipRange(), "[ 10.0.0.0/8 ]").prefault([]).describe("Who may pass; everybody if there is nothing here."),
  deny: list(ipRange(), "[ 203.0.113.0/24 ]").prefault([]).describe("Who may not; this wins over `allow`."),
  trustedProxies: list(ipRange(), "[ 10.0.0.0/8 ]")
    .optional()
    .describe("Whose `X-Forwarded-For` is believed for this check, instead of the listener's."),
})
  .refine(({ allow, deny }) => allow.length + deny.length > 0, {
    error: "write allow or deny; without them it does nothing",
  })
  .transform(
    ({ allow, deny, trustedProxies }): IpSettings => ({
      type: "ip",
      allow,
      deny,
      ...(trustedProxies === undefined ? {} : { trustedProxies }),
    }),
  )
  .optional()
  .describe("Allows or denies client addresses (403).");

const perSecond = z
  .number({ error: "write a number above 0" })
  .gt(0, { error: "write a number above 0" })
  .max(1_000_000, {
    error: "write at most 1000000",
  });

const rate = () =>
  z
    .union(
      [
        perSecond,
        map({
          rate: perSecond.describe("New exchanges a second in the long run."),
          burst: whole(1, 1_000_000).describe("New exchanges at once."),
        }),
      ],
      { error: "write a number of exchanges a second, or { rate: 100, burst: 200 }" },
    )
    .transform((limit): Rate => (typeof limit === "number" ? { rate: limit, burst: Math.ceil(limit) } : limit));

const limit = map({
  sessions: whole(1, 10_000_000).optional().describe("Open sessions of the route."),
  sessionsPerAddress: whole(1, 10_000_000).optional().describe("Open sessions of the route from one client address."),
  perSecond: rate().optional().describe("New exchanges of the route a second, or a map with the keys below."),
  perSecondPerAddress: rate().optional().describe("The same from one client address."),
})
  .refine((limits) => Object.values(limits).some((value) => value !== undefined), {
    error: "write sessions, sessionsPerAddress, perSecond or perSecondPerAddress",
  })
  .transform(
    ({ sessions, sessionsPerAddress, perSecond, perSecondPerAddress }): LimitSettings => ({
      type: "limit",
      ...(sessions === undefined ? {} : { sessions }),
      ...(sessionsPerAddress === undefined ? {} : { sessionsPerAddress }),
      ...(perSecond === undefined ? {} : { perSecond }),
      ...(perSecondPerAddress === undefined ? {} : { perSecondPerAddress }),
    }),
  )
  .optional()
  .describe("Limits open sessions, and new exchanges per second (429 with `Retry-After`).");

/** One item of `filters`: the name of a filter and its settings. */
export const filterSchema = map(
  { rewrite, headers, redirect, respond, origin, ip, limit },
  "one filter, such as { rewrite: { prefix: / } }",
).transform((item, context): FilterSettings => {
  const given = Object.values(item).filter((settings) => settings !== undefined);
  const [filter] = given;
  if (filter !== undefined && given.length === 1) return filter;
  const says =
    given.length === 0 ? "there is no filter here" : "one item holds several filters, whose order is not said";
  refuse(context, { says, try: "write every filter as an item of its own, such as - rewrite: { prefix: / }" });
  return z.NEVER;
});
