import { chat } from "../../examples/chat/app.ts";
import { closeCodes } from "../../examples/close-codes/app.ts";
import { dashboard } from "../../examples/dashboard/app.ts";
import { runExample } from "../../examples/shared/run-example.ts";

const examples = [dashboard, chat, closeCodes];

/** `causeway example <name> …`: runs one example application, from a checkout or out of the single executable. */
export async function example(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const found = examples.find((candidate) => candidate.name === name);
  if (found) return runExample(found, rest);
  process.stderr.write(`usage: causeway example <${examples.map(({ name }) => name).join(" | ")}> [--port N]\n`);
  return 2;
}
