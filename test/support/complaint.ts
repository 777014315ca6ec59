import { commandLine } from "../../src/cli/command-line.ts";

/** What the program says to arguments that come to nothing, within this process: a command that was begun would end it. */
export async function complaint(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const stdout = { write: (text: string) => out.push(text) };
  const stderr = { write: (text: string) => err.push(text) };
  const code = await commandLine(args, { stdout, stderr });
  return { code, out: out.join(""), err: err.join("") };
}
