import { jsonSchema } from "../controlplane/config/schema.ts";
import { UsageError } from "./usage.ts";

const help = `usage: causeway schema

Prints the JSON Schema of the configuration, for editors that check and complete
YAML:

  causeway schema > causeway.schema.json

and as the first line of a configuration

  # yaml-language-server: $schema=causeway.schema.json
`;

/** Prints the JSON Schema of the configuration. Resolves to the exit code 0. */
export async function schema(
  args: readonly string[],
  print: (text: string) => unknown = (text) => process.stdout.write(text),
): Promise<number> {
  const [first] = args;
  if (first === "--help" || first === "-h") {
    print(help);
    return 0;
  }
  if (first !== undefined) throw new UsageError("schema takes no arguments");
  print(`${JSON.stringify(jsonSchema(), undefined, 2)}\n`);
  return 0;
}
