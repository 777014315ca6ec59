import { z } from "zod";
import { duration } from "./fields.ts";

const longestDrainMs = 900_000;

/** `drain` of an upstream, in milliseconds; null means that sessions stay. */
export const endpointDrainSchema = z
  .union(
    [
      z.literal("off").transform(() => null),
      duration().refine((ms) => ms <= longestDrainMs, { error: "write 0s to 900s, or off" }),
    ],
    { error: "write a duration such as 30s, or off" },
  )
  .optional()
  .describe(
    "How the sessions of an endpoint end that is removed, weighs 0 or is drained by command: with a Close at random moments of this time, 0s to 900s. `off`: they stay. `drain.window` unless given.",
  );
