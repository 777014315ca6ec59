import type { MetricFamily } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import { counter, gauge, processMetrics } from "../telemetry/process-metrics.ts";

/** What the control process counts of itself. */
export type ControlFigures = {
  readonly revision: number;
  readonly isLastReloadGood: boolean;
  readonly issues: readonly Issue[];
  readonly servingWorkers: number;
  readonly workerRestarts: number;
  readonly droppedRecords: number;
};

/** The control process's own metrics. */
export function controlMetrics(figures: ControlFigures): MetricFamily[] {
  return [
    gauge("causeway_config_revision", "The revision of the configuration in force.", figures.revision),
    gauge(
      "causeway_config_last_reload_successful",
      "1 if the newest configuration is in force, 0 if it was refused.",
      figures.isLastReloadGood ? 1 : 0,
    ),
    issueCounts(figures.issues),
    counter("causeway_worker_restarts_total", "Workers started anew after one ended unasked.", figures.workerRestarts),
    gauge("causeway_workers", "Workers that serve traffic.", figures.servingWorkers),
    counter("causeway_access_records_dropped_total", "Lines of the access log that were lost.", figures.droppedRecords),
    ...processMetrics(),
  ];
}

function issueCounts(issues: readonly Issue[]): MetricFamily {
  const values = (["error", "warning"] as const).map((severity) => ({
    labels: { severity },
    value: issues.filter((issue) => issue.severity === severity).length,
  }));
  return { name: "causeway_config_issues", help: "Issues of the newest configuration.", type: "gauge", values };
}
