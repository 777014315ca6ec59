import { nearest } from "../kit/nearest.ts";
import { type Command, commands, helpPage } from "./commands.ts";
import { UsageError } from "./usage.ts";

const asksForHelp: ReadonlySet<string> = new Set(["help", "--help", "-h"]);
const asksForVersion: ReadonlySet<string> = new Set(["--version", "-v"]);

/** Where help and complaints are written. */
export type Streams = Readonly<Record<"stdout" | "stderr", { write(text: string): unknown }>>;

/** Runs what the arguments say and resolves to the exit code: 0 fine, 1 failed, 2 wrong use. Commands themselves write to the process's own streams. */
export async function commandLine(args: readonly string[], streams: Streams = process): Promise<number> {
  const { stdout, stderr } = streams;
  const [first, ...rest] = args;
  if (first === undefined) return print(stderr, helpPage(), 2);
  if (asksForHelp.has(first)) return rest[0] === undefined ? print(stdout, helpPage(), 0) : help(rest[0], streams);
  const name = asksForVersion.has(first) ? "version" : first;
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) return unknown(name, stderr);
  if (command.help !== undefined && rest.some((arg) => arg === "--help" || arg === "-h")) {
    return print(stdout, command.help, 0);
  }
  return perform(command, rest, streams);
}

function help(name: string, streams: Streams): Promise<number> | number {
  const { stdout, stderr } = streams;
  if (asksForHelp.has(name)) return print(stdout, helpPage(), 0);
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) return unknown(name, stderr);
  return command.help === undefined ? perform(command, ["--help"], streams) : print(stdout, command.help, 0);
}

async function perform(command: Command, args: readonly string[], { stderr }: Streams): Promise<number> {
  const act = await command.load();
  try {
    return await act(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const says = `causeway ${command.name}: ${error.message}\nTry: causeway ${command.name} --help\n`;
    return print(stderr, says, 2);
  }
}

function unknown(name: string, stderr: Streams["stderr"]): number {
  const shown = commands.filter(({ isHidden }) => !isHidden).map((command) => command.name);
  const meant = nearest(name, shown);
  const hint = meant === undefined ? "Try: causeway help" : `Did you mean: causeway ${meant}`;
  return print(stderr, `causeway: there is no command ${JSON.stringify(name)}\n${hint}\n`, 2);
}

function print(stream: Streams["stdout"], text: string, code: number): number {
  stream.write(text);
  return code;
}
