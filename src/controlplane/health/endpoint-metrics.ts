import type { MetricFamily, MetricValue } from "../../core/figures.ts";
import type { KnownEndpoint } from "./endpoint-verdicts.ts";

/** What the control process knows of endpoints, as metrics; one that is not checked has no series of checks. */
export function endpointMetrics(endpoints: readonly KnownEndpoint[]): MetricFamily[] {
  const rows = endpoints.map(({ verdict, checks }) => ({
    labels: { upstream: verdict.upstream, endpoint: verdict.address },
    verdict,
    checks,
  }));
  return [
    {
      name: "causeway_endpoint_healthy",
      help: "1 if an endpoint passes its checks, 0 if it fails them.",
      type: "gauge",
      values: rows
        .filter(({ verdict }) => verdict.health !== "unchecked")
        .map(({ labels, verdict }) => ({ labels, value: verdict.health === "healthy" ? 1 : 0 })),
    },
    {
      name: "causeway_endpoint_draining",
      help: "1 if an operator drains an endpoint.",
      type: "gauge",
      values: rows.map(({ labels, verdict }) => ({ labels, value: verdict.isDraining ? 1 : 0 })),
    },
    {
      name: "causeway_endpoint_checks_total",
      help: "Checks of an endpoint, by what they found.",
      type: "counter",
      values: rows.flatMap(({ labels, checks }): MetricValue[] => {
        if (checks === undefined) return [];
        const count = (result: "good" | "failed") => ({ labels: { ...labels, result }, value: checks[result] });
        return [count("good"), count("failed")];
      }),
    },
    {
      name: "causeway_endpoint_check_seconds",
      help: "How long the newest check of an endpoint took.",
      type: "gauge",
      values: rows.flatMap(({ labels, checks }) =>
        checks?.lastMs === undefined ? [] : [{ labels, value: checks.lastMs / 1000 }],
      ),
    },
  ];
}
