import { parseArgs } from "node:util";
import { nearest } from "../kit/nearest.ts";

/** The command line is wrong; `message` says what, in words for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Options = NonNullable<Parameters<typeof parseArgs>[0]>["options"];

/** Options and operands of a command; throws a UsageError. */
export function parseOptions<const O extends NonNullable<Options>>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(wordsFor(error instanceof Error ? error.message : String(error), Object.keys(options)));
  }
}

/** Refuses operands, for a command that has none; throws a UsageError. */
export function refuseOperands([first]: readonly string[]): void {
  if (first !== undefined) throw new UsageError(`it takes no ${JSON.stringify(first)}`);
}

/** What Node says of an option, in our own words. */
function wordsFor(message: string, known: readonly string[]): string {
  const [, option = ""] = /'(?:-\w, )?(-{1,2}[^' ]+)/.exec(message) ?? [];
  if (message.startsWith("Unknown option")) {
    const meant = nearest(option.replace(/^-+/, ""), known);
    return meant === undefined
      ? `there is no option ${option}`
      : `there is no option ${option}; did you mean --${meant}?`;
  }
  if (message.includes("does not take an argument")) return `${option} takes no value`;
  if (message.includes("ambiguous"))
    return `${option} needs a value; one that begins with - is written ${option}=VALUE`;
  if (message.includes("argument missing")) return `${option} needs a value`;
  return message;
}
