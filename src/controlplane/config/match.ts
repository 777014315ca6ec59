import { z } from "zod";
import { parseTarget } from "../../core/request-target.ts";
import type { PathMatch, RouteMatch, ValueMatch } from "../../core/snapshot.ts";
import { compileRegex } from "../../kit/regex.ts";
import { parseHostPattern } from "./addresses.ts";
import { list, Misread, map, named, parsed, quotedOr, refuse, text, truth } from "./fields.ts";
import { parseHeaderName } from "./header-fields.ts";

/** A regular expression in RE2 syntax, as it was written. */
export function regex() {
  return parsed({ write: 'write a regular expression such as "^/chat/[0-9]+$"', title: "regex", parse: parseRegex });
}

/** Gives a regular expression back if RE2 understands it. */
export function parseRegex(text: string): string | Misread {
  try {
    compileRegex(text);
    return text;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return new Misread(message, "write RE2 syntax, without look-around and back-references");
  }
}

/** A path as it stands in a request: it begins with `/` and is encoded. */
export function path() {
  return parsed({ write: "write a path such as /chat", title: "path", parse: parsePath });
}

function parsePath(text: string): string | Misread {
  if (!text.startsWith("/")) return new Misread(`"${text}" does not begin with /`, `write /${text.replace(/^\*/, "")}`);
  if (/[?#]/.test(text))
    return new Misread("a path holds no query and no fragment", `write ${text.replace(/[?#].*$/, "")}`);
  if (text.includes("*")) return new Misread("* means nothing in a path", "write a prefix without it, or { regex: … }");
  if (/[^\x21-\x7e]/.test(text))
    return new Misread(`"${text}" holds characters that a request encodes`, `write ${encodeURI(text)}`);
  const target = parseTarget(text);
  if ("problem" in target)
    return new Misread(`${target.problem}, and such requests are refused`, "write the path that is meant");
  return text;
}

const pathMatch = z
  .union(
    [
      path(),
      map({
        prefix: path().optional().describe("The path, or anything below it."),
        exact: path().optional().describe("This path only."),
        regex: regex().optional().describe("RE2 expression for the whole path."),
      }).refine((forms) => countOf(forms) === 1, { error: "write one of prefix, exact and regex" }),
    ],
    { error: "write a path such as /chat, or { exact: /chat }, or { regex: … }" },
  )
  .optional()
  .describe(
    "A prefix that ends on a segment border (`/chat` matches `/chat/x`, not `/chats`), or a map with one of the keys below.",
  );

const valueMatch = z.union(
  [
    text("write the value in quotes"),
    map({
      exact: text("write the value in quotes").optional().describe("The whole value."),
      regex: regex().optional().describe("RE2 expression for the whole value."),
      present: truth().optional().describe("Whether it has to be there (true) or must not (false)."),
    }).refine((forms) => countOf(forms) === 1, { error: "write one of exact, regex and present" }),
  ],
  { error: quotedOr("write a value, or { regex: … }, or { present: true }") },
);

function countOf(forms: Readonly<Record<string, unknown>>): number {
  return Object.values(forms).filter((form) => form !== undefined).length;
}

const host = () => parsed({ write: "write a host such as example.com", title: "host", parse: parseHostPattern });

const method = () => parsed({ write: "write a method such as GET", title: "method", parse: parseMethod });

function parseMethod(text: string): string | Misread {
  if (/^[A-Z][A-Z-]*$/.test(text)) return text;
  const upper = text.toUpperCase();
  return new Misread(
    `"${text}" is no method`,
    `write ${/^[A-Z][A-Z-]*$/.test(upper) ? upper : "a method such as GET"}`,
  );
}

/** `match` of a route. */
export const matchSchema = map(
  {
    host: host().optional().describe("Host name, `*.example.com`, or nothing for any host."),
    hosts: list(host(), '[ "*.example.com" ]')
      .min(1, { error: "write a host, or leave out hosts to match any" })
      .optional()
      .describe("Several hosts, instead of `host`."),
    path: pathMatch,
    method: method().optional().describe("Method, in capitals. A WebSocket handshake is a GET."),
    methods: list(method(), "[ GET, POST ]")
      .min(1, { error: "write a method, or leave out methods to match any" })
      .optional()
      .describe("Several methods, instead of `method`."),
    headers: named(valueMatch, "{ x-tenant: a }")
      .optional()
      .describe("Conditions on headers by name: the exact value, or a map with one of the keys below."),
    query: named(valueMatch, '{ version: "2" }')
      .optional()
      .describe("Conditions on query parameters by name, written like those on headers."),
  },
  "a map such as { path: /chat }",
)
  .superRefine((match, context) => {
    if (match.host !== undefined && match.hosts !== undefined) {
      refuse(context, { says: "host and hosts are both given", try: "write all of them under hosts" }, ["host"]);
    }
    if (match.method !== undefined && match.methods !== undefined) {
      refuse(context, { says: "method and methods are both given", try: "write all of them under methods" }, [
        "method",
      ]);
    }
    for (const name of Object.keys(match.headers ?? {})) {
      const read = parseHeaderName(name);
      if (read instanceof Misread) refuse(context, read.problem, ["headers", name]);
    }
  })
  .transform(matchSettings);

function matchSettings(match: {
  readonly host?: string | undefined;
  readonly hosts?: readonly string[] | undefined;
  readonly path?: z.output<typeof pathMatch>;
  readonly method?: string | undefined;
  readonly methods?: readonly string[] | undefined;
  readonly headers?: Readonly<Record<string, z.output<typeof valueMatch>>> | undefined;
  readonly query?: Readonly<Record<string, z.output<typeof valueMatch>>> | undefined;
}): RouteMatch {
  return {
    hosts: [...new Set(match.hosts ?? (match.host === undefined ? [] : [match.host]))],
    path: pathSettings(match.path),
    methods: [...new Set(match.methods ?? (match.method === undefined ? [] : [match.method]))],
    headers: Object.entries(match.headers ?? {}).map(([name, value]) => valueSettings(name.toLowerCase(), value)),
    query: Object.entries(match.query ?? {}).map(([name, value]) => valueSettings(name, value)),
  };
}

function pathSettings(match: z.output<typeof pathMatch>): PathMatch {
  const { prefix, exact, regex } =
    typeof match === "string" ? { prefix: match } : { exact: undefined, regex: undefined, ...match };
  if (exact !== undefined) return { kind: "exact", value: exact };
  if (regex !== undefined) return { kind: "regex", value: regex };
  return prefix === undefined || prefix === "/" ? { kind: "any" } : { kind: "prefix", value: prefix };
}

function valueSettings(name: string, match: z.output<typeof valueMatch>): ValueMatch {
  if (typeof match === "string") return { name, test: { kind: "exact", value: match } };
  if (match.exact !== undefined) return { name, test: { kind: "exact", value: match.exact } };
  if (match.regex !== undefined) return { name, test: { kind: "regex", value: match.regex } };
  return { name, test: { kind: match.present === false ? "absent" : "present" } };
}
