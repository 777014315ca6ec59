import { rmSync, writeFileSync } from "node:fs";
import { goldenCases, goldenFile, goldenOutputs } from "../src/controlplane/config/golden-cases.ts";

// Rewrites the golden files of the configuration; the diff is what a reader checks.
const cases = goldenCases();
for (const name of goldenOutputs()) rmSync(goldenFile(name));
for (const { files } of cases) for (const [name, content] of files) writeFileSync(goldenFile(name), content);
console.log(`${cases.length} golden cases written`);

// What `causeway check --against` says is written by its test, which has the gateway that it is said of.
const command = [process.execPath, "test", "src/cli/against.test.ts"];
const { exitCode } = Bun.spawnSync(command, { env: { ...process.env, UPDATE_GOLDEN: "1" }, stdout: "ignore" });
if (exitCode !== 0) throw new Error("src/cli/against.test.ts failed");
