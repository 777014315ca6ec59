import { type DrainTarget, inWords } from "../controlplane/drains.ts";
import { counted } from "../kit/counted.ts";
import { formatDuration } from "../kit/duration.ts";
import { sleep } from "../kit/sleep.ts";
import { escapeControls } from "../telemetry/line-text.ts";
import { AdminFailure } from "./admin-client.ts";

/** How often a drain is looked at, and how often that is said where it stays to be read (ms). */
const usualLookMs = 500;
const sayMs = 5000;
/** So often in a row the admin API may fail before it is given up. */
const mostFailures = 5;
const barWidth = 30;

/** A drain as the admin API tells it; times are Unix milliseconds. */
export type DrainLeft = {
  readonly target: DrainTarget;
  readonly startedAt: number;
  readonly endsAt: number;
  readonly windowMs: number;
  /** Those that have not ended. */
  readonly sessions: number;
};

/** Where the progress of a drain is shown. */
export type ProgressOutput = {
  /** Said once, at the beginning. Returns the exit code of somebody who does not wait. */
  begun(): number;
  left(state: DrainLeft, now: number): void;
  /** `state` is the last one known; undefined `how` if all sessions have ended. */
  over(state: DrainLeft, how?: "cancelled"): void;
};

/** A bar on a terminal, lines elsewhere, and JSON lines for programs. */
export function progressOutput(
  begun: DrainLeft,
  how: { readonly isJson: boolean; readonly isTerminal: boolean },
  write: (text: string) => unknown = (text) => process.stdout.write(text),
): ProgressOutput {
  if (how.isJson) return jsonOutput(begun, write);
  const name = escapeControls(inWords(begun.target));
  const open = counted(begun.sessions, "session");
  const clear = how.isTerminal ? "\r\x1b[K" : "";
  let saidAt = begun.startedAt;
  return {
    begun() {
      write(`${name} drains: ${open} within ${formatDuration(begun.windowMs)}\n`);
      return 0;
    },
    left(state, now) {
      if (how.isTerminal) return void write(`${clear}${barOf(state, begun.sessions)}`);
      if (now - saidAt < sayMs) return;
      saidAt = now;
      write(`${counted(state.sessions, "session")} left\n`);
    },
    over(state, ending) {
      if (ending === undefined) write(`${clear}${name} is drained: ${open} ended\n`);
      else write(`${clear}the drain of ${name} was taken back, with ${counted(state.sessions, "session")} left\n`);
    },
  };
}

function jsonOutput(begun: DrainLeft, write: (text: string) => unknown): ProgressOutput {
  const line = (state: string, { target, startedAt, endsAt, sessions }: DrainLeft): void =>
    void write(`${JSON.stringify({ state, target, startedAt, endsAt, sessions, of: begun.sessions })}\n`);
  return {
    begun() {
      line("begun", begun);
      return 0;
    },
    left: (state) => line("draining", state),
    over: (state, ending) => line(ending ?? "drained", state),
  };
}

/** Looks at a drain until nothing is left. Resolves to the exit code: 1 if it was taken back before. */
export async function watchDrain(watch: {
  readonly begun: DrainLeft;
  readonly output: ProgressOutput;
  readonly ask: () => Promise<readonly DrainLeft[]>;
  /** Half a second unless told otherwise (ms). */
  readonly lookMs?: number;
}): Promise<number> {
  const { output } = watch;
  let last = watch.begun;
  let failures = 0;
  output.begun();
  while (last.sessions > 0) {
    await sleep(watch.lookMs ?? usualLookMs);
    try {
      const found = (await watch.ask()).find((item) => Bun.deepEquals(item.target, last.target));
      if (found?.startedAt !== last.startedAt) {
        output.over(last, "cancelled");
        return 1;
      }
      last = found;
      failures = 0;
      if (last.sessions > 0) output.left(last, Date.now());
    } catch (error) {
      if (!(error instanceof AdminFailure) || ++failures >= mostFailures) throw error;
    }
  }
  output.over(last);
  return 0;
}

/** `[###------]  70 of 100 sessions left`. */
function barOf({ sessions }: DrainLeft, all: number): string {
  const ended = all === 0 ? 1 : Math.max(0, 1 - sessions / all);
  const full = Math.floor(ended * barWidth);
  return `[${"#".repeat(full)}${"-".repeat(barWidth - full)}]  ${sessions} of ${counted(all, "session")} left`;
}
