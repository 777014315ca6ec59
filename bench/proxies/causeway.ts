import { join } from "node:path";
import { treeOf } from "../measure/processes.ts";
import { type TlsFiles, tlsTerms } from "../run/tls-files.ts";
import { type Contender, checkAnswers, outputOf, type ProxyPlan } from "./contender.ts";

const program = join(import.meta.dirname, "..", "..", "bin", "causeway");

/** Causeway with its default buffers; its control process runs on the same core and is counted. */
export const causeway: Contender = {
  name: "causeway",
  warmupFactor: 4,

  async version() {
    return /\d+\.\d+\.\d+\S*/.exec((await outputOf([program, "version"])) ?? "")?.[0];
  },

  async prepare(plan) {
    const file = join(plan.folder, "causeway.yaml");
    await Bun.write(file, configuration(plan));
    return [program, "run", "--tied", file];
  },

  async checkReady(plan) {
    const response = await fetch(`http://127.0.0.1:${plan.adminPort}/readyz`, { signal: AbortSignal.timeout(1000) });
    if (response.status !== 200) throw new Error(`/readyz answers ${response.status}`);
    await checkAnswers(plan);
  },

  async processes(plan, child) {
    const workers = await workerPids(plan.adminPort);
    const all = new Set([...treeOf(child.pid), ...workers]);
    return Array.from(all, (pid) => ({ role: workers.includes(pid) ? "worker" : "control", pid }));
  },
};

/** The processes that serve, as the admin API tells. */
export async function workerPids(adminPort: number): Promise<readonly number[]> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/api/workers`, { signal: AbortSignal.timeout(1000) });
  const { items } = (await response.json()) as { items: { pid: number }[] }; // what the admin API's document promises
  if (items.length === 0) throw new Error("/api/workers lists no worker");
  return items.map(({ pid }) => pid);
}

/** Causeway as it is with one worker, whatever number of them the scenario is about. */
export const oneWorker: Contender = {
  ...causeway,
  name: "one-worker",
  prepare: (plan) => causeway.prepare({ ...plan, workers: 1 }),
};

function configuration({ port, adminPort, upstreamPort, workers, tls }: ProxyPlan): string {
  const terms = tls === undefined ? "" : tlsLine(tls);
  return `
admin: { address: "127.0.0.1:${adminPort}" }
log: { access: false }
workers: ${workers}
listeners:
  web: { address: "127.0.0.1:${port}"${terms} }
upstreams:
  echo: { endpoints: [ "127.0.0.1:${upstreamPort}" ] }
routes:
  all: { to: echo }
`;
}

function tlsLine({ cert, key }: TlsFiles): string {
  return `, tls: { minVersion: ${tlsTerms.version}, certificates: [ { cert: ${JSON.stringify(cert)}, key: ${JSON.stringify(key)} } ] }`;
}
