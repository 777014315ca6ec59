import { rmSync, writeFileSync } from "node:fs";
import { goldenCases, goldenFile, goldenOutputs } from "../src/controlplane/config/golden-cases.ts";

// Rewrites the golden files of the configuration; the diff is what a reader checks.
const cases = goldenCases();
for (const name of goldenOutputs()) rmSync(goldenFile(name));
for (const { files } of cases) for (const [name, content] of files) writeFileSync(goldenFile(name), content);
console.log(`${cases.length} golden cases written`);
