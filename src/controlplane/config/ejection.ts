import { z } from "zod";
import type { EjectionSettings } from "../../core/health-settings.ts";
import { duration, map, pace, whole } from "./fields.ts";

const inARow = "failures in a row that eject an endpoint; 0 counts none";

/** `ejection` of an upstream: what its traffic says of its endpoints. */
export const ejectionSchema = z.union(
  [
    z.literal("off"),
    map({
      connects: whole(0, 1000).prefault(3).describe(`Connects: ${inARow}.`),
      handshakes: whole(0, 1000)
        .prefault(5)
        .describe(`Handshakes that are answered with 500 to 599, wrongly, or not in time: ${inARow}.`),
      errors: whole(0, 1000)
        .prefault(0)
        .describe(`Requests that are answered with 500 to 599, or not at all: ${inARow}.`),
      sessions: whole(0, 1000)
        .prefault(0)
        .describe(`Sessions whose upstream is lost within \`sessionAge\`: ${inARow}.`),
      sessionAge: duration().prefault("5s").describe("How old a session is that counts as having died early."),
      time: pace()
        .prefault("30s")
        .describe("How long the first ejection takes; the next one in a row that much longer. 100ms to 5m."),
      longest: duration()
        .refine((ms) => ms >= 100 && ms <= 3_600_000, { error: "write 100ms to 1h" })
        .prefault("5m")
        .describe("How long an ejection takes at most; 100ms to 1h."),
      most: whole(0, 100).prefault(50).describe("Percent of the endpoints that are ejected at most."),
    }),
  ],
  { error: "write { connects: 3, time: 30s }, or off" },
);

/** The ejection for the model, or undefined if it is off. */
export function ejectionSettings(ejection: z.output<typeof ejectionSchema>): EjectionSettings | undefined {
  if (ejection === "off") return undefined;
  const { sessionAge, time, longest, ...counts } = ejection;
  return { ...counts, sessionAgeMs: sessionAge, timeMs: time, longestMs: longest };
}
