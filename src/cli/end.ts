import { counted } from "../kit/counted.ts";
import { sleep } from "../kit/sleep.ts";
import type { ControlProcess } from "./control-process.ts";

/** How often somebody who waits hears how many sessions are left (ms). */
const sayMs = 5000;

/** Ends all sessions as `drain` of the configuration says, then the workers and everything else, and tells the log. */
export async function end(control: ControlProcess, signal: NodeJS.Signals): Promise<void> {
  const drain = control.inForce?.configuration.settings.drain;
  const says = `${signal}: sessions end within ${(drain?.windowMs ?? 0) / 1000} s; a second signal ends at once`;
  control.log.info("draining", says, { signal, ...drain });
  const over = new AbortController();
  void tellProgress(control, over.signal);
  const { closed, destroyed, isKilled } = await control.drain();
  over.abort();
  const how = isKilled ? "; a worker did not end in time and was killed" : "";
  const text = `stopped: ${counted(closed, "session")} closed, ${destroyed} cut${how}`;
  control.log[isKilled ? "warn" : "info"]("stopped", text, { closed, destroyed, isKilled });
  await control[Symbol.asyncDispose]();
}

async function tellProgress(control: ControlProcess, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(sayMs, signal);
    const sessions = signal.aborted ? undefined : await control.openSessions();
    if (signal.aborted) return;
    if (sessions !== undefined) control.log.info("drain-left", `${counted(sessions, "session")} left`, { sessions });
  }
}
