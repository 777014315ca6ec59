import { AggregatorRegistry, Registry } from "prom-client";
import type { MetricFamily } from "../core/figures.ts";

/** What one process reports; `process` tells the figures of processes apart (`control`, `worker-1`). */
export type MetricReport = { readonly process: string; readonly families: readonly MetricFamily[] };

/** The content type of the metrics page. */
export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE;

/** The metrics page of all processes together: equal series are added up, `process_…` series keep their process. */
export async function renderMetrics(reports: readonly MetricReport[]): Promise<string> {
  const parts = reports.map(({ process, families }) =>
    families.map((family) => ({ ...labelled(family, process), aggregator: "sum" })),
  );
  return AggregatorRegistry.aggregate(parts).metrics();
}

function labelled(family: MetricFamily, process: string): MetricFamily {
  if (!family.name.startsWith("process_")) return family;
  return { ...family, values: family.values.map((value) => ({ ...value, labels: { ...value.labels, process } })) };
}
