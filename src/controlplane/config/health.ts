import { z } from "zod";
import type { CheckSettings, ProbeSettings, StatusRange } from "../../core/health-settings.ts";
import { type Context, list, Misread, map, pace, parsed, refuse, text, truth, whole, word } from "./fields.ts";

const statuses = z.union([whole(100, 599).transform((status) => ({ from: status, to: status })), statusRange()], {
  error: "write a status such as 204, or a range such as 200-299",
});

function statusRange() {
  return parsed({ write: "write a range such as 200-299", title: "range", parse: parseRange });
}

function parseRange(text: string): StatusRange | Misread {
  const [, from = "", to = from] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text) ?? [];
  if (from === "" || Number(from) > Number(to))
    return new Misread(`"${text}" is no range of statuses`, "write a range such as 200-299");
  return { from: Number(from), to: Number(to) };
}

/** A path and a query as they stand in a request line. */
function target() {
  return parsed({
    write: "write a path such as /healthz",
    title: "path",
    parse: (text) =>
      /^\/[\x21\x22\x24-\x7e]*$/.test(text)
        ? text
        : new Misread(`"${text}" is no path`, "write a path such as /healthz"),
  });
}

function authority() {
  return parsed({
    write: "write a host name such as app.example.com",
    title: "host",
    parse: (text) =>
      /^[\w.-]+(:\d{1,5})?$|^\[[\da-f:.]+\](:\d{1,5})?$/i.test(text)
        ? text
        : new Misread(`"${text}" is no host`, "write a host name such as app.example.com"),
  });
}

function subprotocol() {
  return parsed({
    write: "write the name of a subprotocol such as v2.chat",
    title: "subprotocol",
    parse: (text) =>
      /^[\w!#$%&'*+.^`|~-]+$/.test(text)
        ? text
        : new Misread(`"${text}" is no subprotocol`, "write one name such as v2.chat"),
  });
}

const message = map(
  {
    send: z
      .string({ error: "write the text to send" })
      .refine((send) => Buffer.byteLength(send) < 65_536, { error: "write at most 65,535 bytes" })
      .describe("Text message that is sent after the handshake."),
    expect: text("write a text that the answer contains")
      .optional()
      .describe("A message that holds this text has to come back; `send` itself unless given."),
  },
  "{ send: ping, expect: pong }",
);

/** Keys of a check, and the types that know them. */
const keysOfTypes: Readonly<Record<string, readonly CheckType[]>> = {
  path: ["http", "https", "websocket"],
  host: ["http", "https", "websocket"],
  method: ["http", "https"],
  statuses: ["http", "https"],
  contains: ["http", "https"],
  protocol: ["websocket"],
  message: ["websocket"],
  secure: ["websocket"],
};

type CheckType = ProbeSettings["type"];

/** `health` of an upstream: its active checks. */
export const healthSchema = map({
  type: word("tcp", "http", "https", "websocket").describe(
    "`tcp`: a connection. `http`, `https`: a request and its answer. `websocket`: a handshake, a ping or a message that is answered, and a clean close. Endpoints that speak TLS are verified as for traffic; another `port` may show any certificate.",
  ),
  port: whole(1, 65_535).optional().describe("Port that is checked; that of the endpoint unless given."),
  path: target().optional().describe("`http`, `https`, `websocket`: path, with a query if you like; `/` unless given."),
  host: authority()
    .optional()
    .describe("`http`, `https`, `websocket`: `Host`, and the name in TLS; the endpoint's address unless given."),
  method: word("GET", "HEAD", "OPTIONS", "POST").optional().describe("`http`, `https`: `GET` unless given."),
  statuses: list(statuses, "[ 200-299, 401 ]")
    .min(1, { error: "write at least one status" })
    .optional()
    .describe("`http`, `https`: statuses that are good; `[ 200-399 ]` unless given."),
  contains: text("write a text that the body contains")
    .optional()
    .describe("`http`, `https`: what the body of the answer has to contain."),
  protocol: subprotocol().optional().describe("`websocket`: the subprotocol that is offered, and has to be chosen."),
  message: message.optional().describe("`websocket`: a message that has to be answered; without it a ping has to be."),
  secure: truth().optional().describe("`websocket`: over TLS; `false` unless given."),
  interval: pace()
    .prefault("2s")
    .describe(
      "The next check follows after eight to nine tenths of this; 100ms to 5m. After a first failure the others that it takes follow within one, or one `timeout` later if nothing is answered.",
    ),
  timeout: pace().prefault("5s").describe("How long one check may take; 100ms to 5m."),
  healthy: whole(1, 10).prefault(3).describe("Good checks in a row that bring an endpoint back."),
  unhealthy: whole(1, 10).prefault(3).describe("Failed checks in a row that take an endpoint out."),
  onUnhealthy: word("keep", "close")
    .prefault("keep")
    .describe(
      "What happens to the open sessions of an endpoint that is taken out: they stay, or get their Close at once.",
    ),
}).superRefine(checkKeys);

function checkKeys(check: Readonly<Record<string, unknown>> & { readonly type: CheckType }, context: Context): void {
  for (const [key, types] of Object.entries(keysOfTypes)) {
    if (check[key] === undefined || types.includes(check.type)) continue;
    refuse(
      context,
      { says: `a check of type ${check.type} has no ${key}`, try: `remove it, or write type: ${types[0]}` },
      [key],
    );
  }
  if (check.contains !== undefined && check.method === "HEAD")
    refuse(context, { says: "the answer to HEAD has no body", try: "write method: GET, or remove contains" }, [
      "contains",
    ]);
}

/** The checks for the model. */
export function checkSettings(health: z.output<typeof healthSchema>): CheckSettings {
  const { interval, timeout, healthy, unhealthy, port } = health;
  return {
    probe: { ...(port === undefined ? {} : { port }), ...probeSettings(health) },
    intervalMs: interval,
    timeoutMs: timeout,
    healthy,
    unhealthy,
  };
}

function probeSettings(health: z.output<typeof healthSchema>): ProbeSettings {
  const { type, path = "/", host, method = "GET", contains, protocol, message } = health;
  const request = { path, ...(host === undefined ? {} : { host }) };
  switch (type) {
    case "tcp":
      return { type };
    case "http":
    case "https": {
      const good = health.statuses ?? [{ from: 200, to: 399 }];
      return { type, method, ...request, statuses: good, ...(contains === undefined ? {} : { contains }) };
    }
    case "websocket": {
      const exchange =
        message === undefined ? ({ kind: "ping" } as const) : ({ kind: "message", ...said(message) } as const);
      const wanted = protocol === undefined ? {} : { protocol };
      return { type, isSecure: health.secure ?? false, ...request, ...wanted, exchange };
    }
  }
}

function said({ send, expect }: z.output<typeof message>): { readonly send: string; readonly expect?: string } {
  return expect === undefined ? { send } : { send, expect };
}
