import { nearest } from "../kit/nearest.ts";
import { type Command, commands, helpPage } from "./commands.ts";
import { UsageError } from "./usage.ts";

const asksForHelp: ReadonlySet<string> = new Set(["help", "--help", "-h"]);
const asksForVersion: ReadonlySet<string> = new Set(["--version", "-v"]);

/** Runs what the arguments say and resolves to the exit code: 0 fine, 1 failed, 2 wrong use. */
export async function commandLine(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined) return print(process.stderr, helpPage(), 2);
  if (asksForHelp.has(first)) return rest[0] === undefined ? print(process.stdout, helpPage(), 0) : help(rest[0]);
  const name = asksForVersion.has(first) ? "version" : first;
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) return unknown(name);
  if (command.help !== undefined && rest.some((arg) => arg === "--help" || arg === "-h")) {
    return print(process.stdout, command.help, 0);
  }
  return perform(command, rest);
}

function help(name: string): Promise<number> | number {
  if (asksForHelp.has(name)) return print(process.stdout, helpPage(), 0);
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) return unknown(name);
  return command.help === undefined ? perform(command, ["--help"]) : print(process.stdout, command.help, 0);
}

async function perform(command: Command, args: readonly string[]): Promise<number> {
  const act = await command.load();
  try {
    return await act(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const says = `causeway ${command.name}: ${error.message}\nTry: causeway ${command.name} --help\n`;
    return print(process.stderr, says, 2);
  }
}

function unknown(name: string): number {
  const shown = commands.filter(({ isHidden }) => !isHidden).map((command) => command.name);
  const meant = nearest(name, shown);
  const hint = meant === undefined ? "Try: causeway help" : `Did you mean: causeway ${meant}`;
  return print(process.stderr, `causeway: there is no command ${JSON.stringify(name)}\n${hint}\n`, 2);
}

function print(stream: NodeJS.WriteStream, text: string, code: number): number {
  stream.write(text);
  return code;
}
