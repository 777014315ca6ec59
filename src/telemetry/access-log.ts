import type { AccessRecord, HttpRecord, SessionCloseRecord } from "../core/access-record.ts";
import type { Traffic } from "../core/session.ts";
import { counted } from "../kit/counted.ts";
import { escapeControls, paint, timeOfDay } from "./line-text.ts";
import { redactTarget } from "./redact.ts";

/** One line of JSON: `time` (ISO 8601), then the record as the worker made it, with query values redacted. */
export function accessJson(record: AccessRecord, redacted: ReadonlySet<string>): string {
  const { at, kind, target, ...rest } = record;
  const line = { time: new Date(at).toISOString(), kind, ...rest, target: redactTarget(target, redacted) };
  return JSON.stringify(line, rounded);
}

/** Clocks give fractions of a nanosecond; a microsecond is enough for a log. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Math.round(value * 1000) / 1000 : value;
}

/** How a readable line is made. */
export type TextStyle = { readonly redacted: ReadonlySet<string>; readonly hasColors: boolean };

/** One readable line, such as `12:00:01.250 GET example.com/api?id=8 200 3 ms 512 B 10.0.0.7:5133 -> api 10.0.0.9:80`. */
export function accessText(record: AccessRecord, style: TextStyle): string {
  const color = style.hasColors ? paint : (text: string): string => text;
  const what = escapeControls(`${record.host}${redactTarget(record.target, style.redacted)}`);
  const where = escapeControls(way(record));
  const time = color(timeOfDay(record.at), "dim");
  switch (record.kind) {
    case "http": {
      const status = color(
        String(record.status),
        record.status >= 500 ? "red" : record.status >= 400 ? "yellow" : "green",
      );
      const method = record.isHandshake ? "WS" : escapeControls(record.method);
      const cost = `${duration(record.durationMs)} ${size(record.bytesOut)}`;
      return `${time} ${method} ${what} ${status} ${cost} ${where}${escapeControls(problem(record))}`;
    }
    case "session-open":
      return `${time} WS ${what} ${color("open", "green")} ${record.session} ${duration(record.handshakeMs)} ${where}`;
    case "session-close": {
      const hue = record.end.isClean ? "green" : "yellow";
      const end = color(escapeControls(ending(record)), hue);
      const carried = `in ${carriage(record.fromClient)}, out ${carriage(record.fromUpstream)}`;
      return `${time} WS ${what} ${end} ${record.session} ${duration(record.durationMs)} ${carried} ${where}`;
    }
  }
}

function way(record: AccessRecord): string {
  const to = [record.route, record.endpoint].filter((part) => part !== undefined).join(" ");
  return to === "" ? record.client : `${record.client} -> ${to}`;
}

function problem(record: HttpRecord): string {
  const said = [record.error, record.cause].filter((part) => part !== undefined).join(": ");
  const reported = record.report === undefined ? "" : ` (would be ${record.report})`;
  return `${said === "" ? "" : ` ${said}`}${reported}`;
}

function ending({ end }: SessionCloseRecord): string {
  const codes = { client: end.clientCode, upstream: end.upstreamCode, gateway: end.sentToClient };
  const code = codes[end.initiator];
  const parts = [`closed by ${end.initiator}`, end.reason === "closed" ? undefined : end.reason, code, end.detail];
  const reason = end.closeReason ? ` "${end.closeReason}"` : "";
  return `${parts.filter((part) => part !== undefined).join(" ")}${reason}`;
}

function carriage(traffic: Traffic): string {
  return `${counted(traffic.messages, "message")} ${size(traffic.bytes)}`;
}

function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const [amount, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : bytes < 1e9 ? [bytes / 1e6, "MB"] : [bytes / 1e9, "GB"];
  return `${amount.toFixed(1)} ${unit}`;
}
