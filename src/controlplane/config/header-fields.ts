import type { HeaderChanges, NameAndValue } from "../../core/filter-settings.ts";
import { list, Misread, map, named, parsed, refuse, text } from "./fields.ts";

/** Fields that belong to one connection, frame the message, or make the handshake (RFC 9110 §7.6.1, RFC 9112 §6, RFC 6455 §11.3). */
const ownFields: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "te",
  "trailer",
  "proxy-connection",
]);

/** Reads the name of a header field. */
export function parseHeaderName(text: string): string | Misread {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)) return text;
  return new Misread(`"${text}" is no header name`, "write letters, digits and hyphens");
}

/** Says why a header cannot be changed by a configuration, if it cannot. */
function whyRefused(name: string, allowsHost: boolean): Misread | undefined {
  const read = parseHeaderName(name);
  if (read instanceof Misread) return read;
  // Backends read _ and . in a name as -, so Content_Length is refused like the name it stands for.
  const key = name.toLowerCase().replace(/[_.]/g, "-");
  if (ownFields.has(key) || key.startsWith("sec-websocket-")) {
    return new Misread(`${name} belongs to the gateway`, "remove it; the gateway writes what each connection needs");
  }
  if (key !== "host" || allowsHost) return undefined;
  return new Misread("Host can only be set, and only in a request", "write it under request.set");
}

/** A map from header names to values, as a list. */
export function headerValues(options: { readonly host: "allowed" | "refused" } = { host: "refused" }) {
  return named(text("write the value in quotes"), "{ x-frame-options: DENY }")
    .superRefine(
      (values, context) => {
        for (const [name, value] of Object.entries(values)) {
          const problem = whyRefused(name, options.host === "allowed")?.problem ?? whyBadValue(value);
          if (problem !== undefined) refuse(context, problem, [name]);
        }
      },
      { when: ({ value }) => isMap(value) },
    )
    .transform((values): readonly NameAndValue[] => Object.entries(values).map(([name, value]) => ({ name, value })));
}

/** Names are checked even where values are none; what is no map at all was refused before. */
function isMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function whyBadValue(value: unknown) {
  if (typeof value !== "string") return undefined;
  if (/[\r\n\0]/.test(value)) return { says: "the value holds a line break or NUL", try: "write it in one line" };
  if (/[^\t\x20-\x7e]/.test(value))
    return { says: "the value holds characters that are not ASCII", try: "encode them" };
  return undefined;
}

function headerNames() {
  const name = parsed({
    write: "write the name of a header",
    title: "header name",
    parse: (text) => whyRefused(text, false) ?? text,
  });
  return list(name, "[ server ]");
}

/** `request` or `response` of the filter `headers`. */
export function headerChanges(direction: "request" | "response") {
  return map(
    {
      set: headerValues({ host: direction === "request" ? "allowed" : "refused" })
        .optional()
        .describe("Headers that get this one value."),
      add: headerValues().optional().describe("Headers that get a further value."),
      remove: headerNames().optional().describe("Headers that are removed."),
    },
    "a map such as { set: { x-tenant: a } }",
  ).transform(
    (changes): HeaderChanges => ({ set: changes.set ?? [], add: changes.add ?? [], remove: changes.remove ?? [] }),
  );
}
