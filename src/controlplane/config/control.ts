import { z } from "zod";
import type { ControlSettings } from "../../core/configuration.ts";
import { isLoopback, parseListenAddress } from "./addresses.ts";
import { closeCode, duration, list, map, parsed, text, truth, word } from "./fields.ts";
import type { Problem } from "./findings.ts";

const tokenForm = /^[\x21-\x7e]{16,}$/;

const tokenHint = "write 16 characters or more without spaces, or { env: NAME } to take them from the environment";

const token = z
  .union(
    [
      z.string().regex(tokenForm, { error: tokenHint }),
      map({ env: text("write the name of an environment variable").describe("Name of the environment variable.") }),
    ],
    { error: tokenHint },
  )
  .optional()
  .describe(
    "Bearer token of 16 characters or more that every request but `/healthz` and `/readyz` has to carry. Needed where " +
      "the address is not a loopback address. A map with the key below takes it from the environment.",
  );

/** `admin`: the listener of API, metrics and console. */
export const adminSchema = map({
  address: parsed({
    write: 'write an address such as "127.0.0.1:9901"',
    title: "address",
    parse: parseListenAddress,
  })
    .prefault("127.0.0.1:9901")
    .describe("Where the admin API listens. Port 0 takes any free port."),
  token,
});

/** `workers`: how many processes serve traffic. */
export const workersSchema = z
  .union([z.literal("auto"), z.int().min(1).max(64)], { error: "write auto, or a number from 1 to 64" })
  .describe(
    "How many processes serve traffic. They share the ports, and the kernel spreads connections over them. `auto` is one for each core.",
  );

/** `log`: what is written to standard output. */
export const logSchema = map({
  format: word("auto", "json", "text")
    .prefault("auto")
    .describe("`auto`: readable on a terminal, JSON lines everywhere else."),
  access: truth()
    .prefault(true)
    .describe("Whether exchanges and sessions are logged. Events of the gateway itself always are."),
  redactQuery: list(text("write the name of a query parameter"), "[ token, ticket ]")
    .prefault(["access_token", "token", "api_key", "ticket"])
    .describe("Query parameters whose values are replaced in the log."),
});

/** `drain`: how sessions end when the gateway stops or their route is deleted. */
export const drainSchema = map({
  window: duration().prefault("30s").describe("Close frames go out at random moments of this time."),
  grace: duration()
    .optional()
    .describe("Whatever is open this long after the start is cut. 5 s longer than `window` unless given."),
  code: closeCode().prefault(1012).describe("Code of the Close frames."),
  reason: z
    .string({ error: "write a text" })
    .refine((reason) => Buffer.byteLength(reason) <= 123, {
      error: "write at most 123 bytes of UTF-8, which is what a Close frame holds",
    })
    .prefault("")
    .describe("Reason in the Close frames, at most 123 bytes of UTF-8."),
});

type Environment = Readonly<Record<string, string | undefined>>;

/** The admin settings, or what is wrong with them. */
export function adminSettings(
  admin: z.output<typeof adminSchema>,
  environment: Environment,
): ControlSettings["admin"] | { readonly problem: Problem; readonly at: string } {
  const { host, port } = admin.address;
  const secret = typeof admin.token === "object" ? environment[admin.token.env] : admin.token;
  if (typeof admin.token === "object" && !secret) {
    const says = `the environment variable ${admin.token.env} is not set`;
    return { at: "token", problem: { says, try: "set it, or write the token here" } };
  }
  if (typeof admin.token === "object" && !tokenForm.test(secret ?? "")) {
    const says = `the environment variable ${admin.token.env} holds no token`;
    return { at: "token", problem: { says, try: "give it 16 characters or more, without spaces" } };
  }
  if (secret === undefined && !isLoopback(host)) {
    const says = `${host} can be reached from other machines, and there is no token`;
    return { at: "address", problem: { says, try: "add token: { env: NAME }, or write 127.0.0.1" } };
  }
  return { host, port, ...(secret === undefined ? {} : { token: secret }) };
}

/** The drain settings with their grace. */
export function drainSettings(drain: z.output<typeof drainSchema>): ControlSettings["drain"] {
  return {
    windowMs: drain.window,
    graceMs: drain.grace ?? drain.window + 5000,
    code: drain.code,
    reason: drain.reason,
  };
}
