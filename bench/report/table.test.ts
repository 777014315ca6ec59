import { expect, test } from "bun:test";
import { figure, ratioText, withUnit } from "./figures.ts";
import { markdownReport } from "./markdown.ts";
import { run, someResults } from "./samples.ts";
import { markdownTable, ratioTable, terminalTable } from "./table.ts";
import { terminalReport } from "./terminal.ts";

const table = {
  head: ["", "µs"],
  rows: [
    ["causeway", "9.50"],
    ["a|b", "10.0"],
  ],
};

test("on a terminal text is aligned to the left and figures to the right", () => {
  expect(terminalTable(table)).toBe("            µs\n────────  ────\ncauseway  9.50\na|b       10.0");
});

test("in Markdown a bar in a cell does not end it", () => {
  expect(markdownTable(table)).toBe("|  | µs |\n| --- | ---: |\n| causeway | 9.50 |\n| a\\|b | 10.0 |");
});

test.each([
  [0.123, "0.12"],
  [9.99, "9.99"],
  [9.996, "10.0"],
  [99.94, "99.9"],
  [99.96, "100"],
  [18_345.6, "18,346"],
  [Number.NaN, "-"],
])("the figure %p is written %p", (value, text) => {
  expect(figure(value)).toBe(text);
});

test("values carry the unit of their headline", () => {
  expect([withUnit(9.5, "µs"), withUnit(5120, "bytes"), withUnit(13_000, "per second")]).toEqual([
    "9.50 µs",
    "5.00 KB",
    "13,000/s",
  ]);
});

test("a ratio stands with its target and whether it is met", () => {
  expect(ratioText({ against: "nginx", value: 1.08, target: 1.15, isMet: true }, "lower")).toBe("1.08 (<= 1.15, met)");
  expect(ratioText({ against: "nginx", value: 0.6, target: 0.65, isMet: false }, "higher")).toBe(
    "0.60 (>= 0.65, missed)",
  );
  expect(ratioText({ against: "envoy", value: 0.5 }, "lower")).toBe("0.50");
});

test("the table of ratios has a column for each proxy that was compared with", () => {
  const results = someResults([run("causeway", { cpuMicros: 9 }), run("nginx", { cpuMicros: 10 }), run("direct", {})]);
  expect(ratioTable(results)).toEqual({
    head: ["causeway / other", "better", "nginx"],
    rows: [["ws: CPU time", "lower", "0.90 (<= 1.15, met)"]],
  });
});

test("both reports put ratios first, and the run without proxy has no CPU time", () => {
  const runs = [
    run("causeway", { cpuMicros: 9 }),
    run("nginx", { cpuMicros: 10 }),
    run("direct", { perSecond: 70_000 }),
  ];
  const [terminal, page] = [terminalReport(someResults(runs)), markdownReport(someResults(runs))];
  expect(terminal).toStartWith("causeway / other");
  expect(terminal).toMatch(/^no proxy +- +- +70,000 /m);
  expect(page.indexOf("0.90 (<= 1.15, met)")).toBeGreaterThan(0);
  expect(page.indexOf("0.90 (<= 1.15, met)")).toBeLessThan(page.indexOf("## Figures"));
  expect(page).toContain("causeway 0.1.0, nginx 1.22.1; Bun 1.4.5.");
});
