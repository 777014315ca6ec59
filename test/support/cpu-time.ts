/**
 * What `act` returns, and the processor time that it takes (milliseconds): other work on the machine is not its own. That of the process, because
 * the kernel counts what a thread takes in steps of milliseconds.
 */
export function timed<T>(act: () => T): { readonly result: T; readonly ms: number } {
  const msSoFar = startCpuTime();
  const result = act();
  return { result, ms: msSoFar() };
}

/** Tells how much processor time this process has taken since now (milliseconds), for what is awaited. */
export function startCpuTime(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}
