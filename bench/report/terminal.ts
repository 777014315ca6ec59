import type { Results } from "./results.ts";
import { figuresTable, ratioTable, terminalTable } from "./table.ts";

/** The report for a terminal: ratios, then figures and notes of each scenario. */
export function terminalReport(results: Results): string {
  const hasRatios = results.scenarios.some(({ ratios }) => ratios.length > 0);
  const scenarios = results.scenarios.flatMap((scenario) => [
    `\n${scenario.name}: ${scenario.title}`,
    terminalTable(figuresTable(scenario)),
    ...scenario.notes.map((note) => `! ${note}`),
  ]);
  return [...(hasRatios ? [terminalTable(ratioTable(results))] : []), ...scenarios, ""].join("\n");
}
