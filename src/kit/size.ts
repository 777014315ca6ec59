const unitBytes: readonly (readonly [unit: string, bytes: number])[] = [
  ["GB", 1024 ** 3],
  ["MB", 1024 ** 2],
  ["KB", 1024],
  ["B", 1],
];

/** Reads `64KB`, `1MB`, `512B` or `1.5GB` as bytes (1 KB is 1024 bytes); undefined if it is none, or no whole number of bytes. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,12}(?:\.\d{1,3})?)(B|KB|MB|GB)$/.exec(text) ?? [];
  const bytes = Number(amount) * (unitBytes.find(([name]) => name === unit)?.[1] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Writes bytes as `parseSize` reads them, in the largest unit that divides them: `64KB`, `1000B`. */
export function formatSize(bytes: number): string {
  const [unit, size] = unitBytes.find(([, size]) => bytes >= size && bytes % size === 0) ?? ["B", 1];
  return `${bytes / size}${unit}`;
}
