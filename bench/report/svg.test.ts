import { expect, test } from "bun:test";
import { memorySample, run, someResults } from "./samples.ts";
import { escapeXml, svgReport } from "./svg.ts";

test("what means something to XML is escaped", () => {
  expect(escapeXml(`<a href="x">'&'</a>`)).toBe("&lt;a href=&quot;x&quot;&gt;&apos;&amp;&apos;&lt;/a&gt;");
});

test("names of machines and scenarios cannot break the picture", () => {
  const svg = svgReport(someResults([run("causeway", {})]));
  expect(svg).toContain("A &quot;fast&quot; &lt;CPU&gt;");
  expect(svg).toContain("WebSocket &lt;64 B&gt; &amp; more");
});

test("a bar is as long as its value asks, and the run without proxy has none", () => {
  const svg = svgReport(
    someResults([run("causeway", { cpuMicros: 10 }), run("nginx", { cpuMicros: 20 }), run("direct", {})]),
  );
  const bars = Array.from(svg.matchAll(/<rect class="(ours|theirs)".* width="(\d+)"/g), ([, kind, width]) => [
    kind,
    Number(width),
  ]);
  expect(bars.map(([kind]) => kind)).toEqual(["ours", "theirs"]);
  expect(Number(bars[0]?.[1])).toBe(Math.round(Number(bars[1]?.[1]) / 2));
  expect(svg).toContain("20.0 µs  (ratio 0.50)");
});

test("memory that shrank gets the shortest bar", () => {
  const svg = svgReport(someResults([{ proxy: "nginx", sample: memorySample(-1) }]));
  expect(svg).not.toContain('width="-');
});

test("the picture can be read in light and in dark", () => {
  expect(svgReport(someResults([run("causeway", {})]))).toContain("@media (prefers-color-scheme: dark)");
});
