import { expect, test } from "bun:test";
import type { MetricFamily } from "../core/figures.ts";
import { renderMetrics } from "./metrics.ts";
import { counter, gauge, processMetrics } from "./process-metrics.ts";

const histogram: MetricFamily = {
  name: "causeway_session_seconds",
  help: "How long sessions lasted.",
  type: "histogram",
  values: [
    { metricName: "causeway_session_seconds_bucket", labels: { route: "a", le: 1 }, value: 2 },
    { metricName: "causeway_session_seconds_bucket", labels: { route: "a", le: "+Inf" }, value: 3 },
    { metricName: "causeway_session_seconds_sum", labels: { route: "a" }, value: 4.5 },
    { metricName: "causeway_session_seconds_count", labels: { route: "a" }, value: 3 },
  ],
};

test("counters, gauges and histograms come out as Prometheus reads them", async () => {
  const text = await renderMetrics([
    { process: "control", families: [gauge("causeway_config_revision", "The revision in force.", 4)] },
    { process: "worker-1", families: [histogram, counter("causeway_x_total", "X.", 1)] },
  ]);
  expect(text.split("\n").filter((line) => line !== "")).toEqual([
    "# HELP causeway_config_revision The revision in force.",
    "# TYPE causeway_config_revision gauge",
    "causeway_config_revision 4",
    "# HELP causeway_session_seconds How long sessions lasted.",
    "# TYPE causeway_session_seconds histogram",
    'causeway_session_seconds_bucket{route="a",le="1"} 2',
    'causeway_session_seconds_bucket{route="a",le="+Inf"} 3',
    'causeway_session_seconds_sum{route="a"} 4.5',
    'causeway_session_seconds_count{route="a"} 3',
    "# HELP causeway_x_total X.",
    "# TYPE causeway_x_total counter",
    "causeway_x_total 1",
  ]);
});

test("figures of several processes are added up, but what a process uses keeps its process", async () => {
  const families = [counter("causeway_x_total", "X.", 2), counter("process_cpu_seconds_total", "CPU.", 1)];
  const text = await renderMetrics([
    { process: "worker-1", families },
    { process: "worker-2", families },
  ]);
  expect(text).toContain("causeway_x_total 4\n");
  expect(text).toContain('process_cpu_seconds_total{process="worker-1"} 1\n');
  expect(text).toContain('process_cpu_seconds_total{process="worker-2"} 1\n');
});

test("label values are escaped", async () => {
  const text = await renderMetrics([
    {
      process: "w",
      families: [{ name: "x", help: "a\nb", type: "gauge", values: [{ labels: { l: 'a"\\\n' }, value: 1 }] }],
    },
  ]);
  expect(text).toContain('x{l="a\\"\\\\\\n"} 1');
  expect(text).toContain("# HELP x a\\nb\n");
});

test("the process's own figures are plausible", () => {
  const values = new Map(processMetrics().map(({ name, values: [first] }) => [name, first?.value ?? 0]));
  expect(values.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(values.get("process_open_fds")).toBeGreaterThan(2);
  expect(Math.abs((values.get("process_start_time_seconds") ?? 0) - Date.now() / 1000)).toBeLessThan(3600);
});
