import type { ProbeSettings } from "../../core/health-settings.ts";
import { type ProxyProtocol, proxyHeader } from "../../core/proxy-header.ts";
import { authorityOf, formatAddress } from "../../core/snapshot.ts";
import { after } from "../../kit/sleep.ts";
import { readAnswerHead, readBody } from "./http-answer.ts";
import { ProbeStream, type ProbeTls } from "./probe-stream.ts";
import { probeWebSocket } from "./websocket-probe.ts";

/** What one probe has found, and how long it took (ms); `why` says what is wrong. */
export type ProbeResult =
  | { readonly isGood: true; readonly ms: number }
  | { readonly isGood: false; readonly ms: number; readonly why: string };

/** One probe of one endpoint. */
export type Probe = {
  readonly settings: ProbeSettings;
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly proxyProtocol?: ProxyProtocol | undefined;
  /** How traffic speaks TLS to it; a port of its own for checks is not verified. `name` is the endpoint's host unless it is given. */
  readonly tls?: (Omit<ProbeTls, "name"> & Partial<Pick<ProbeTls, "name">>) | undefined;
};

/** Probes an endpoint once; never rejects. An abort of `signal` ends it, as a failure. */
export async function probe(one: Probe, signal: AbortSignal): Promise<ProbeResult> {
  const startedAt = performance.now();
  const ms = (): number => Math.round((performance.now() - startedAt) * 10) / 10;
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  let isLate = false;
  signal.addEventListener("abort", abort);
  const cancel = after(one.timeoutMs, () => {
    isLate = true;
    abort();
  });
  try {
    await attempt(one, stop.signal);
    return { isGood: true, ms: ms() };
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error);
    return { isGood: false, ms: ms(), why: isLate ? `no good answer within ${one.timeoutMs} ms` : says };
  } finally {
    cancel();
    signal.removeEventListener("abort", abort);
  }
}

async function attempt({ settings, host, port, proxyProtocol, tls }: Probe, signal: AbortSignal): Promise<void> {
  // A port of its own for checks is told nothing.
  const isProxied = proxyProtocol !== undefined && settings.port === undefined;
  const preamble = isProxied ? { preamble: proxyHeader(proxyProtocol, undefined) } : {};
  const to = { host, port: settings.port ?? port, ...preamble };
  if (settings.type === "tcp") {
    using _stream = await ProbeStream.open(to, signal);
    return;
  }
  const authority = settings.host ?? authorityOf(formatAddress(to));
  const isTls = settings.type === "https" || (settings.type === "websocket" && settings.isSecure);
  const isVerified = tls !== undefined && settings.port === undefined;
  const how = isVerified ? { name: authorityOf(host), ...tls } : { name: nameOf(authority), verify: "off" as const };
  using stream = await ProbeStream.open(isTls ? { ...to, tls: how } : to, signal);
  if (settings.type === "websocket") await probeWebSocket(stream, settings, authority);
  else await probeHttp(stream, settings, authority);
}

type HttpSettings = Extract<ProbeSettings, { type: "http" | "https" }>;

async function probeHttp(stream: ProbeStream, settings: HttpSettings, authority: string): Promise<void> {
  const { method, path, statuses, contains } = settings;
  const length = method === "POST" ? "Content-Length: 0\r\n" : "";
  stream.write(
    `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\n${length}Accept: */*\r\nUser-Agent: causeway-check\r\nConnection: close\r\n\r\n`,
  );
  const head = await readAnswerHead(stream);
  if (!statuses.some(({ from, to }) => head.status >= from && head.status <= to))
    throw new Error(`the status is ${head.status}`);
  if (contains !== undefined && !(await readBody(head, stream)).includes(contains))
    throw new Error(`the body does not contain ${JSON.stringify(contains)}`);
}

/** The name or address without its port. */
function nameOf(authority: string): string {
  return authority.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
