/** What `act` returns, and the processor time that its thread takes (milliseconds): other work on the machine is not its own. */
export function timed<T>(act: () => T): { readonly result: T; readonly ms: number } {
  const before = process.threadCpuUsage();
  const result = act();
  const { user, system } = process.threadCpuUsage(before);
  return { result, ms: (user + system) / 1000 };
}

/** Tells how much processor time this process has taken since now (milliseconds), for what is awaited. */
export function startCpuTime(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}
