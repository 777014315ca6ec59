import { join } from "node:path";
import type { Target } from "../load/orders.ts";
import type { Cores } from "../measure/machine.ts";
import type { WatchedProcess } from "../measure/processes.ts";
import type { Contender, ProxyPlan } from "../proxies/contender.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { Child, type Placement } from "./child.ts";
import { freePort } from "./free-port.ts";
import { layGround } from "./ground.ts";
import { LoadProcess } from "./load-process.ts";
import { writeTlsFiles } from "./tls-files.ts";

/** What to put together for one run. */
export type RigPlan = {
  readonly proxy: Contender;
  readonly cores: Cores;
  readonly scenario: Pick<Scenario, "loadScript" | "payloadBytes" | "tls" | "workers">;
};

/** One run's processes, all fresh: the echo server, the proxy in front of it, and the load in front of that. */
export class Rig implements AsyncDisposable {
  readonly load: LoadProcess;
  readonly cores: Cores;
  /** The processes of the proxy, and of load and echo server. */
  readonly watched: readonly WatchedProcess[];
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: Pick<Rig, "load" | "cores" | "watched">, owned: AsyncDisposableStack) {
    this.load = parts.load;
    this.cores = parts.cores;
    this.watched = parts.watched;
    this.#owned = owned;
  }

  /** Starts everything and waits until it is ready. */
  static async open({ proxy, cores, scenario }: RigPlan): Promise<Rig> {
    const { loadScript, payloadBytes, workers = 1 } = scenario;
    await using owned = new AsyncDisposableStack();
    const { folder, onLoadCore, echo, upstreamPort } = await layGround(owned, { loadCore: cores.load, payloadBytes });
    const tls = scenario.tls === undefined ? undefined : await writeTlsFiles(folder);
    const plan = { folder, port: freePort(), adminPort: freePort(), upstreamPort, workers, tls };
    const core = workers === 1 ? cores.proxy : `${cores.proxy},${cores.load}`;
    const processes = await startProxy(proxy, plan, core, owned);
    const port = processes.length === 0 ? upstreamPort : plan.port;
    const security = tls === undefined ? {} : { tls: { ca: tls.ca, resumes: scenario.tls === "resumed" } };
    const target: Target = { host: "127.0.0.1", port, payloadBytes, ...security };
    const load = owned.use(LoadProcess.start(loadScript, JSON.stringify(target), onLoadCore));
    const watched: readonly WatchedProcess[] = [
      ...processes,
      { role: "echo", pid: echo.pid },
      { role: "load", pid: load.pid },
    ];
    return new Rig({ load, cores, watched }, owned.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

async function startProxy(
  proxy: Contender,
  plan: ProxyPlan,
  core: Placement["core"],
  owned: AsyncDisposableStack,
): Promise<readonly WatchedProcess[]> {
  const command = await proxy.prepare(plan);
  if (command.length === 0) return [];
  const { folder } = plan;
  const child = owned.use(Child.start(command, { core, folder, logFile: join(folder, "proxy.log") }));
  const deadline = performance.now() + 15_000;
  for (;;) {
    try {
      await proxy.checkReady(plan);
      const processes = await proxy.processes(plan, child);
      for (const { pid } of processes) child.adopt(pid);
      return processes;
    } catch (error) {
      if (child.hasEnded) throw new Error(`${proxy.name} ended: ${child.lastWords}`, { cause: error });
      if (performance.now() > deadline)
        throw new Error(`${proxy.name} is not ready after 15 s: ${child.lastWords}`, { cause: error });
      await Bun.sleep(20);
    }
  }
}
