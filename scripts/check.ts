import { fileURLToPath } from "node:url";

type Step = { readonly name: string; readonly command: readonly string[] };
type Outcome = { readonly step: Step; readonly code: number; readonly output: string; readonly ms: number };

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string): string => `${root}node_modules/.bin/${name}`;

/** Tests that take their time on purpose, by measuring, by trying very much or by starting programs, are left to `npm test`. */
const unitTests = [
  "--parallel=2",
  "--no-isolate",
  "--only-failures",
  "--path-ignore-patterns=**/*.long.test.ts",
  "./src",
];
const typesCache = `${root}node_modules/.cache/types.json`;

const steps: readonly Step[] = [
  { name: "types", command: [bin("tsc"), "--incremental", "--tsBuildInfoFile", typesCache] },
  { name: "format and lint", command: [bin("biome"), "check", "--error-on-warnings"] },
  { name: "unit tests", command: [process.execPath, "test", ...unitTests] },
];

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
