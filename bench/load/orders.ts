import type { Timeline } from "../continuity/timeline.ts";
import type { Failure, TrafficSample } from "../measure/sample.ts";
import type { Measurement } from "./window.ts";

/** What a load process is started with. */
export type Target = {
  readonly host: string;
  readonly port: number;
  /** The length of a message or response body in bytes. */
  readonly payloadBytes: number;
  /** How TLS is spoken with it: the certificate to believe, and whether new connections resume the session of an earlier one. */
  readonly tls?: { readonly ca: string; readonly resumes: boolean };
};

/** What a load process can be told to do, one after the other. */
export type Order =
  /** Opens that many sessions or connections and lets each of them do one operation. */
  | { readonly do: "open"; readonly count: number }
  /** Operations one after the other on everything that is open, measured. */
  | { readonly do: "run"; readonly measurement: Measurement }
  /** Traffic at a steady pace for that long, whatever happens to it. */
  | { readonly do: "follow"; readonly forMs: number; readonly bucketMs: number }
  /** Ends everything that is open, politely. */
  | { readonly do: "close" };

/** What comes back when an order has been carried out. The echo server tells its port unasked. */
export type Answer =
  | { readonly did: "listen"; readonly port: number }
  | { readonly did: "open"; readonly failures: readonly Failure[] }
  | { readonly did: "run"; readonly sample: TrafficSample }
  | { readonly did: "follow"; readonly timeline: Timeline; readonly failures: readonly Failure[] }
  | { readonly did: "close"; readonly failures: readonly Failure[] }
  | { readonly did: "give up"; readonly says: string };

/** Carries out the orders that the process which started this one sends; ends when that one is gone. */
export function obey(carryOut: (order: Order) => Promise<Answer>): void {
  process.on("disconnect", () => process.exit());
  process.on("message", async (order: Order) => {
    try {
      answer(await carryOut(order));
    } catch (error) {
      answer({ did: "give up", says: String(error) });
    }
  });
}

/** Sends an answer to the process which started this one. */
export function answer(message: Answer): void {
  process.send?.(message);
}

/** The target that this process was started with. */
export function targetOfThisProcess(): Target {
  return JSON.parse(process.argv[2] ?? "{}");
}

/** Waits until `isDone`, looking every few milliseconds; throws with `what` after ten seconds. */
export async function until(what: string, isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new Error(`waited 10 s in vain: ${what}`);
    await Bun.sleep(5);
  }
}
