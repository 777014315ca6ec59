import { jsonSchema } from "../controlplane/config/schema.ts";
import { refuseOperands } from "./usage.ts";

/** Prints the JSON Schema of the configuration. Resolves to the exit code 0. */
export async function schema(
  args: readonly string[],
  print: (text: string) => unknown = (text) => process.stdout.write(text),
): Promise<number> {
  refuseOperands(args);
  print(`${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
  return 0;
}
