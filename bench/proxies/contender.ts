import type { WatchedProcess } from "../measure/processes.ts";
import type { Child } from "../run/child.ts";
import type { TlsFiles } from "../run/tls-files.ts";

/**
 * The proxies that are compared. `one-worker` is Causeway again, for scenarios in which it has several workers; `direct` is none at all,
 * which shows what load and echo server reach on their own.
 */
export const proxyNames = ["causeway", "one-worker", "nginx", "haproxy", "envoy", "direct"] as const;

export type ProxyName = (typeof proxyNames)[number];

/** What a proxy is started with. */
export type ProxyPlan = {
  /** A folder of its own for its files. */
  readonly folder: string;
  readonly port: number;
  readonly adminPort: number;
  readonly upstreamPort: number;
  readonly workers: number;
  /** How long what a reload has replaced may stay for its sessions, in seconds; as long as they last unless given. */
  readonly oldStaysSeconds?: number;
  /** With them it speaks TLS, as `tlsTerms` say, and nothing else. */
  readonly tls: TlsFiles | undefined;
};

/** How to run one kind of proxy: no access log, WebSocket and HTTP from one port to one upstream that speaks in the clear. */
export interface Contender {
  readonly name: ProxyName;
  /** How many times the usual warm-up it gets: what is compiled while it runs needs longer to be as fast as it will be for the rest of its life. */
  readonly warmupFactor: number;
  /** Its version; undefined where it is not installed. */
  version(): Promise<string | undefined>;
  /** Writes its files; the command starts it in the foreground. */
  prepare(plan: ProxyPlan): Promise<readonly string[]>;
  /** Throws as long as it is not ready for traffic. */
  checkReady(plan: ProxyPlan): Promise<void>;
  /** Its processes, once it is ready. */
  processes(plan: ProxyPlan, child: Child): Promise<readonly WatchedProcess[]>;
}

/** What a command prints, standard error included; undefined where it does not exist. */
export async function outputOf(command: readonly string[]): Promise<string | undefined> {
  const [program = ""] = command;
  if (Bun.which(program) === null) return undefined;
  const process = Bun.spawn([...command], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, error] = await Promise.all([new Response(process.stdout).text(), new Response(process.stderr).text()]);
  return out + error;
}

/** Throws unless a GET through the proxy is answered by the upstream. */
export async function checkAnswers({ port, tls }: ProxyPlan): Promise<void> {
  const security = tls === undefined ? {} : { tls: { ca: tls.ca } };
  const options = { keepalive: false, signal: AbortSignal.timeout(1000), ...security };
  const response = await fetch(`${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/`, options);
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`it answers ${response.status}`);
}
