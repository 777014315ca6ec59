import { join } from "node:path";
import type { Target } from "../load/orders.ts";
import type { Cores } from "../measure/machine.ts";
import type { ProxyPlan } from "../proxies/contender.ts";
import { Child } from "../run/child.ts";
import { freePort } from "../run/free-port.ts";
import { layGround } from "../run/ground.ts";
import { LoadProcess } from "../run/load-process.ts";
import { eventually, killBusiest, type Operated } from "./operated.ts";
import { type Consequence, consequences, type Deed, type EventKind, eventKinds, type Timeline } from "./timeline.ts";

/** How many sessions there are, and how the time is spent. */
export type Pace = {
  readonly sessions: number;
  /** Before the first deed, and the time each of them is given. */
  readonly leadMs: number;
  readonly eachMs: number;
  /** How long old processes stay where that is limited; less than a deed is given. */
  readonly oldStaysSeconds: number;
};

/** What clients of one gateway saw, and what was done to it. */
export type Followed = {
  readonly title: string;
  readonly deeds: readonly Consequence[];
  readonly notes: readonly string[];
  readonly timeline: Timeline;
};

const bucketMs = 100;
const payloadBytes = 64;

/** Opens sessions through a gateway, lets them talk, and does one thing after the other to it. */
export async function followOnce(operated: Operated, pace: Pace, cores: Cores): Promise<Followed> {
  await using owned = new AsyncDisposableStack();
  const { folder, onLoadCore, upstreamPort } = await layGround(owned, { loadCore: cores.load, payloadBytes });
  const limit = operated.stopsOld ? { oldStaysSeconds: pace.oldStaysSeconds } : {};
  const plan = { folder, port: freePort(), adminPort: freePort(), upstreamPort, workers: 2, tls: undefined, ...limit };
  const gateway = await Supervised.start(operated, plan, cores);
  owned.use(gateway);
  const target: Target = { host: "127.0.0.1", port: plan.port, payloadBytes };
  const load = owned.use(LoadProcess.start("steady-load.ts", JSON.stringify(target), onLoadCore));
  await load.obey({ do: "open", count: pace.sessions });
  const forMs = pace.leadMs + eventKinds.length * pace.eachMs;
  const [{ timeline, failures }, begun] = await Promise.all([
    load.obey({ do: "follow", forMs, bucketMs }),
    doEverything(gateway, pace),
  ]);
  const deeds = begun.map(({ at, ...deed }) => ({ ...deed, atMs: at - timeline.startedAt }));
  await load.obey({ do: "close" });
  const faults = failures.map(({ what, count }) => `${what} (${count})`);
  return {
    title: operated.title,
    deeds: consequences(timeline, deeds),
    notes: [...faults, ...gateway.notes],
    timeline,
  };
}

type Begun = Omit<Deed, "atMs"> & { readonly at: number };

async function doEverything(gateway: Supervised, { leadMs, eachMs }: Pace): Promise<readonly Begun[]> {
  const begun: Begun[] = [];
  await Bun.sleep(leadMs);
  for (const kind of eventKinds) {
    const at = Date.now();
    await gateway.suffer(kind);
    await Bun.sleep(Math.max(0, at + eachMs - Date.now()));
    begun.push({ kind, at, processes: await gateway.processes() });
  }
  return begun;
}

/** A gateway that is started again when it ends, as whoever supervises it would. */
class Supervised implements AsyncDisposable {
  readonly #operated: Operated;
  readonly #plan: ProxyPlan;
  readonly #start: () => Child;
  readonly #children: Child[] = [];
  readonly notes: string[] = [];

  private constructor(operated: Operated, plan: ProxyPlan, start: () => Child) {
    this.#operated = operated;
    this.#plan = plan;
    this.#start = start;
  }

  static async start(operated: Operated, plan: ProxyPlan, cores: Cores): Promise<Supervised> {
    const command = operated.command(await operated.proxy.prepare(plan));
    const { folder } = plan;
    const placement = { core: `${cores.proxy},${cores.load}`, folder, logFile: join(folder, "proxy.log") };
    const gateway = new Supervised(operated, plan, () => Child.start(command, placement));
    gateway.#children.push(gateway.#start());
    await gateway.#ready();
    return gateway;
  }

  get #child(): Child {
    const child = this.#children.at(-1);
    if (child === undefined) throw new Error("a gateway was never started");
    return child;
  }

  /** Does something to it, and waits until it serves. */
  async suffer(kind: EventKind): Promise<void> {
    const live = { plan: this.#plan, child: this.#child };
    if (kind === "reload") await this.#operated.reload(live);
    else if (kind === "upgrade") await this.#operated.upgrade(live);
    else await killBusiest(this.#operated, live);
    await this.#ready();
  }

  /** How many processes it has. */
  async processes(): Promise<number> {
    return (await this.#adoptAll()).size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child[Symbol.asyncDispose]()));
  }

  async #ready(): Promise<void> {
    const { title, proxy } = this.#operated;
    await eventually(`${title} is ready; it said: ${this.#child.lastWords}`, async () => {
      if (this.#child.hasEnded) {
        this.notes.push("Its first process ended with the worker, and was started again at once.");
        this.#children.push(this.#start());
      }
      await proxy.checkReady(this.#plan);
      return true;
    });
    await this.#adoptAll();
  }

  async #adoptAll(): Promise<ReadonlySet<number>> {
    const live = { plan: this.#plan, child: this.#child };
    const all = new Set([...(await this.#operated.workers(live)), ...(await this.#operated.others(live))]);
    for (const pid of all) this.#child.adopt(pid);
    return all;
  }
}
