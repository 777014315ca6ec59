import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { markdownReport } from "./markdown.ts";
import type { Results } from "./results.ts";
import { svgReport } from "./svg.ts";

/** Writes `results.json`, `results.md` and `results.svg` into a folder, which is made if need be. */
export async function writeReports(results: Results, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Bun.write(join(folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  await Bun.write(join(folder, "results.md"), markdownReport(results));
  await Bun.write(join(folder, "results.svg"), svgReport(results));
}
