import type { Headline } from "../scenarios/scenario.ts";
import type { Ratio } from "./results.ts";

/** A figure with three significant digits, and separators from a thousand on. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A headline's value with its unit; bytes become KB. */
export function withUnit(value: number, unit: Headline["unit"]): string {
  if (unit === "bytes") return `${figure(value / 1024)} KB`;
  return unit === "per second" ? `${figure(value)}/s` : `${figure(value)} µs`;
}

/** A share of a core. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** A ratio with its target, such as `1.08 (<= 1.15, missed)`. */
export function ratioText({ value, target, isMet }: Ratio, better: Headline["better"]): string {
  if (target === undefined) return value.toFixed(2);
  return `${value.toFixed(2)} (${better === "lower" ? "<=" : ">="} ${target.toFixed(2)}, ${isMet ? "met" : "missed"})`;
}
