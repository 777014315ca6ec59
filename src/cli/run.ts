import { resolve } from "node:path";
import { configurationReader } from "../controlplane/config/read.ts";
import { FileSource } from "../controlplane/sources/file-source.ts";
import { workerStarter } from "../controlplane/workers/worker-process.ts";
import { formatIssue } from "../core/issue.ts";
import { formatAddress } from "../core/snapshot.ts";
import { counted } from "../kit/counted.ts";
import { LineOutput, writeTo } from "../telemetry/line-output.ts";
import type { LogStreams } from "../telemetry/log.ts";
import { ControlProcess } from "./control-process.ts";
import { end } from "./end.ts";
import { selfCommand } from "./self.ts";
import { whenAskedToEnd } from "./signals.ts";
import { parseOptions, UsageError } from "./usage.ts";
import { programVersion } from "./version.ts";

/** `causeway run <file-or-folder>…`: the control process with its workers, until a signal ends it. */
export async function run(args: readonly string[]): Promise<number> {
  const { positionals: paths, values } = parseOptions(args, { tied: { type: "boolean" } });
  const isTied = values.tied ?? false;
  if (paths.length === 0) throw new UsageError("say which file or folder holds the configuration");
  const startedAt = performance.now();
  let running: ControlProcess | undefined;
  const stopped = whenAskedToEnd({
    onReload: () => {
      running?.log.info("reload", "SIGHUP: the configuration is read again");
      running?.reload();
    },
    onImpatience: () => {
      running?.killWorkers();
      process.exit(1);
    },
  });
  const opened = ControlProcess.open({
    sources: [new FileSource(paths)],
    read: configurationReader(),
    startWorker: workerStarter(selfCommand(), { isTied }),
    streams: ownStreams(),
    identity: isTied ? undefined : identityOf(paths),
    ...(isTied ? {} : { paths }),
  });
  process.on("uncaughtException", (error) => {
    process.stderr.write(`${error.stack ?? error.message}\n`);
    if (!isTied) running?.leave();
    process.exit(1);
  });
  const control = await Promise.race([opened, stopped]);
  // Nothing was promised to anybody yet, so there is nothing to drain.
  if (typeof control === "string") process.exit(0);
  if (!(control instanceof ControlProcess)) {
    const lines = [...control.issues.map(formatIssue), `not started: ${counted(control.errors.length, "error")}`];
    await writeTo(process.stderr)(lines.map((line) => `${line}\n`).join(""));
    return 1;
  }
  running = control;
  announce(control, performance.now() - startedAt);
  const signal = await stopped;
  await end(control, signal);
  return 0;
}

/** The gateway of these files: whoever runs them again means the same one. */
function identityOf(paths: readonly string[]): string {
  return paths.map((path) => resolve(path)).join("\n");
}

function ownStreams(): LogStreams {
  const { stdout, stderr, env } = process;
  // https://no-color.org
  const hasColors = (stream: NodeJS.WriteStream): boolean => stream.isTTY === true && !env.NO_COLOR;
  return {
    stdout: new LineOutput(writeTo(stdout)),
    stderr: new LineOutput(writeTo(stderr)),
    isTerminal: stdout.isTTY === true,
    colors: { stdout: hasColors(stdout), stderr: hasColors(stderr) },
  };
}

function announce(control: ControlProcess, tookMs: number): void {
  const { inForce, listeners, adminUrl, log } = control;
  const model = inForce?.configuration.model;
  const [routes, upstreams] = [model?.routes.length ?? 0, model?.upstreams.length ?? 0];
  const secure = new Set(model?.listeners.filter(({ tls }) => tls !== undefined).map(({ name }) => name));
  const scheme = (name: string): string => (secure.has(name) ? "https" : "http");
  const lines = [
    `causeway ${programVersion} is ready after ${Math.round(tookMs)} ms: ${counted(routes, "route")}, ${counted(upstreams, "upstream")}`,
    ...listeners.map((listener) => `listener ${listener.name}: ${scheme(listener.name)}://${formatAddress(listener)}`),
    `admin API: ${adminUrl}`,
  ];
  log.info("ready", lines.join("\n"), {
    version: programVersion,
    revision: inForce?.revision,
    routes,
    upstreams,
    listeners: listeners.map(({ name, host, port }) => ({ name, host, port })),
    admin: adminUrl,
    pid: process.pid,
    workerPids: control.workerPids,
  });
}
