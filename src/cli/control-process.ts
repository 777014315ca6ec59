import { availableParallelism } from "node:os";
import { Renewals } from "../controlplane/acme/renewals.ts";
import type { ControlView } from "../controlplane/admin/view.ts";
import { Discovery } from "../controlplane/discovery/discovery.ts";
import { Drains } from "../controlplane/drains.ts";
import { EndpointVerdicts } from "../controlplane/health/endpoint-verdicts.ts";
import { logNotice } from "../controlplane/health/notices.ts";
import { checkPorts } from "../controlplane/port-check.ts";
import type { ReadConfiguration } from "../controlplane/reading.ts";
import { Reconciler } from "../controlplane/reconciler.ts";
import { FileWatch } from "../controlplane/sources/file-watch.ts";
import { RuntimeFolder } from "../controlplane/workers/runtime-folder.ts";
import type { DrainResult } from "../controlplane/workers/worker-keeper.ts";
import type { StartWorker } from "../controlplane/workers/worker-process.ts";
import { Workers } from "../controlplane/workers/workers.ts";
import type { AcmeChallenge } from "../core/acme-challenge.ts";
import type { Configuration, ControlSettings, Source } from "../core/configuration.ts";
import type { ListenerStatus } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import type { Snapshot } from "../core/snapshot.ts";
import { Calm, calmLookMs } from "../kit/calm.ts";
import { sleep } from "../kit/sleep.ts";
import { Log, type LogStreams } from "../telemetry/log.ts";
import { AdminListener } from "./admin-listener.ts";
import { controlMetrics } from "./control-metrics.ts";
import { ProgramUpgrade } from "./program-upgrade.ts";
import { programVersion } from "./version.ts";

/** How long a metrics page waits for the workers, and this process for what those know that were there before. Milliseconds. */
const metricsMs = 2000;
const statusMs = 2000;

/** More are not started on a machine of however many cores. */
const mostWorkers = 64;

const firstLog: ControlSettings["log"] = { format: "auto", access: true, redactQuery: [] };

/** What the control process is made of. */
export type ControlOptions = {
  readonly sources: readonly Source[];
  readonly read: ReadConfiguration;
  readonly startWorker: StartWorker;
  readonly streams: LogStreams;
  /**
   * Tells gateways apart: the workers of a killed control process are taken over by the next one of the same identity. Without one there
   * is nothing to take over.
   */
  readonly identity?: string | undefined;
  /** What `causeway run` was called with; given if this process can be replaced by another version of itself. */
  readonly paths?: readonly string[];
};

/** The first configuration could not be put into force. */
export type ControlRefusal = { readonly errors: readonly Issue[]; readonly issues: readonly Issue[] };

/** Everything that runs beside the traffic, wired together: sources, reconciler, workers, admin API and log. */
export class ControlProcess implements AsyncDisposable {
  readonly log: Log;
  readonly #options: ControlOptions;
  readonly #reconciler: Reconciler;
  readonly #watching = new AbortController();
  readonly #files = new FileWatch();
  readonly #verdicts: EndpointVerdicts;
  readonly #discovery: Discovery;
  readonly #drains: Drains;
  readonly #renewals: Renewals;
  readonly #admin = new AdminListener(() => this.#view());
  readonly #upgrade: ProgramUpgrade;
  /** The revision that was wanted last. */
  #newest = 0;
  #folder: RuntimeFolder | undefined;
  #workers: Workers | undefined;
  /** All that ever came. */
  #records = 0;

  private constructor(options: ControlOptions) {
    this.#options = options;
    this.log = new Log(options.streams, firstLog);
    this.#verdicts = new EndpointVerdicts({
      log: this.log,
      onVerdicts: (verdicts) => this.#workers?.send({ type: "endpoints", verdicts }),
    });
    this.#drains = new Drains({
      log: this.log,
      onOrders: (orders) => this.#workers?.send({ type: "drains", orders }),
      endpoints: this.#verdicts,
      configuration: () => this.#reconciler.inForce?.configuration,
    });
    this.#discovery = new Discovery({ log: this.log, onChange: () => this.#onDiscovered() });
    this.#reconciler = new Reconciler({
      sources: options.sources,
      read: options.read,
      log: this.log,
      tryOut: checkPorts,
      apply: (snapshot) => void this.#apply(snapshot),
      onSettings: (configuration) => this.#settle(configuration),
      onFiles: (files, since) => void this.#files.follow(files, since),
    });
    this.#renewals = new Renewals({
      log: this.log,
      settings: () => this.#reconciler.inForce?.configuration.settings.acme,
      show: (challenges) => this.#showChallenges(challenges),
    });
    this.#upgrade = new ProgramUpgrade({
      workers: () => this.#workers,
      paths: options.paths,
      leave: (command) => this.#makeWay(command),
    });
  }

  /**
   * Reads the configuration, starts the workers or takes over those that are there, and resolves when traffic flows, or with what keeps
   * it from that.
   */
  static async open(options: ControlOptions): Promise<ControlProcess | ControlRefusal> {
    const control = new ControlProcess(options);
    await control.#findWorkers();
    const errors = await control.#reconciler.start(control.#watching.signal);
    void control.#collectWhenCalm(control.#watching.signal);
    void control.#files.watch(control.#watching.signal, () => control.#reconciler.reread());
    if (control.#reconciler.inForce !== undefined) {
      // Workers that were there before may have it in force already.
      control.#checkEndpoints();
      control.#workers?.send({ type: "endpoints", verdicts: control.#verdicts.all, isWhole: true });
      control.#workers?.send({ type: "drains", orders: control.#drains.orders });
      void control.#renewals.watch(control.#watching.signal);
      return control;
    }
    // What serves already need not end because of a mistake in a file.
    if (control.#workers?.resumed !== undefined) control.leave();
    await control[Symbol.asyncDispose]();
    return { errors, issues: control.#reconciler.issues };
  }

  /** Access records of a busy time are this process's largest garbage. */
  async #collectWhenCalm(signal: AbortSignal): Promise<void> {
    const calm = new Calm();
    while (!signal.aborted) {
      await sleep(calmLookMs, signal);
      calm.look(this.#records);
    }
  }

  /** The listeners with the ports that are bound. */
  get listeners(): readonly ListenerStatus[] {
    return this.#reconciler.listeners;
  }

  /** Where the admin API is. */
  get adminUrl(): string {
    return this.#admin.url;
  }

  /** The configuration in force and its revision. */
  get inForce(): { readonly revision: number; readonly configuration: Configuration } | undefined {
    return this.#reconciler.inForce;
  }

  /** The processes that serve traffic. */
  get workerPids(): readonly number[] {
    return (this.#workers?.all ?? []).flatMap(({ pid }) => pid ?? []);
  }

  /** How many sessions are open; undefined if a worker does not say. */
  async openSessions(): Promise<number | undefined> {
    const asked = this.#workers?.ask({ about: "status" }, statusMs);
    return asked?.then(({ status }) => status.sessions).catch(() => undefined);
  }

  /** Reads the configuration again, whether it seems to have changed or not. */
  reload(): void {
    for (const source of this.#options.sources) source.refresh?.();
  }

  /** Ends the workers at once; this process has to follow. */
  killWorkers(): void {
    this.#workers?.kill();
  }

  /** Lets the workers serve on when this process ends. */
  leave(): void {
    this.#workers?.leave();
    this.#workers = undefined;
    this.#folder = undefined;
  }

  /** Ends all sessions as `drain` of the configuration says, and then the workers. */
  async drain(): Promise<DrainResult> {
    this.#watching.abort();
    const plan = this.#reconciler.inForce?.configuration.settings.drain;
    if (this.#workers === undefined || plan === undefined) return { closed: 0, destroyed: 0, isKilled: false };
    return this.#workers.drain(plan);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort();
    this.#verdicts[Symbol.dispose]();
    this.#discovery[Symbol.dispose]();
    await this.#workers?.[Symbol.asyncDispose]();
    await this.#folder?.[Symbol.asyncDispose]();
    await this.#admin[Symbol.asyncDispose]();
    await this.log.flush(1000);
  }

  async #settle(configuration: Configuration): Promise<readonly Issue[]> {
    const { workers: count, admin, drain, log } = configuration.settings;
    // The workers start while the admin API loads.
    const workers = await this.#openWorkers();
    const isStarting = workers.all.length === 0;
    if (isStarting) workers.want(processes(count));
    const troubles = await this.#admin.settle(admin);
    if (troubles.length > 0) return troubles;
    this.log.configure(log);
    workers.useTerms({ drain, wantsRecords: log.access });
    workers.want(processes(count));
    return [];
  }

  /** Workers that serve already are found before anything is read: they hold the ports that would be tried out. */
  async #findWorkers(): Promise<void> {
    this.#folder = RuntimeFolder.open(this.#options.identity);
    if (this.#folder.survivors.length === 0) return;
    const workers = await this.#openWorkers();
    if (workers.resumed === undefined) return;
    this.#reconciler.resume(workers.resumed);
    const asked = workers.ask({ about: "status" }, statusMs).then(({ status }) => status);
    const { verdicts = [], drains = [] } = await asked.catch(() => ({ verdicts: [], drains: [] }));
    this.#verdicts.inherit(verdicts);
    this.#drains.inherit(drains);
  }

  async #openWorkers(): Promise<Workers> {
    this.#folder ??= RuntimeFolder.open(this.#options.identity);
    this.#workers ??= await Workers.open({
      folder: this.#folder,
      start: this.#options.startWorker,
      log: this.log,
      listener: {
        onApplied: (revision, listeners) => this.#onApplied(revision, listeners),
        onRefused: (revision, issues) => this.#reconciler.onRefused(revision, issues),
        onRecords: (records, dropped) => {
          this.#records += records.length;
          this.log.records(records, dropped);
        },
        onNotice: (worker, notice) => logNotice(this.log, worker, notice),
      },
      greeting: () => [
        // Before a configuration is in force, workers know better.
        { type: "endpoints", verdicts: this.#verdicts.all, isWhole: this.#reconciler.inForce !== undefined },
        ...(this.#reconciler.inForce === undefined ? [] : [{ type: "drains", orders: this.#drains.orders } as const]),
        { type: "challenges", challenges: this.#renewals.challenges },
      ],
    });
    return this.#workers;
  }

  /** Messages come in order: a worker that answers has heard what was said before. */
  async #showChallenges(challenges: readonly AcmeChallenge[]): Promise<void> {
    this.#workers?.send({ type: "challenges", challenges });
    await this.#workers?.ask({ about: "status" }, statusMs).catch(() => {});
  }

  /** Names that are new are looked up first, so that nobody is sent to an upstream without endpoints. */
  async #apply(snapshot: Snapshot): Promise<void> {
    const isNamed = snapshot.upstreams.some(({ dns }) => dns !== undefined);
    this.#newest = snapshot.revision;
    if (isNamed) await this.#discovery.look(snapshot.upstreams);
    // A newer one may have come meanwhile.
    if (this.#newest !== snapshot.revision) return;
    this.#workers?.apply({ ...snapshot, upstreams: this.#discovery.fill(snapshot.upstreams) });
  }

  #onDiscovered(): void {
    const { inForce } = this.#reconciler;
    const named = inForce?.configuration.model.upstreams.filter(({ dns }) => dns !== undefined) ?? [];
    if (named.length === 0) return;
    this.#workers?.refresh(this.#discovery.fill(named));
    this.#checkEndpoints();
  }

  /** Endpoints are checked as soon as a worker knows them. */
  #onApplied(revision: number, listeners: readonly ListenerStatus[]): void {
    this.#reconciler.onApplied(revision, listeners);
    const upstreams = this.#reconciler.inForce?.configuration.model.upstreams ?? [];
    if (this.#newest === revision) this.#discovery.retain(upstreams);
    // What was found while the change was under way is not in it.
    this.#onDiscovered();
    this.#checkEndpoints();
  }

  #checkEndpoints(): void {
    const { inForce } = this.#reconciler;
    if (inForce === undefined) return;
    const { upstreams, certificates } = inForce.configuration.model;
    this.#verdicts.update(this.#discovery.fill(upstreams), certificates);
    this.#drains.tidy();
  }

  #view(): ControlView {
    const workers = (): Workers | undefined => this.#workers;
    return {
      version: programVersion,
      reconciler: this.#reconciler,
      get workers() {
        const current = workers();
        if (current === undefined) throw new Error("the admin API is open before its workers");
        return current;
      },
      endpoints: this.#verdicts,
      drains: this.#drains,
      upgrade: (order) => this.#upgrade.run(order),
      metrics: () => this.#metrics(),
    };
  }

  /** Leaves everything for the program that takes this one's place. */
  async #makeWay(command: readonly string[]): Promise<void> {
    this.#watching.abort();
    this.#verdicts[Symbol.dispose]();
    await this.#admin[Symbol.asyncDispose]();
    const folder = this.#folder;
    this.leave();
    await folder?.giveUp();
    this.log.info("control-replaced", `the control process goes on as ${command.join(" ")}`, { command });
    await this.log.flush(1000);
  }

  async #metrics(): Promise<{ text: string; contentType: string }> {
    const { metricsContentType, renderMetrics } = await import("../telemetry/metrics.ts");
    const workers = this.#workers?.all ?? [];
    const own = controlMetrics({
      revision: this.#reconciler.inForce?.revision ?? 0,
      isLastReloadGood: this.#reconciler.isLastReloadGood,
      issues: this.#reconciler.issues,
      servingWorkers: workers.filter(({ state }) => state === "serving").length,
      workerRestarts: this.#workers?.restarts ?? 0,
      droppedRecords: this.log.dropped,
      drains: this.#drains.all.length,
      orders: this.#renewals.orders,
      endpoints: this.#verdicts.entries(),
      listeners: this.#reconciler.inForce?.configuration.model.listeners ?? [],
    });
    const found = this.#discovery.families(this.#reconciler.inForce?.configuration.model.upstreams ?? []);
    // Without the workers the page still has the control process's own figures.
    const reports = [
      { process: "control", families: [...own, ...found] },
      ...((await this.#workers?.metrics(metricsMs)) ?? []),
    ];
    return { text: await renderMetrics(reports), contentType: metricsContentType };
  }
}

/** How many workers are meant. */
function processes(count: ControlSettings["workers"]): number {
  return count === "auto" ? Math.min(mostWorkers, availableParallelism()) : count;
}
