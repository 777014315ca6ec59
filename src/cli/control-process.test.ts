import { expect, test } from "bun:test";
import { sampleConfiguration, sampleSession } from "../../test/support/fake-view.ts";
import { type FakeBehaviour, fakeWorkers } from "../../test/support/fake-worker.ts";
import { PushedSource } from "../../test/support/pushed-source.ts";
import { until } from "../../test/support/until.ts";
import type { Configuration, ConfigurationText, Reading } from "../core/configuration.ts";
import type { Answer, Question } from "../core/worker-protocol.ts";
import { LineOutput } from "../telemetry/line-output.ts";
import { ControlProcess } from "./control-process.ts";

/** The text is JSON over the sample configuration. */
function read(texts: readonly ConfigurationText[]): Reading {
  try {
    const more = JSON.parse(texts[0]?.text ?? "") as { model?: object; settings?: object };
    const configuration = {
      model: { ...sampleConfiguration.model, ...more.model },
      settings: { ...sampleConfiguration.settings, ...more.settings },
    } as Configuration;
    return { configuration, issues: [] };
  } catch {
    return {
      configuration: undefined,
      issues: [{ severity: "error", at: { source: "a.yaml", path: "" }, says: "broken" }],
    };
  }
}

function answer(question: Question): Answer {
  switch (question.about) {
    case "sessions":
      return { about: "sessions", items: [sampleSession({ id: "s1" })], total: 1 };
    case "close":
      return { about: "close", closed: 1 };
    case "metrics":
      return {
        about: "metrics",
        families: [
          {
            name: "causeway_sessions",
            help: "Open sessions.",
            type: "gauge",
            values: [{ labels: { route: "a" }, value: 7 }],
          },
        ],
      };
    case "status": {
      const counts = { sessions: 1, connections: 1, sessionsByRevision: {}, sessionsByRoute: {}, residentMemory: 1 };
      return { about: "status", status: { revision: 1, state: "serving", listeners: [], upstreams: [], ...counts } };
    }
  }
}

async function open(behaviour: FakeBehaviour = {}, first = "{}") {
  const source = new PushedSource();
  const workers = fakeWorkers({
    onAsk: (question, id) => ({ type: "answer", id, answer: answer(question) }),
    ...behaviour,
  });
  const out: string[] = [];
  const output = new LineOutput(async (text) => void out.push(text));
  source.push(first);
  const streams = { stdout: output, stderr: output, isTerminal: false, colors: { stdout: false, stderr: false } };
  const control = await ControlProcess.open({ sources: [source], read, startWorker: workers.start, streams });
  return { source, workers, out, control };
}

async function opened(behaviour: FakeBehaviour = {}) {
  const { control, ...rest } = await open(behaviour);
  if (!(control instanceof ControlProcess)) throw new Error(`refused: ${JSON.stringify(control)}`);
  const get = async (path: string): Promise<Response> => fetch(`${control.adminUrl}${path}`, { keepalive: false });
  return { ...rest, control, get };
}

test("an opened control process is ready and answers with what the worker says", async () => {
  const { control, get } = await opened();
  await using _ = control;
  expect((await get("/readyz")).status).toBe(200);
  expect(await (await get("/api/sessions/s1")).json()).toMatchObject({ id: "s1" });
  const metrics = await (await get("/metrics")).text();
  for (const line of [
    'causeway_sessions{route="a"} 7',
    "causeway_config_revision 1",
    "causeway_config_last_reload_successful 1",
    'causeway_config_issues{severity="error"} 0',
    "causeway_worker_restarts_total 0",
    "causeway_workers 1",
    "causeway_access_records_dropped_total 0",
  ]) {
    expect(metrics.split("\n")).toContain(line);
  }
  expect(metrics).toMatch(/^process_resident_memory_bytes\{process="control"\} \d+$/m);
});

test("what keeps the first configuration from being in force is told, and nothing stays behind", async () => {
  const broken = await open({}, "{");
  expect(broken.control).toMatchObject({ errors: [{ says: "broken" }] });
  expect(broken.workers.all.length).toBe(0);

  const issue = {
    severity: "error",
    at: { source: "worker", path: "listeners.web.address" },
    says: "port 80 is taken",
  } as const;
  const refused = await open({ onSnapshot: ({ revision }) => ({ type: "refused", revision, issues: [issue] }) });
  expect(refused.control).toMatchObject({ errors: [issue], issues: [issue] });
  expect(await refused.workers.all[0]?.ended).toBe("signal SIGKILL");
});

test("a worker that cannot even start is a refusal, not an endless wait", async () => {
  const source = new PushedSource();
  source.push("{}");
  const output = new LineOutput(async () => {});
  const startWorker = (): never => {
    throw new Error("no such program");
  };
  const streams = { stdout: output, stderr: output, isTerminal: false, colors: { stdout: false, stderr: false } };
  const control = await ControlProcess.open({ sources: [source], read, startWorker, streams });
  expect(control).toMatchObject({ errors: [{ says: expect.stringContaining("no such program") }] });
});

test("an admin port that is taken is a refusal that names the setting", async () => {
  using taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const settings = { admin: { host: "127.0.0.1", port: taken.port } };
  const { control } = await open({}, JSON.stringify({ settings }));
  expect(control).toMatchObject({ errors: [{ at: { path: "admin.address" } }] });
});

test("a broken file is seen at /api/issues and in the metrics, and mending it clears both", async () => {
  const { control, get, source } = await opened();
  await using _ = control;
  source.push("{");
  await until(async () =>
    (await (await get("/metrics")).text()).includes('causeway_config_issues{severity="error"} 1'),
  );
  expect(await (await get("/api/issues")).json()).toMatchObject({ items: [{ says: "broken" }] });
  expect((await get("/readyz")).status).toBe(200);
  source.push("{}");
  await until(async () => (await (await get("/metrics")).text()).includes("causeway_config_last_reload_successful 1"));
});

test("a crash of the worker is counted, makes the gateway not ready, and is over by itself", async () => {
  const { control, get, workers, out } = await opened();
  await using _ = control;
  workers.all[0]?.exit("signal SIGSEGV");
  await until(async () => (await get("/readyz")).status === 503);
  await until(async () => (await get("/readyz")).status === 200);
  expect(await (await get("/metrics")).text()).toContain("causeway_worker_restarts_total 1\n");
  expect(out.join("")).toContain('"event":"worker-ended"');
});

test("access records reach the log, and lost ones the metrics", async () => {
  const { control, get, workers, out } = await opened();
  await using _ = control;
  const common = { at: 0, requestId: "r", listener: "web", client: "c", host: "h", method: "GET", target: "/" };
  const record = {
    ...common,
    kind: "http",
    isHandshake: false,
    status: 200,
    durationMs: 1,
    bytesIn: 0,
    bytesOut: 0,
    tries: 1,
  } as const;
  workers.all[0]?.say({ type: "records", records: [record], dropped: 9 });
  await until(() => out.join("").includes('"requestId":"r"'));
  expect(await (await get("/metrics")).text()).toContain("causeway_access_records_dropped_total 9\n");
});

test("the admin API moves to a new address without a restart", async () => {
  const { control, source, workers } = await opened();
  await using _ = control;
  const before = control.adminUrl;
  source.push(JSON.stringify({ settings: { admin: { host: "::1", port: 0 } } }));
  await until(() => control.adminUrl.includes("[::1]"));
  expect((await fetch(`${control.adminUrl}/healthz`)).status).toBe(200);
  expect(fetch(`${before}/healthz`, { keepalive: false })).rejects.toThrow();
  expect(workers.all.length).toBe(1);
});

test("a drain fails readiness first, gives the worker its plan, and ends with its counts", async () => {
  const asked = Promise.withResolvers<void>();
  const { control, get, workers } = await opened({ onDrain: () => asked.resolve() });
  const drained = control.drain();
  await asked.promise;
  expect((await get("/readyz")).status).toBe(503);
  expect((await get("/healthz")).status).toBe(200);
  expect(workers.all[0]?.heard.at(-1)).toEqual({ type: "drain", plan: sampleConfiguration.settings.drain });
  workers.all[0]?.say({ type: "drained", closed: 3, destroyed: 1 });
  await until(async () => (await get("/api/workers")).ok);
  workers.all[0]?.exit("exit code 0");
  expect(await drained).toEqual({ closed: 3, destroyed: 1, isKilled: false });
  await control[Symbol.asyncDispose]();
});
