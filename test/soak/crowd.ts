import { handshake } from "../support/handshake.ts";
import { Metrics } from "../support/metrics.ts";
import { until } from "../support/until.ts";
import { WsPeer } from "../support/ws.ts";
import type { LoadOptions } from "./load.ts";

const halves = 10_000;
const good = 1000;
/** What the slowest hundredth of the good ones may take to be open (ms). */
const patienceMs = 200;
/** The time for a head of the listener, and some for a busy machine (ms). */
const goneMs = 30_000;

export type CrowdOptions = LoadOptions & {
  /** URL of the admin API. */
  readonly admin: string;
  /** The listener's name, on which nobody else is. */
  readonly listener: string;
};

/**
 * Ten thousand clients that never finish their handshake, and a thousand among them that do (AC-26.1, AC-26.3, S27). Returns what the
 * good ones took at the 99th percentile (ms).
 */
export async function crowd(options: CrowdOptions): Promise<number> {
  const { port, findings } = options;
  const half = handshake({ target: "/echo/" }).slice(0, 60);
  const open = async (): Promise<number> =>
    (await Metrics.read(options.admin)).sum("causeway_connections_open", `listener="${options.listener}"`);
  const socket = {
    open: (one: Bun.Socket) => void one.write(half),
    data() {},
    error() {},
  };
  for (let count = 0; count < halves; count += 100) {
    const some = Array.from({ length: 100 }, () => Bun.connect({ hostname: "127.0.0.1", port, socket }));
    await Promise.all(some).catch((error: unknown) => findings.add(`crowd: ${String(error)}`));
  }
  const there = await open();
  if (there < halves * 0.95) findings.add(`crowd: only ${there} of ${halves} half handshakes were taken in`);
  const times: number[] = [];
  for (let count = 0; count < good; count++) {
    const startedAt = performance.now();
    const peer = await WsPeer.open(port, { path: "/echo/" });
    times.push(performance.now() - startedAt);
    peer.socket.terminate();
  }
  const slowest = times.sort((a, b) => a - b)[Math.floor(good * 0.99)] ?? 0;
  if (slowest > patienceMs) findings.add(`crowd: good clients took ${slowest.toFixed(0)} ms at the 99th percentile`);
  // Every half handshake is ended in time, without anybody asking.
  await until(async () => (await open()) === 0, goneMs).catch(async () => {
    findings.add(`crowd: ${await open()} half handshakes are still there`);
  });
  return slowest;
}
