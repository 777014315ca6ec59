import { expect, test } from "bun:test";
import type { AccessRecord, SessionCloseRecord } from "../core/access-record.ts";
import { accessJson, accessText } from "./access-log.ts";
import { redactedNames } from "./redact.ts";

const redacted = redactedNames(["token"]);
const common = {
  at: Date.UTC(2030, 0, 2, 3, 4, 5, 678),
  requestId: "r1",
  listener: "web",
  client: "10.0.0.7:5133",
  host: "example.com",
  method: "GET",
  target: "/chat?token=s3cret",
  route: "chat",
  upstream: "app",
  endpoint: "10.0.0.9:80",
};
const http = (more: Partial<Extract<AccessRecord, { kind: "http" }>> = {}): AccessRecord => ({
  ...common,
  kind: "http",
  isHandshake: false,
  status: 200,
  durationMs: 3.4,
  bytesIn: 0,
  bytesOut: 1500,
  tries: 1,
  ...more,
});
const traffic = { messages: 2, frames: 3, bytes: 12, pings: 0, pongs: 0 };
const closed: SessionCloseRecord = {
  ...common,
  kind: "session-close",
  session: "s1",
  durationMs: 61_000,
  end: {
    reason: "closed",
    initiator: "upstream",
    upstreamCode: 4321,
    sentToClient: 4321,
    closeReason: "te\nst\x1b[2J",
    isClean: true,
  },
  fromClient: traffic,
  fromUpstream: traffic,
};

function text(record: AccessRecord): string {
  return accessText(record, { redacted, hasColors: false }).replace(/^\S+ /, "");
}

test("a JSON line has the time first and no secret", () => {
  const line = accessJson(http(), redacted);
  expect(line.startsWith('{"time":"2030-01-02T03:04:05.678Z","kind":"http"')).toBe(true);
  expect(JSON.parse(line)).toMatchObject({ target: "/chat?token=***", status: 200, requestId: "r1" });
  expect(line).not.toContain("s3cret");
  expect(line).not.toContain('"at"');
});

test("a JSON line carries both close codes, who began, and the traffic of both directions", () => {
  const line = JSON.parse(accessJson(closed, redacted));
  expect(line.end).toEqual(closed.end);
  expect(line.fromClient).toEqual(traffic);
});

test("fractions of a microsecond do not fill the log", () => {
  expect(accessJson(http({ durationMs: 9.079355999999962 }), redacted)).toContain('"durationMs":9.079,');
});

test("a session that the gateway ends shows the code that the gateway chose", () => {
  const end = { reason: "admin", initiator: "gateway", upstreamCode: 1005, sentToClient: 4321, isClean: true } as const;
  expect(text({ ...closed, end })).toContain("closed by gateway admin 4321 s1");
});

test("an exchange reads as one short line", () => {
  expect(text(http())).toBe("GET example.com/chat?token=*** 200 3 ms 1.5 kB 10.0.0.7:5133 -> chat 10.0.0.9:80");
});

test("a refused handshake says which error it was and why", () => {
  const line = text(
    http({ isHandshake: true, status: 502, error: "upstream_refused", cause: "connect failed", bytesOut: 90 }),
  );
  expect(line).toBe(
    "WS example.com/chat?token=*** 502 3 ms 90 B 10.0.0.7:5133 -> chat 10.0.0.9:80 upstream_refused: connect failed",
  );
});

test("the end of a session names code and reason, and control characters of a peer stay harmless", () => {
  expect(text(closed)).toBe(
    'WS example.com/chat?token=*** closed by upstream 4321 "te\\u000ast\\u001b[2J" s1 1 min ' +
      "in 2 messages 12 B, out 2 messages 12 B 10.0.0.7:5133 -> chat 10.0.0.9:80",
  );
});

test("colours come only when they are wanted", () => {
  expect(accessText(http(), { redacted, hasColors: true })).toContain("\x1b[32m200\x1b[0m");
  expect(text(http())).not.toContain("\x1b");
});
