import { readdirSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { treeOf } from "../measure/processes.ts";
import { causeway, workerPids } from "../proxies/causeway.ts";
import { type Contender, outputOf, type ProxyPlan } from "../proxies/contender.ts";
import { haproxy } from "../proxies/haproxy.ts";
import { nginx } from "../proxies/nginx.ts";
import type { Child } from "../run/child.ts";

/** A gateway that runs and is operated. */
export type Live = { readonly plan: ProxyPlan; readonly child: Child };

/** How one kind of gateway is operated while clients are connected. */
export interface Operated {
  /** What stands in the report. */
  readonly title: string;
  readonly proxy: Contender;
  readonly stopsOld: boolean;
  /** The command that starts it, made from the usual one. */
  command(usual: readonly string[]): readonly string[];
  /** Processes that serve clients, and those that do not. */
  workers(live: Live): Promise<readonly number[]>;
  others(live: Live): Promise<readonly number[]>;
  reload(live: Live): Promise<void>;
  upgrade(live: Live): Promise<void>;
}

const program = join(import.meta.dirname, "..", "..", "bin", "causeway");

const operatedCauseway: Operated = {
  title: "Causeway",
  proxy: causeway,
  stopsOld: false,
  command: (usual) => usual,
  workers: ({ plan }) => workerPids(plan.adminPort),
  others: async ({ child }) => [child.pid],

  async reload({ plan }) {
    const before = await revisionOf(plan);
    await appendFile(join(plan.folder, "causeway.yaml"), "  another: { match: { path: /another }, to: echo }\n");
    await eventually("a new revision of Causeway", async () => (await revisionOf(plan)) > before);
  },

  async upgrade({ plan }) {
    const said = await outputOf([program, "upgrade", "--admin", `http://127.0.0.1:${plan.adminPort}`]);
    if (said?.includes("has taken over") !== true) throw new Error(`causeway upgrade: ${said}`);
  },
};

const operatedNginx: Operated = {
  title: "nginx",
  proxy: nginx,
  stopsOld: false,
  // On an upgrade nginx starts its first word again, without looking for it on the PATH; and it refuses one as long as the process lives
  // that has started it.
  command: ([name = "", ...words]) => ["sh", "-c", startAsOrphan, "sh", Bun.which(name) ?? name, ...words],

  async workers({ plan }) {
    const masters = await mastersOf(plan);
    return [...new Set(masters.flatMap(treeOf))].filter((pid) => !masters.includes(pid));
  },

  others: ({ plan }) => mastersOf(plan),

  async reload({ plan }) {
    process.kill(await masterOf(plan), "SIGHUP");
  },

  async upgrade({ plan }) {
    const old = await masterOf(plan);
    process.kill(old, "SIGUSR2");
    await eventually("a new master process of nginx", async () => (await masterOf(plan)) !== old);
    process.kill(old, "SIGQUIT");
  },
};

const operatedHaproxy: Operated = {
  title: "HAProxy",
  proxy: haproxy,
  stopsOld: false,
  command: ([name = "", ...words]) => [name, "-W", ...words],

  async workers({ child }) {
    return treeOf(child.pid).filter((pid) => pid !== child.pid);
  },

  others: async ({ child }) => [child.pid],

  async reload({ child }) {
    process.kill(child.pid, "SIGUSR2");
  },

  // The master executes its binary anew, so that a reload is all it takes.
  upgrade: (live) => operatedHaproxy.reload(live),
};

/** All of them, ours first; theirs also with old processes that may not stay for ever. */
export const allOperated: readonly Operated[] = [
  operatedCauseway,
  operatedNginx,
  { ...operatedNginx, title: "nginx, worker_shutdown_timeout", stopsOld: true },
  operatedHaproxy,
  { ...operatedHaproxy, title: "HAProxy, hard-stop-after", stopsOld: true },
];

async function revisionOf({ adminPort }: ProxyPlan): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/api/config`, { signal: AbortSignal.timeout(1000) });
  const { revision } = (await response.json()) as { revision: number }; // what the admin API's document promises
  return revision;
}

/** Ends the worker that has most descriptors open, which is the one with most sessions, at once. */
export async function killBusiest(operated: Operated, live: Live): Promise<void> {
  const [busiest] = (await operated.workers(live)).toSorted((a, b) => descriptorsOf(b) - descriptorsOf(a));
  if (busiest === undefined) throw new Error(`${operated.title} has no worker`);
  process.kill(busiest, "SIGKILL");
}

/** Waits until it is so, ten seconds at most. */
export async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`waited 10 s in vain: ${what}`);
    await Bun.sleep(20);
  }
}

const startAsOrphan = '("$@" & while [ ! -s nginx.pid ]; do sleep 0.05; done); exec sleep 3600';

/** The master that takes signals, and the one before it as long as it has sessions. */
async function mastersOf(plan: ProxyPlan): Promise<readonly number[]> {
  const old = Bun.file(join(plan.folder, "nginx.pid.oldbin"));
  const found = (await old.exists()) ? [Number(await old.text())] : [];
  return [await masterOf(plan), ...found];
}

async function masterOf({ folder }: ProxyPlan): Promise<number> {
  const pid = Number(await Bun.file(join(folder, "nginx.pid")).text());
  if (!(pid > 1)) throw new Error("nginx.pid holds no process number");
  return pid;
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}
