import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LineSplitter } from "../src/kit/line-splitter.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folders = ["src", "examples", "test/e2e", "test/conformance", "test/soak", "bench"];
/**
 * Most tests wait for processes and clocks: two files at a time take little more than half of the time, and disturb each other no more
 * than a busy machine does.
 */
const atATime = ["--parallel=2", "--no-isolate"];
const longestLine = 16 * 1024 * 1024;
/** A failure is told once more at the end, with this much of what stood before it. */
const linesOfAFailure = 16;

/** What the runner's summary says; its last word on each counts. */
const summary = new Map<string, number>();
const skips = new Set<string>();
const failures: string[] = [];
let file = "";
let isOver = false;
let sinceTheLastTest: string[] = [];

/** Keeps what the runner says of a failed test: its file, its name, and the error, which stands before the name. */
function keepFailure(plain: string): void {
  // With many tests the runner repeats the names of those that failed.
  isOver ||= /^\d+ tests? failed:$/.test(plain);
  if (isOver) return;
  file = /^(\S+\.test\.ts):$/.exec(plain)?.[1] ?? file;
  const name = /^\(fail\) (.*)$/.exec(plain)?.[1];
  if (name !== undefined)
    failures.push(`failed: ${file}: ${name}`, ...sinceTheLastTest.map((said) => `failed:   ${said}`));
  if (/^\((pass|fail|skip|todo)\) /.test(plain)) sinceTheLastTest = [];
  else if (plain.trim() !== "") sinceTheLastTest = [...sinceTheLastTest, plain].slice(-linesOfAFailure);
}

/** Reads one line of the runner's report and passes it on; what passed or was skipped is only counted, so that failures are seen. */
function take(line: string): void {
  const plain = Bun.stripANSI(line);
  keepFailure(plain);
  const [, amount, word] = /^ *(\d+) (pass|fail|skip|todo|error)s?$/.exec(plain) ?? [];
  if (amount !== undefined && word !== undefined) summary.set(word, Number(amount));
  const skip = /(?:^|\s)(skipped: .*)$/.exec(plain)?.[1];
  if (skip !== undefined) skips.add(skip);
  if (skip === undefined && !/^\((pass|skip|todo)\) /.test(plain)) process.stdout.write(`${line}\n`);
}

function counted(...words: readonly string[]): number {
  return words.reduce((sum, word) => sum + (summary.get(word) ?? 0), 0);
}

async function readLines(stream: ReadableStream<Uint8Array>): Promise<void> {
  const lines = new LineSplitter(longestLine, take);
  for await (const chunk of stream) lines.push(chunk);
  lines.push(Buffer.from("\n"));
}

const asked = process.argv.slice(2);
const where =
  asked.length > 0 ? asked : folders.filter((folder) => existsSync(`${root}${folder}`)).map((one) => `./${one}`);
// Memory that a worker has given back is overwritten, so that no test passes that looks at it once more.
const env = { ...process.env, CAUSEWAY_CHECK_MEMORY: "1" };
const child = Bun.spawn([process.execPath, "test", ...atATime, ...where], {
  cwd: root,
  env,
  stdio: ["ignore", "pipe", "pipe"],
});
const [code] = await Promise.all([child.exited, readLines(child.stdout), readLines(child.stderr)]);
// A runner that fails without a failed test (a file that does not load, a crash) must not look like success.
const failed = counted("fail", "error") || (code === 0 ? 0 : 1);
const skipped = counted("skip", "todo");
for (const told of failures) process.stdout.write(`${told}\n`);
for (const skip of skips) process.stdout.write(`${skip}\n`);
process.stdout.write(`${counted("pass")} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}\n`);
process.exitCode = failed === 0 ? 0 : 1;
