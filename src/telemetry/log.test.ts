import { expect, test } from "bun:test";
import type { AccessRecord } from "../core/access-record.ts";
import { LineOutput } from "./line-output.ts";
import { Log } from "./log.ts";

const record: AccessRecord = {
  kind: "http",
  at: 0,
  requestId: "r",
  listener: "web",
  client: "127.0.0.1:1",
  host: "h",
  method: "GET",
  target: "/?key=s3cret",
  isHandshake: false,
  status: 200,
  durationMs: 1,
  bytesIn: 0,
  bytesOut: 0,
  tries: 1,
};

function open(format: "auto" | "json" | "text", isTerminal = false) {
  const out: string[] = [];
  const err: string[] = [];
  const streams = {
    stdout: new LineOutput(async (text) => void out.push(text)),
    stderr: new LineOutput(async (text) => void err.push(text)),
    isTerminal,
    colors: { stdout: isTerminal, stderr: false },
  };
  return { out, err, log: new Log(streams, { format, access: true, redactQuery: ["key"] }) };
}

test("as JSON, events and records share standard output", async () => {
  const { out, err, log } = open("json");
  log.warn("worker-ended", "it ended", { worker: "1" });
  log.records([record], 0);
  await log.flush(1000);
  const lines = out
    .join("")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines[0]).toMatchObject({
    kind: "event",
    level: "warn",
    event: "worker-ended",
    message: "it ended",
    worker: "1",
  });
  expect(lines[1]).toMatchObject({ kind: "http", target: "/?key=***" });
  expect(err).toEqual([]);
});

test("as text, events go to standard error, one line each", async () => {
  const { out, err, log } = open("text");
  log.error("config-refused", "two\nlines \x1b[2J");
  log.records([record], 0);
  await log.flush(1000);
  expect(err.join("")).toMatch(/^\S+ error two\n\S+ error lines \\u001b\[2J\n$/);
  expect(out.join("")).toContain("GET h/?key=*** 200");
});

test("auto means text on a terminal and JSON elsewhere", () => {
  expect(open("auto", true).log.format).toBe("text");
  expect(open("auto", false).log.format).toBe("json");
});

test("new settings hold from the next line on, and lost records are counted even without an access log", async () => {
  const { out, log } = open("json");
  log.configure({ format: "json", access: true, redactQuery: [] });
  log.records([record], 3);
  log.configure({ format: "json", access: false, redactQuery: [] });
  log.records([record], 4);
  await log.flush(1000);
  expect(out.join("").trim().split("\n").length).toBe(1);
  expect(out.join("")).toContain("s3cret");
  expect(log.dropped).toBe(7);
});
