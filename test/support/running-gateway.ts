import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { selfCommand } from "../../src/cli/self.ts";
import { LineSplitter } from "../../src/kit/line-splitter.ts";
import { within } from "../../src/kit/sleep.ts";
import { until } from "./until.ts";

/** One line of the gateway's JSON log. */
export type LogLine = Readonly<Record<string, unknown>>;

type Ready = {
  readonly listeners: readonly { readonly name: string; readonly port: number }[];
  readonly admin: string;
  readonly workerPids: readonly number[];
  /** That of the first worker. */
  readonly workerPid: number;
};

export type RunningOptions = {
  /** The limit of open files, of the worker too. */
  readonly descriptors?: number;
  /** False forgets the access log; events are always kept. */
  readonly keepsAccess?: boolean;
  /** False lets the workers outlive a control process that is killed, as they do for users. */
  readonly isTied?: boolean;
  /** Where the file is, of a gateway that ran before. */
  readonly file?: string;
};

/** `causeway run` as a process of its own with one configuration file in a folder of its own. */
export class RunningGateway implements AsyncDisposable {
  readonly file: string;
  readonly lines: LogLine[] = [];
  readonly #folder: string;
  readonly #keepsAccess: boolean;
  readonly #isTied: boolean;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** What it wrote that is no JSON, and all of standard error. */
  said = "";

  constructor(yaml: string, how: RunningOptions = {}) {
    this.#keepsAccess = how.keepsAccess ?? true;
    this.#isTied = how.isTied ?? true;
    this.#folder = how.file === undefined ? mkdtempSync(join(tmpdir(), "causeway-test-")) : dirname(how.file);
    this.file = join(this.#folder, "causeway.yaml");
    this.write(yaml);
    const command = [...selfCommand(), "run", ...(this.#isTied ? ["--tied"] : []), this.file];
    const limited = ["sh", "-c", `ulimit -n ${how.descriptors} && exec "$@"`, "sh", ...command];
    this.#process = Bun.spawn(how.descriptors === undefined ? command : limited, {
      stdio: ["ignore", "pipe", "pipe"],
    });
    void this.#read(this.#process.stdout);
    void this.#read(this.#process.stderr);
  }

  /** Starts it and waits until it is ready. */
  static async open(yaml: string, how: RunningOptions = {}): Promise<RunningGateway> {
    const gateway = new RunningGateway(yaml, how);
    const isDecided = () => gateway.event("ready") !== undefined || gateway.#process.exitCode !== null;
    await until(isDecided, 10_000).catch(() => {});
    if (gateway.event("ready") !== undefined) return gateway;
    await gateway[Symbol.asyncDispose]();
    throw new Error(`the gateway did not start: ${gateway.said}${JSON.stringify(gateway.lines.slice(-5))}`);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get exited(): Promise<number> {
    return this.#process.exited;
  }

  get ready(): Ready {
    // The event is written by this very program.
    const ready = this.event("ready") as unknown as Omit<Ready, "workerPid">;
    return { ...ready, workerPid: ready.workerPids[0] ?? 0 };
  }

  /** The newest event of this name. */
  event(name: string): LogLine | undefined {
    return this.lines.findLast((line) => line.event === name);
  }

  /** The URL of the first listener, without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${this.ready.listeners[0]?.port}`;
  }

  write(yaml: string): void {
    writeFileSync(this.file, withWorkers(yaml));
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks the admin API. */
  async admin(path: string, method = "GET"): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${this.ready.admin}${path}`, { method });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Two signals end it at once and let it clean up, which SIGKILL would not.
    this.#process.kill("SIGTERM");
    this.#process.kill("SIGINT");
    const isOver = this.#process.exited.then(() => true);
    if (!(await within(isOver, 3000, false))) this.#process.kill("SIGKILL");
    await this.#process.exited;
    // Workers that may outlive their control process are ended by whoever knows them.
    if (!this.#isTied) for (const line of this.lines) for (const pid of pidsIn(line)) killIfAny(pid);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const lines = new LineSplitter(16 * 1024 * 1024, (line) => {
      // Without reading it: there may be millions.
      if (!this.#keepsAccess && line.startsWith("{") && !line.includes('"kind":"event"')) return;
      if (line.startsWith("{")) this.lines.push(JSON.parse(line) as LogLine);
      else this.said += `${line}\n`;
    });
    for await (const chunk of stream) lines.push(chunk);
  }
}

/** One worker, unless the text says how many: then a test knows which process does what. */
function withWorkers(yaml: string): string {
  if (/\bworkers\b/.test(yaml)) return yaml;
  return yaml.startsWith("{") ? yaml.replace("{", '{"workers":1,') : `${yaml}\nworkers: 1\n`;
}

/** The processes of workers that a line of the log names. */
function pidsIn({ event, pid, workerPids }: LogLine): readonly number[] {
  const all = [event === "worker-serving" ? pid : [], workerPids ?? []].flat();
  return all.filter((one) => typeof one === "number");
}

function killIfAny(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
