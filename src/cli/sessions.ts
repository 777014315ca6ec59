import type { SessionSummary } from "../core/session.ts";
import { escapeControls } from "../telemetry/line-text.ts";
import { AdminFailure, type AdminPlace, adminPlace, askAdmin } from "./admin-client.ts";
import { type Column, table } from "./table.ts";
import { parseOptions, UsageError } from "./usage.ts";

const conditions = ["id", "worker", "route", "upstream", "endpoint", "listener", "client", "host", "state"] as const;

const options = {
  id: { type: "string" },
  worker: { type: "string" },
  route: { type: "string" },
  upstream: { type: "string" },
  endpoint: { type: "string" },
  listener: { type: "string" },
  client: { type: "string" },
  host: { type: "string" },
  state: { type: "string" },
  limit: { type: "string" },
  code: { type: "string" },
  reason: { type: "string" },
  json: { type: "boolean" },
  admin: { type: "string" },
  token: { type: "string" },
} as const;

type Values = ReturnType<typeof parseOptions<typeof options>>["values"];

/** `causeway sessions [list|close]`: what the admin API knows of open sessions, and the end of some. */
export async function sessions(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, options);
  const [action = "list", ...operands] = positionals;
  try {
    const place = adminPlace(values);
    if (action === "list") return await list(place, values, operands);
    if (action === "close") return await close(place, values, operands);
  } catch (error) {
    if (!(error instanceof AdminFailure)) throw error;
    process.stderr.write(`causeway sessions: ${error.message}\n`);
    return error.isUsage ? 2 : 1;
  }
  throw new UsageError(`there is no ${JSON.stringify(action)}; it is list or close`);
}

async function list(place: AdminPlace, values: Values, operands: readonly string[]): Promise<number> {
  if (operands.length > 0)
    throw new UsageError(`list takes conditions such as --route, not ${JSON.stringify(operands[0])}`);
  refuse(values, ["code", "reason"], "list");
  checkState(values);
  if (values.limit !== undefined && !/^[1-9]\d{0,3}$|^10000$/.test(values.limit))
    throw new UsageError(`--limit takes a number from 1 to 10000, not ${JSON.stringify(values.limit)}`);
  const answer = await askAdmin(place, `/api/sessions?${query(values, [...conditions, "limit"])}`);
  if (values.json) return printJson(answer);
  // The admin API is this very program; a stranger's answer shows as an empty table at worst.
  const { items = [], total = 0 } = answer as { items?: readonly SessionSummary[]; total?: number };
  // A pipe gets whole values; only a terminal has an edge to fit.
  const width = process.stdout.isTTY ? process.stdout.columns : 0;
  for (const line of sessionTable(items, { now: Date.now(), width })) process.stdout.write(`${line}\n`);
  if (total === 0) process.stderr.write("no session is open, or none like that\n");
  if (total > items.length) process.stderr.write(`${items.length} of ${total} sessions; --limit shows more\n`);
  return 0;
}

async function close(place: AdminPlace, values: Values, operands: readonly string[]): Promise<number> {
  const [id, ...more] = operands;
  if (more.length > 0) throw new UsageError("close takes one id, or conditions such as --route");
  refuse(values, ["limit"], "close");
  checkState(values);
  const given = conditions.filter((name) => values[name] !== undefined);
  if (id === undefined && given.length === 0)
    throw new UsageError("say which sessions: an id, or conditions such as --route");
  if (id !== undefined && given.length > 0) throw new UsageError(`an id stands alone; leave out --${given[0]}`);
  const target =
    id === undefined
      ? `/api/sessions?${query(values, [...conditions, "code", "reason"])}`
      : `/api/sessions/${encodeURIComponent(id)}?${query(values, ["code", "reason"])}`;
  const answer = await askAdmin(place, target, "DELETE");
  if (values.json) return printJson(answer);
  const { closed = 0 } = answer as { closed?: number };
  process.stdout.write(`${closing(closed)}\n`);
  return 0;
}

function closing(count: number): string {
  if (count === 0) return "no open session is like that";
  return count === 1 ? "1 session is closing" : `${count} sessions are closing`;
}

function refuse(values: Values, names: readonly ("code" | "reason" | "limit")[], action: string): void {
  const found = names.find((name) => values[name] !== undefined);
  if (found !== undefined) throw new UsageError(`${action} takes no --${found}`);
}

function checkState({ state }: Values): void {
  if (state !== undefined && state !== "open" && state !== "closing")
    throw new UsageError(`--state takes open or closing, not ${JSON.stringify(state)}`);
}

function query(values: Values, names: readonly Exclude<keyof typeof options, "json">[]): string {
  const parameters = new URLSearchParams();
  for (const name of names) {
    const value = values[name];
    if (value !== undefined) parameters.set(name, value);
  }
  return parameters.toString();
}

function printJson(answer: unknown): number {
  process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  return 0;
}

const columns: readonly Column[] = [
  { heading: "ID" },
  { heading: "STATE", leaves: 1 },
  { heading: "ROUTE", least: 6 },
  { heading: "CLIENT", least: 12, cut: "start", leaves: 2 },
  { heading: "HOST AND PATH", least: 10, cut: "start" },
  { heading: "ENDPOINT", least: 12, cut: "start", isSpare: true },
  { heading: "AGE", align: "right", leaves: 3 },
  { heading: "IN", align: "right", leaves: 5 },
  { heading: "OUT", align: "right", leaves: 4 },
];

/** The lines of a table of sessions: IN and OUT count messages from and to the client; `width` 0 means any. */
export function sessionTable(
  items: readonly SessionSummary[],
  screen: { readonly now: number; readonly width: number },
): string[] {
  const rows = items.map((item) =>
    [
      item.id,
      item.state,
      item.route,
      item.client,
      `${item.host}${item.path}`,
      item.endpoint,
      age(screen.now - item.openedAt),
      String(item.fromClient.messages),
      String(item.fromUpstream.messages),
    ].map(escapeControls),
  );
  return table(columns, rows, screen.width);
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${Math.floor((seconds % 86_400) / 3600)}h`;
}
