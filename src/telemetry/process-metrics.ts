import { readdirSync } from "node:fs";
import type { MetricFamily } from "../core/figures.ts";

/** What the process itself uses, under the names that Prometheus clients agree on. */
export function processMetrics(): MetricFamily[] {
  const cpu = process.cpuUsage();
  const families = [
    counter("process_cpu_seconds_total", "CPU time used, in seconds.", (cpu.user + cpu.system) / 1e6),
    gauge("process_resident_memory_bytes", "Resident memory, in bytes.", process.memoryUsage.rss()),
    gauge("process_start_time_seconds", "When the process started, in Unix seconds.", startedAt()),
  ];
  const descriptors = openDescriptors();
  if (descriptors !== undefined) families.push(gauge("process_open_fds", "Open file descriptors.", descriptors));
  return families;
}

/** A family with one value that goes up and down. */
export function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, type: "gauge", values: [{ labels: {}, value }] };
}

/** A family with one value that only grows. */
export function counter(name: string, help: string, value: number): MetricFamily {
  return { name, help, type: "counter", values: [{ labels: {}, value }] };
}

function startedAt(): number {
  return Math.round(Date.now() / 1000 - process.uptime());
}

/** Only Linux lists them as files. */
function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
