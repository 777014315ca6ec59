import { expect, test } from "bun:test";
import { PushedSource } from "../../test/support/pushed-source.ts";
import { until } from "../../test/support/until.ts";
import type { StagedText } from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { readConfiguration } from "./config/read.ts";
import { Reconciler } from "./reconciler.ts";

/** A source that can be written, and remembers what became of it. */
class WritableSource extends PushedSource {
  readonly written: string[] = [];
  problem: string | undefined;

  async stage(text: string): Promise<StagedText | { readonly problem: string }> {
    if (this.problem !== undefined) return { problem: this.problem };
    const note = (what: string) => async () => void this.written.push(`${what} ${text.length}`);
    return { commit: note("commit"), discard: note("discard") };
  }
}

function yaml(path: string): string {
  const listeners = { web: { address: "127.0.0.1:0" } };
  return JSON.stringify({ listeners, routes: { all: { match: { path }, filters: [{ respond: {} }] } } });
}

const trouble: Issue = {
  severity: "error",
  at: { source: "configuration", path: "listeners.web.address" },
  says: "cannot listen",
};

/** A reconciler with `/one` in force. */
async function open() {
  const source = new WritableSource();
  const sent: Snapshot[] = [];
  const log: string[] = [];
  const watching = new AbortController();
  const note = (event: string): void => void log.push(event);
  const state: { machine: Issue[]; workers: Issue[]; settled: number } = { machine: [], workers: [], settled: 0 };
  const reconciler: Reconciler = new Reconciler({
    sources: [source],
    read: (texts) => readConfiguration(texts),
    log: { info: note, warn: note, error: note },
    tryOut: async () => [...state.machine],
    apply: (snapshot) => {
      sent.push(snapshot);
      const { revision } = snapshot;
      queueMicrotask(() => {
        if (state.workers.length > 0) reconciler.onRefused(revision, state.workers);
        else reconciler.onApplied(revision, []);
      });
    },
    onSettings: async () => {
      state.settled++;
      return [];
    },
  });
  source.push(yaml("/one"));
  await reconciler.start(watching.signal);
  const inForce = (): unknown => reconciler.inForce?.configuration.model.routes[0]?.match.path;
  const submit = (text: string, more: { ifRevision?: number; mayWrite?: boolean } = {}) =>
    reconciler.submit({ text, mayWrite: false, ...more });
  return { reconciler, source, sent, log, state, inForce, submit, [Symbol.dispose]: () => watching.abort() };
}

const prefix = (value: string) => ({ kind: "prefix", value });

test("a submitted configuration is in force as the next revision, until a source changes", async () => {
  using site = await open();
  expect(await site.submit(yaml("/two"))).toEqual({ kind: "applied", revision: 2, issues: [], isSaved: false });
  expect([site.inForce(), site.reconciler.isSubmitted]).toEqual([prefix("/two"), true]);
  // A certificate that is renewed does not bring the sources back.
  site.reconciler.reread();
  expect(await site.submit(yaml("/three"))).toMatchObject({ kind: "applied", revision: 3 });
  expect(site.inForce()).toEqual(prefix("/three"));
  site.source.push(yaml("/four"));
  await until(() => Bun.deepEquals(site.inForce(), prefix("/four")));
  expect([site.reconciler.isSubmitted, site.reconciler.inForce?.revision]).toEqual([false, 4]);
  expect(site.log.filter((event) => event === "config-submitted").length).toBe(2);
});

test("what is in force already changes nothing but who has said it", async () => {
  using site = await open();
  expect(await site.submit(yaml("/one"))).toMatchObject({ kind: "applied", revision: 1 });
  expect([site.sent.length, site.reconciler.isSubmitted]).toEqual([1, true]);
});

test("errors come back with their places, and leave no trace", async () => {
  using site = await open();
  const text = 'listeners: { web: { address: ":80" } }\nroutes:\n  all: { too: x }\n';
  const result = await site.submit(text, { mayWrite: true });
  if (result.kind !== "refused") throw new Error(result.kind);
  expect(result.issues[0]).toMatchObject({ at: { source: "request", line: 3, column: 10, path: "routes.all.too" } });
  expect([site.inForce(), site.reconciler.isSubmitted, site.reconciler.issues]).toEqual([prefix("/one"), false, []]);
  expect([site.reconciler.isLastReloadGood, site.source.written]).toEqual([true, []]);
});

test("what the machine or a worker refuses leaves in force what was, its settings too", async () => {
  using site = await open();
  const settled = site.state.settled;
  site.state.machine.push(trouble);
  const at = { source: "request", line: 1, path: "listeners.web.address" };
  expect(await site.submit(yaml("/two"), { mayWrite: true })).toMatchObject({ kind: "refused", issues: [{ at }] });
  site.state.machine.length = 0;
  site.state.workers.push(trouble);
  expect(await site.submit(yaml("/two"), { mayWrite: true })).toMatchObject({ kind: "refused", issues: [{ at }] });
  expect(site.source.written).toEqual([`discard ${yaml("/two").length}`, `discard ${yaml("/two").length}`]);
  expect(site.state.settled).toBe(settled + 3);
  expect([site.inForce(), site.reconciler.isSubmitted, site.reconciler.isLastReloadGood]).toEqual([
    prefix("/one"),
    false,
    true,
  ]);
  site.state.workers.length = 0;
  expect(await site.submit(yaml("/two"))).toMatchObject({ kind: "applied", revision: 3 });
});

test("with a revision that is not in force any more nothing is done", async () => {
  using site = await open();
  expect(await site.submit(yaml("/two"), { ifRevision: 1 })).toMatchObject({ revision: 2 });
  expect(await site.submit(yaml("/three"), { ifRevision: 1 })).toEqual({ kind: "stale", revision: 2 });
  const both = [site.submit(yaml("/four"), { ifRevision: 2 }), site.submit(yaml("/five"), { ifRevision: 2 })];
  expect((await Promise.all(both)).map(({ kind }) => kind)).toEqual(["applied", "stale"]);
  expect(site.inForce()).toEqual(prefix("/four"));
});

test("it is written back once it is in force, and refused before where that cannot be", async () => {
  using site = await open();
  expect(await site.submit(yaml("/two"), { mayWrite: true })).toMatchObject({ kind: "applied", isSaved: true });
  expect(site.source.written).toEqual([`commit ${yaml("/two").length}`]);
  site.source.problem = "the configuration comes from several files";
  expect(await site.submit(yaml("/three"), { mayWrite: true })).toEqual({
    kind: "unwritable",
    says: "the configuration comes from several files",
  });
  expect(site.inForce()).toEqual(prefix("/two"));
});
