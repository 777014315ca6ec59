import type { AdminServer } from "../controlplane/admin/server.ts";
import type { ControlView } from "../controlplane/admin/view.ts";
import { checkPorts } from "../controlplane/port-check.ts";
import { type ReadConfiguration, Reconciler } from "../controlplane/reconciler.ts";
import { type DrainResult, WorkerKeeper } from "../controlplane/workers/worker-keeper.ts";
import type { StartWorker } from "../controlplane/workers/worker-process.ts";
import type { Configuration, ControlSettings, Source } from "../core/configuration.ts";
import type { ListenerStatus } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import { explainListenFailure } from "../core/listen-address.ts";
import { formatAddress } from "../core/snapshot.ts";
import { Log, type LogStreams } from "../telemetry/log.ts";
import { controlMetrics } from "./control-metrics.ts";
import { programVersion } from "./version.ts";

/** How long a metrics page waits for the worker. Milliseconds. */
const metricsMs = 2000;

const firstLog: ControlSettings["log"] = { format: "auto", access: true, redactQuery: [] };

/** What the control process is made of. */
export type ControlOptions = {
  readonly sources: readonly Source[];
  readonly read: ReadConfiguration;
  readonly startWorker: StartWorker;
  readonly streams: LogStreams;
};

/** The first configuration could not be put into force. */
export type ControlRefusal = { readonly errors: readonly Issue[]; readonly issues: readonly Issue[] };

/** Everything that runs beside the traffic, wired together: sources, reconciler, worker, admin API and log. */
export class ControlProcess implements AsyncDisposable {
  readonly log: Log;
  readonly #options: ControlOptions;
  readonly #reconciler: Reconciler;
  readonly #watching = new AbortController();
  #keeper: WorkerKeeper | undefined;
  #admin: AdminServer | undefined;

  private constructor(options: ControlOptions) {
    this.#options = options;
    this.log = new Log(options.streams, firstLog);
    this.#reconciler = new Reconciler({
      sources: options.sources,
      read: options.read,
      log: this.log,
      tryOut: checkPorts,
      apply: (snapshot) => this.#keeper?.apply(snapshot),
      onSettings: (configuration) => this.#settle(configuration),
    });
  }

  /** Reads the configuration, starts the worker, and resolves when traffic flows, or with what keeps it from that. */
  static async open(options: ControlOptions): Promise<ControlProcess | ControlRefusal> {
    const control = new ControlProcess(options);
    const errors = await control.#reconciler.start(control.#watching.signal);
    if (control.#reconciler.inForce !== undefined) return control;
    await control[Symbol.asyncDispose]();
    return { errors, issues: control.#reconciler.issues };
  }

  /** The listeners with the ports that are bound. */
  get listeners(): readonly ListenerStatus[] {
    return this.#reconciler.listeners;
  }

  /** Where the admin API is. */
  get adminUrl(): string {
    return this.#admin?.url ?? "";
  }

  /** The configuration in force and its revision. */
  get inForce(): { readonly revision: number; readonly configuration: Configuration } | undefined {
    return this.#reconciler.inForce;
  }

  get workerPid(): number | undefined {
    return this.#keeper?.pid;
  }

  /** Reads the configuration again, whether it seems to have changed or not. */
  reload(): void {
    for (const source of this.#options.sources) source.refresh?.();
  }

  /** Ends all sessions as `drain` of the configuration says, and then the worker. */
  async drain(): Promise<DrainResult> {
    this.#watching.abort();
    const plan = this.#reconciler.inForce?.configuration.settings.drain;
    if (this.#keeper === undefined || plan === undefined) return { closed: 0, destroyed: 0, isKilled: false };
    return this.#keeper.drain(plan);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort();
    await this.#keeper?.[Symbol.asyncDispose]();
    await this.#admin?.[Symbol.asyncDispose]();
    await this.log.flush(1000);
  }

  async #settle(configuration: Configuration): Promise<readonly Issue[]> {
    const { admin, drain, log } = configuration.settings;
    // The worker starts while the admin API loads.
    const opening = this.#openKeeper();
    const [keeper, troubles] = await Promise.all([opening, this.#settleAdmin(admin)]);
    if (troubles.length > 0) return troubles;
    this.log.configure(log);
    keeper.useTerms({ drain, wantsRecords: log.access });
    return [];
  }

  async #openKeeper(): Promise<WorkerKeeper> {
    this.#keeper ??= await WorkerKeeper.open({
      start: this.#options.startWorker,
      log: this.log,
      listener: {
        onApplied: (revision, listeners) => this.#reconciler.onApplied(revision, listeners),
        onRefused: (revision, issues) => this.#reconciler.onRefused(revision, issues),
        onRecords: (records, dropped) => this.log.records(records, dropped),
      },
    });
    return this.#keeper;
  }

  async #settleAdmin(settings: ControlSettings["admin"]): Promise<readonly Issue[]> {
    try {
      if (this.#admin === undefined) this.#admin = await this.#openAdmin(settings);
      else this.#admin.configure(settings);
      return [];
    } catch (error) {
      const { says, try: instead } = explainListenFailure(error);
      const at = { source: "configuration", path: "admin.address" };
      const where = formatAddress(settings);
      return [{ severity: "error", at, says: `the admin API cannot listen on ${where}: ${says}`, try: instead }];
    }
  }

  /** The admin API's libraries take longer to load than all the rest, so they load while the worker starts. */
  async #openAdmin(settings: ControlSettings["admin"]): Promise<AdminServer> {
    const [{ adminApp }, { AdminServer }] = await Promise.all([
      import("../controlplane/admin/app.ts"),
      import("../controlplane/admin/server.ts"),
    ]);
    return AdminServer.open(adminApp(this.#view()), settings);
  }

  #view(): ControlView {
    const keeper = (): WorkerKeeper | undefined => this.#keeper;
    return {
      version: programVersion,
      reconciler: this.#reconciler,
      get worker() {
        const current = keeper();
        if (current === undefined) throw new Error("the admin API is open before its worker");
        return current;
      },
      metrics: () => this.#metrics(),
    };
  }

  async #metrics(): Promise<{ text: string; contentType: string }> {
    const { metricsContentType, renderMetrics } = await import("../telemetry/metrics.ts");
    const asked = this.#keeper?.ask({ about: "metrics" }, metricsMs);
    // Without the worker the page still has the control process's own figures.
    const families = await (asked?.then((answer) => answer.families).catch(() => []) ?? []);
    const own = controlMetrics({
      revision: this.#reconciler.inForce?.revision ?? 0,
      isLastReloadGood: this.#reconciler.isLastReloadGood,
      issues: this.#reconciler.issues,
      isWorkerServing: this.#keeper?.state === "serving",
      workerRestarts: this.#keeper?.restarts ?? 0,
      droppedRecords: this.log.dropped,
    });
    const reports = [
      { process: "control", families: own },
      { process: "worker-1", families },
    ];
    return { text: await renderMetrics(reports), contentType: metricsContentType };
  }
}
