import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

type Step = { readonly name: string; readonly command: readonly string[] };
type Outcome = { readonly step: Step; readonly code: number; readonly output: string; readonly ms: number };

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string): string => `${root}node_modules/.bin/${name}`;

const steps: readonly Step[] = [
  { name: "types", command: [bin("tsc")] },
  { name: "format and lint", command: [bin("biome"), "check", "--error-on-warnings"] },
  // In two processes, because one runs its tests one after the other.
  { name: "unit tests of the data plane", command: unitTests("./src/dataplane") },
  { name: "unit tests of the rest", command: unitTests(...restOfSource()) },
];

function unitTests(...folders: readonly string[]): readonly string[] {
  return [process.execPath, "test", "--only-failures", ...folders];
}

function restOfSource(): readonly string[] {
  const entries = readdirSync(`${root}src`, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== "dataplane")
    .map(({ name }) => `./src/${name}`);
}

async function perform(step: Step): Promise<Outcome> {
  const startedAt = performance.now();
  const child = Bun.spawn([...step.command], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { step, code, output: `${out}${err}`.trim(), ms: performance.now() - startedAt };
}

const startedAt = performance.now();
const outcomes = await Promise.all(
  steps.map(async (step) => {
    const outcome = await perform(step);
    const took = `${(outcome.ms / 1000).toFixed(1)} s`;
    if (outcome.code !== 0) process.stdout.write(`\n${outcome.output}\n\n`);
    process.stdout.write(`${outcome.code === 0 ? "ok    " : "FAILED"} ${step.name} (${took})\n`);
    return outcome;
  }),
);
const failed = outcomes.filter(({ code }) => code !== 0).map(({ step }) => step.name);
const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
process.stdout.write(
  failed.length === 0 ? `all checks passed in ${took}\n` : `failed: ${failed.join(", ")} (${took})\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
