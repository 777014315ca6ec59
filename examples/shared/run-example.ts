import { parseArgs } from "node:util";
import type { Environment, Example, Listen, RunningExample } from "./example.ts";

/**
 * Runs one example until SIGTERM or SIGINT, or until stdin ends where `--until-stdin-ends` is given; resolves to the exit
 * code. The first line on stdout is `<name>: <url>`, written once the port is open.
 */
export async function runExample(
  example: Example,
  args: readonly string[],
  environment: Environment = process.env,
): Promise<number> {
  const options = parseOptions(example, args, environment);
  if (options.kind === "help") {
    process.stdout.write(usage(example));
    return 0;
  }
  if (options.kind === "wrong") {
    process.stderr.write(`${example.name}: ${options.says}\n${usage(example)}`);
    return 2;
  }
  let running: RunningExample;
  try {
    running = example.start(options.listen, environment);
  } catch (error) {
    process.stderr.write(`${example.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  process.stdout.write(`${example.name}: ${running.url}\n`);
  await untilTold(options.untilStdinEnds);
  running.stop();
  return 0;
}

type Options =
  | { readonly kind: "run"; readonly listen: Listen; readonly untilStdinEnds: boolean }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly says: string };

function parseOptions(example: Example, args: readonly string[], environment: Environment): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: environment.PORT ?? String(example.defaultPort) },
        "until-stdin-ends": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return { kind: "help" };
    if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65535)
      return { kind: "wrong", says: `the port must be a number from 0 to 65535, not ${JSON.stringify(values.port)}` };
    const listen = { host: values.host, port: Number(values.port) };
    return { kind: "run", listen, untilStdinEnds: values["until-stdin-ends"] };
  } catch (error) {
    return { kind: "wrong", says: error instanceof Error ? error.message : String(error) };
  }
}

function usage(example: Example): string {
  return [
    `usage: ${example.name} [--port N] [--host ADDRESS]`,
    `  --port N        where to listen; the variable PORT or ${example.defaultPort} unless told, 0 for any free port`,
    "  --host ADDRESS  127.0.0.1 unless told; 0.0.0.0 to be reached from other machines",
    "",
  ].join("\n");
}

async function untilTold(untilStdinEnds: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once("SIGTERM", resolve);
  process.once("SIGINT", resolve);
  if (untilStdinEnds) {
    // A parent that is killed cannot tell its children; but the kernel closes the pipe it held.
    process.stdin.once("end", resolve).once("error", resolve).resume();
  }
  await promise;
  // An open stdin would keep the process alive.
  process.stdin.destroy();
}
