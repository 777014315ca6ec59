import { endpointMetrics } from "../controlplane/health/endpoint-metrics.ts";
import type { KnownEndpoint } from "../controlplane/health/endpoint-verdicts.ts";
import type { MetricFamily } from "../core/figures.ts";
import type { Issue } from "../core/issue.ts";
import type { ListenerSettings } from "../core/snapshot.ts";
import { counter, gauge, processMetrics } from "../telemetry/process-metrics.ts";

const dayMs = 86_400_000;

/** What the control process counts of itself. */
export type ControlFigures = {
  readonly revision: number;
  readonly isLastReloadGood: boolean;
  readonly issues: readonly Issue[];
  readonly servingWorkers: number;
  readonly workerRestarts: number;
  readonly droppedRecords: number;
  /** Those by command that are in force. */
  readonly drains: number;
  /** Of certificates, by how they ended. */
  readonly orders: { readonly issued: number; readonly failed: number };
  readonly endpoints: readonly KnownEndpoint[];
  readonly listeners: readonly Pick<ListenerSettings, "name" | "tls">[];
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
    gauge("causeway_drains", "Drains by command that are in force.", figures.drains),
    orderCounts(figures.orders),
    certificateDays(figures.listeners, Date.now()),
    ...endpointMetrics(figures.endpoints),
    ...processMetrics(),
  ];
}

/** How long the certificates in use are valid; negative once they are not. `now` in Unix milliseconds. */
function certificateDays(listeners: ControlFigures["listeners"], now: number): MetricFamily {
  const values = listeners.flatMap(({ name, tls }) =>
    (tls?.certificates ?? []).map(({ file, notAfter }) => ({
      labels: { listener: name, file },
      value: (notAfter - now) / dayMs,
    })),
  );
  const help = "Days until a certificate in use expires.";
  return { name: "causeway_certificate_days_left", help, type: "gauge", values };
}

function orderCounts({ issued, failed }: ControlFigures["orders"]): MetricFamily {
  const values = [
    { labels: { result: "issued" }, value: issued },
    { labels: { result: "failed" }, value: failed },
  ];
  const help = "Orders of certificates by what came of them.";
  return { name: "causeway_acme_orders_total", help, type: "counter", values };
}

function issueCounts(issues: readonly Issue[]): MetricFamily {
  const values = (["error", "warning"] as const).map((severity) => ({
    labels: { severity },
    value: issues.filter((issue) => issue.severity === severity).length,
  }));
  return { name: "causeway_config_issues", help: "Issues of the newest configuration.", type: "gauge", values };
}
