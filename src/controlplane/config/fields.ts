import { z } from "zod";
import { maxDurationMs, parseDuration } from "../../kit/duration.ts";
import { formatSize, parseSize } from "../../kit/size.ts";
import type { Problem } from "./findings.ts";

// Every `error` of a schema says what to write; what is wrong is added from the value by translate.ts.

/** What a transform or check of zod gets, as far as it is used here. */
export type Context = { readonly issues: { push(issue: z.core.$ZodRawIssue): unknown } };

/** Refuses a value with words of its own; `path` leads from the checked value to the part that is wrong. */
export function refuse(context: Context, problem: Problem, path: PropertyKey[] = []): void {
  context.issues.push({ code: "custom", input: undefined, message: problem.says, params: { try: problem.try }, path });
}

/** A map with these keys and no others. */
export function map<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  example?: string,
): z.ZodObject<Shape, z.core.$strict> {
  const keys = Object.keys(shape);
  return z.strictObject(shape, {
    // translate.ts finds the nearest of these for an unknown key.
    error: (issue) => (issue.code === "unrecognized_keys" ? keys.join(" ") : `write ${example ?? sketch(keys)}`),
  });
}

function sketch(keys: readonly string[]): string {
  return `a map such as { ${keys
    .slice(0, 2)
    .map((key) => `${key}: …`)
    .join(", ")} }`;
}

/** A text; `write` says what belongs here. */
export function text(write: string) {
  return z.string({ error: quotedOr(write) });
}

/** Words for a number or boolean that stands where a text belongs, and `write` for everything else. */
export function quotedOr(write: string) {
  return ({ input }: { readonly input?: unknown }): string =>
    typeof input === "number" || typeof input === "boolean" ? `write it in quotes: "${input}"` : write;
}

/** One of these words. */
export function word<const Words extends readonly [string, ...string[]]>(...words: Words) {
  return z.enum(words, { error: `write ${oneOf(words)}` });
}

/** `a, b or c`. */
export function oneOf(words: readonly (string | number)[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** True or false, and no other words for them. */
export function truth() {
  return z.boolean({ error: "write true or false" });
}

/** How often something of health happens, or how long it takes: a duration between 100 ms and 5 minutes. */
export function pace() {
  return duration().refine((ms) => ms >= 100 && ms <= 300_000, { error: "write 100ms to 5m" });
}

/** A whole number between two bounds, both included. */
export function whole(min: number, max: number) {
  const error = `write a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** A list of these. */
export function list<Item extends z.ZodType>(item: Item, example: string) {
  return z.array(item, { error: `write a list such as ${example}` });
}

/** A map from names that the user chooses. */
export function named<Value extends z.ZodType>(value: Value, example: string) {
  return z.record(z.string(), value, { error: `write a map such as ${example}` });
}

/** A duration, in milliseconds once it is read; `off` is 0. */
export function duration() {
  return z
    .string({ error: (issue) => durationHint(issue.input) })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms <= maxDurationMs) return ms;
      if (ms !== undefined)
        refuse(context, { says: `${text} is longer than 24 days`, try: "write off, or at most 24d" });
      else refuse(context, { says: `"${text}" is no duration`, try: durationHint(Number(text)) });
      return z.NEVER;
    })
    .meta({ title: "duration" });
}

function durationHint(input: unknown): string {
  if (typeof input === "number" && input > 0) {
    return Number.isInteger(input) ? `write ${input}s for seconds, or ${input}ms for milliseconds` : `write ${input}s`;
  }
  if (input === 0 || input === false) return "write off";
  return "write a duration such as 30s, 5m, 250ms or off";
}

/** A size, in bytes once it is read. */
export function size(min: number, max: number) {
  return z
    .string({ error: (issue) => sizeHint(issue.input) })
    .transform((text, context) => {
      const bytes = parseSize(text);
      if (bytes !== undefined && bytes >= min && bytes <= max) return bytes;
      if (bytes === undefined) refuse(context, { says: `"${text}" is no size`, try: sizeHint(Number(text)) });
      else refuse(context, { says: `${text} is out of bounds`, try: `write ${formatSize(min)} to ${formatSize(max)}` });
      return z.NEVER;
    })
    .meta({ title: "size" });
}

function sizeHint(input: unknown): string {
  if (typeof input !== "number" || !(input > 0)) return "write a size such as 64KB or 1MB";
  if (input % 1024 === 0) return `write ${formatSize(input)}`;
  return `write ${input}B for bytes, or ${input}KB for 1024 bytes each`;
}

/** A text that `parse` makes something of; `write` says what belongs here. */
export function parsed<Value>(options: {
  readonly write: string;
  readonly title: string;
  readonly parse: (text: string) => Value | Misread;
}) {
  return z
    .string({ error: ({ input }) => plainHint(input, options) })
    .transform((input, context): Value => {
      const value = options.parse(input);
      if (!(value instanceof Misread)) return value;
      refuse(context, value.problem);
      return z.NEVER;
    })
    .meta({ title: options.title });
}

/** Where a number or boolean stands and quotes are all that is missing, they are proposed. */
function plainHint(
  input: unknown,
  options: { readonly write: string; readonly parse: (text: string) => unknown },
): string {
  if (typeof input === "object") return options.write;
  const isFine = !(options.parse(String(input)) instanceof Misread);
  return isFine ? quotedOr(options.write)({ input }) : options.write;
}

/** What a parser gives back for a text that it cannot read. */
export class Misread {
  readonly problem: Problem;

  constructor(says: string, instead?: string) {
    this.problem = { says, try: instead };
  }
}

/** The code of a Close frame that the gateway may send itself (RFC 6455 §7.4; 1005, 1006 and 1015 never go on the wire). */
export function closeCode() {
  const error = "write 1000 to 1003, 1007 to 1014, or 3000 to 4999";
  return z
    .int({ error })
    .min(1000, { error })
    .max(4999, { error })
    .refine((code) => isCloseCode(code), { error })
    .meta({ title: "Close code" });
}

function isCloseCode(code: number): boolean {
  return code <= 1003 || (code >= 1007 && code <= 1014) || code >= 3000;
}
