import type { TimerWheel } from "../../src/kit/timer-wheel.ts";
import type { SessionBench } from "./session-bench.ts";

/** How exactly closing times are known (ms). */
const stepMs = 50;

/** The time over which something happens, on a simulated clock. */
export type Window = { readonly wheel: TimerWheel; readonly windowMs: number };

/** When the sessions begin to close while a window passes: milliseconds since its start, ascending. */
export function closingTimes(benches: readonly SessionBench[], { wheel, windowMs }: Window): readonly number[] {
  const times: number[] = [];
  let open = benches;
  for (let at = stepMs; at <= windowMs + 2 * stepMs; at += stepMs) {
    wheel.advance(at);
    const left = open.filter(({ session }) => !session.isClosing);
    for (let closed = open.length - left.length; closed > 0; closed--) times.push(at);
    open = left;
  }
  return times;
}

/** True if moments could be uniformly random over the window: Kolmogorov-Smirnov, at a level of one in a million. */
export function areUniform(times: readonly number[], windowMs: number): boolean {
  const distance = Math.max(...times.map((at, index) => Math.abs(at / windowMs - (index + 0.5) / times.length)));
  const limit = Math.sqrt(-Math.log(1e-6 / 2) / 2 / times.length);
  return distance < limit + stepMs / windowMs;
}
