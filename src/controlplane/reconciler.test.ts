import { expect, test } from "bun:test";
import { sampleConfiguration } from "../../test/support/fake-view.ts";
import { PushedSource } from "../../test/support/pushed-source.ts";
import { until } from "../../test/support/until.ts";
import type { Configuration, ConfigurationText, Reading } from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";
import type { ListenAddress } from "../core/listen-address.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { Reconciler } from "./reconciler.ts";

const problem = (says: string, severity: Issue["severity"] = "error"): Issue => ({
  severity,
  at: { source: "a.yaml", path: "" },
  says,
});

const webPlace = { source: "a.yaml", line: 3, column: 9, path: "listeners.web.address" };

/** What the machine says against an address, before anybody knows where it stands. */
const takenPort: Issue = {
  severity: "error",
  at: { source: "configuration", path: "listeners.web.address" },
  says: "cannot listen",
};

/** `bad …` is an error, `warn …` a warning; of `listener/token`, the first names the listener and the second is the admin token. */
function read(texts: readonly ConfigurationText[]): Reading {
  const text = texts.map((one) => one.text).join("");
  if (text.startsWith("bad")) return { configuration: undefined, issues: [problem(text)] };
  const [name = "", token = ""] = text.replace("warn ", "").split("/");
  const listeners = sampleConfiguration.model.listeners.map((listener) => ({ ...listener, name }));
  const admin = { ...sampleConfiguration.settings.admin, token };
  const configuration: Configuration = {
    model: { ...sampleConfiguration.model, listeners },
    settings: { ...sampleConfiguration.settings, admin },
  };
  const places = new Map([["listeners.web.address", webPlace]]);
  return { configuration, issues: text.startsWith("warn") ? [problem(text, "warning")] : [], places };
}

function open(first: string, applies = true) {
  const source = new PushedSource();
  const sent: Snapshot[] = [];
  const settled: Configuration[] = [];
  const log: string[] = [];
  const troubles: Issue[] = [];
  const taken: Issue[] = [];
  const held: (readonly ListenAddress[])[] = [];
  const watching = new AbortController();
  const note = (event: string, says: string): void => void log.push(`${event}: ${says}`);
  const reconciler: Reconciler = new Reconciler({
    sources: [source],
    read,
    log: { info: note, warn: note, error: note },
    tryOut: async (_, own) => {
      held.push(own);
      return [...taken];
    },
    retryMs: 5,
    apply: (snapshot) => {
      sent.push(snapshot);
      if (applies) queueMicrotask(() => reconciler.onApplied(snapshot.revision, []));
    },
    onSettings: async (configuration) => {
      settled.push(configuration);
      return troubles.splice(0);
    },
  });
  source.push(first);
  const started = reconciler.start(watching.signal);
  return {
    source,
    sent,
    settled,
    log,
    troubles,
    taken,
    held,
    reconciler,
    started,
    [Symbol.dispose]: () => watching.abort(),
  };
}

test("the first configuration becomes revision 1", async () => {
  using it = open("a");
  expect(await it.started).toEqual([]);
  expect(it.sent.map(({ revision, listeners }) => [revision, listeners[0]?.name])).toEqual([[1, "a"]]);
  expect(it.reconciler.inForce?.revision).toBe(1);
  expect(it.reconciler.isLastReloadGood).toBe(true);
});

test("a first configuration with errors is refused with all of them", async () => {
  using it = open("bad one");
  expect(await it.started).toEqual([problem("bad one")]);
  expect(it.sent).toEqual([]);
  expect(it.reconciler.inForce).toBeUndefined();
});

test("a first configuration that the worker refuses ends the start with its issues", async () => {
  using it = open("a", false);
  await until(() => it.sent.length === 1);
  it.reconciler.onRefused(1, [problem("the port is taken")]);
  expect(await it.started).toEqual([problem("the port is taken")]);
});

test("a changed model is the next revision; the same one again is none", async () => {
  using it = open("a");
  await it.started;
  it.source.push("a");
  it.source.push("b");
  it.source.push("b");
  await until(() => it.settled.length === 4);
  await until(() => it.reconciler.inForce?.revision === 2);
  expect(it.sent.length).toBe(2);
});

test("changed settings are in force without a revision", async () => {
  using it = open("a/t1");
  await it.started;
  it.source.push("a/t2");
  await until(() => it.reconciler.inForce?.configuration.settings.admin.token === "t2");
  expect(it.sent.length).toBe(1);
  expect(it.reconciler.inForce?.revision).toBe(1);
});

test("a broken file changes nothing, is said once, and is forgotten when it is mended", async () => {
  using it = open("a");
  await it.started;
  it.source.push("bad one");
  it.source.push("bad one");
  it.source.push("bad two");
  await until(() => it.reconciler.issues[0]?.says === "bad two");
  expect(it.reconciler.inForce?.revision).toBe(1);
  expect(it.reconciler.isLastReloadGood).toBe(false);
  expect(it.log.filter((line) => line.includes("bad one")).length).toBe(1);
  it.source.push("a");
  await until(() => it.reconciler.isLastReloadGood);
  expect(it.reconciler.issues).toEqual([]);
  expect(it.sent.length).toBe(1);
  await until(() => it.log.some((line) => line.startsWith("config-mended")));
});

test("a revision that the worker refuses leaves the last good one, and saving again tries again", async () => {
  using it = open("a", false);
  await until(() => it.sent.length === 1);
  it.reconciler.onApplied(1, []);
  it.source.push("b");
  await until(() => it.sent.length === 2);
  expect(it.reconciler.isLastReloadGood).toBe(false);
  it.reconciler.onRefused(2, [problem("the port is taken")]);
  expect(it.reconciler.inForce?.revision).toBe(1);
  expect(it.reconciler.issues).toEqual([problem("the port is taken")]);
  it.source.push("b");
  await until(() => it.sent.length === 3);
  it.reconciler.onApplied(3, []);
  expect(it.reconciler.inForce?.revision).toBe(3);
  expect(it.reconciler.issues).toEqual([]);
});

test("while the worker is silent, changes go on and the newest wins", async () => {
  using it = open("a", false);
  it.source.push("b");
  it.source.push("c");
  await until(() => it.sent.length === 3);
  it.reconciler.onApplied(1, []);
  it.reconciler.onApplied(2, []);
  expect(it.reconciler.isLastReloadGood).toBe(false);
  it.reconciler.onApplied(3, []);
  expect(it.reconciler.isLastReloadGood).toBe(true);
  expect(it.reconciler.inForce?.configuration.model.listeners[0]?.name).toBe("c");
});

test("warnings are logged once and do not keep a configuration from being in force", async () => {
  using it = open("warn a");
  await it.started;
  it.source.push("warn a");
  await until(() => it.settled.length === 2);
  expect(it.reconciler.isLastReloadGood).toBe(true);
  expect(it.reconciler.issues).toEqual([problem("warn a", "warning")]);
  expect(it.log.filter((line) => line.includes("warn a")).length).toBe(1);
});

test("a first configuration whose port is taken is refused, with the place in the file", async () => {
  const source = new PushedSource();
  source.push("a");
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const reconciler = new Reconciler({
    sources: [source],
    read,
    log,
    tryOut: async () => [takenPort],
    apply: () => {
      throw new Error("nothing may be applied");
    },
    onSettings: async () => [],
  });
  const watching = new AbortController();
  expect(await reconciler.start(watching.signal)).toEqual([{ ...takenPort, at: webPlace }]);
  watching.abort();
});

test("a change whose port is taken changes nothing, is said once, and is in force as soon as the port is free", async () => {
  using it = open("a/t1");
  await it.started;
  it.taken.push(takenPort);
  it.source.push("b/t2");
  await until(() => it.held.length > 3);
  expect(it.reconciler.issues).toEqual([{ ...takenPort, at: webPlace }]);
  expect(it.reconciler.isLastReloadGood).toBe(false);
  expect([it.sent.length, it.settled.length]).toEqual([1, 1]);
  expect(it.log.filter((line) => line.includes("a.yaml:3:9: listeners.web.address")).length).toBe(1);
  it.taken.pop();
  await until(() => it.reconciler.inForce?.revision === 2);
  expect(it.reconciler.issues).toEqual([]);
  const triedSoFar = it.held.length;
  it.source.push("c");
  await until(() => it.reconciler.inForce?.revision === 3);
  expect(it.held.length).toBe(triedSoFar + 1);
});

test("a change that is tried again is forgotten when the file changes", async () => {
  using it = open("a");
  await it.started;
  it.taken.push(takenPort);
  it.source.push("b");
  await until(() => it.held.length > 2);
  it.source.push("bad");
  await until(() => it.reconciler.issues[0]?.says === "bad");
  it.taken.pop();
  it.source.push("a");
  await until(() => it.reconciler.isLastReloadGood);
  expect(it.sent.length).toBe(1);
});

test("what the gateway listens on itself, or is about to, is not tried out", async () => {
  using it = open("a", false);
  await until(() => it.sent.length === 1);
  it.reconciler.onApplied(1, [{ name: "a", host: "127.0.0.1", port: 40_001, connections: 0 }]);
  it.source.push("b");
  await until(() => it.sent.length === 2);
  it.source.push("c");
  await until(() => it.sent.length === 3);
  const listener = sampleConfiguration.model.listeners[0];
  const own = it.held[2]?.map(({ host, port }) => `${host} ${port}`) ?? [];
  expect(own).toContain("127.0.0.1 40001");
  expect(own.filter((one) => one === `${listener?.host} ${listener?.port}`).length).toBeGreaterThan(1);
});

test("settings that cannot be put into force keep the whole configuration from it until they can", async () => {
  using it = open("a");
  await it.started;
  it.troubles.push(problem("the admin port is taken"));
  it.source.push("b");
  await until(() => it.reconciler.issues.length === 1);
  expect(it.reconciler.inForce?.revision).toBe(1);
  await until(() => it.reconciler.inForce?.revision === 2);
  expect(it.reconciler.issues).toEqual([]);
});

test("a port that only the worker finds taken is tried again, and settings go back to what is in force", async () => {
  using it = open("a/t1", false);
  await until(() => it.sent.length === 1);
  it.reconciler.onApplied(1, []);
  it.source.push("b/t2");
  await until(() => it.sent.length === 2);
  it.reconciler.onRefused(2, [takenPort]);
  await until(() => it.settled.at(-1)?.settings.admin.token === "t1");
  await until(() => it.sent.length === 3);
  it.reconciler.onRefused(3, [takenPort]);
  await until(() => it.sent.length === 4);
  expect(it.log.filter((line) => line.includes("a.yaml:3:9")).length).toBe(1);
  it.reconciler.onApplied(4, []);
  expect(it.reconciler.inForce?.configuration.settings.admin.token).toBe("t2");
});

test("a revision that the worker refuses for what it says is not tried again", async () => {
  using it = open("a", false);
  await until(() => it.sent.length === 1);
  it.reconciler.onApplied(1, []);
  it.source.push("b");
  await until(() => it.sent.length === 2);
  it.reconciler.onRefused(2, [problem("the worker died of it")]);
  it.source.push("bad one");
  it.source.push("c");
  await until(() => it.sent.length === 3);
  expect(it.sent.map(({ listeners }) => listeners[0]?.name)).toEqual(["a", "b", "c"]);
});

test("a source that fails is an issue and not silence", async () => {
  using it = open("a");
  await it.started;
  it.source.watch = async function* () {
    yield { texts: [{ source: "a.yaml", text: "a" }], issues: [] };
    throw new Error("the folder is gone");
  };
  void it.reconciler.start(new AbortController().signal);
  await until(() => it.reconciler.issues.length === 1);
  expect(it.reconciler.issues[0]?.says).toContain("the folder is gone");
});

test("issues of the source count like those of the text", async () => {
  using it = open("a");
  await it.started;
  it.source.pushState({ texts: [], issues: [problem("cannot be read")] });
  await until(() => it.reconciler.issues.length === 1);
  expect(it.reconciler.inForce?.revision).toBe(1);
});

test("when no source can be read, nothing else is said of what is missing", async () => {
  using it = open("bad, because there is nothing");
  await it.started;
  it.source.pushState({ texts: [], issues: [problem("there is no such file")] });
  await until(() => it.reconciler.issues[0]?.says === "there is no such file");
  it.source.push("bad again");
  await until(() => it.reconciler.issues[0]?.says === "bad again");
  expect(it.reconciler.issues).toHaveLength(1);
});
