/** What `act` returns, and the processor time that it takes (milliseconds): other work on the machine is not its own. */
export function timed<T>(act: () => T): { readonly result: T; readonly ms: number } {
  const before = process.cpuUsage();
  const result = act();
  return { result, ms: process.cpuUsage(before).user / 1000 };
}
