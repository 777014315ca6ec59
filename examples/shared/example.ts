/** Where an example listens; port 0 lets the kernel choose one. */
export type Listen = { readonly host: string; readonly port: number };

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A running example. */
export type RunningExample = {
  readonly port: number;
  /** The address of its page, ending in a slash. */
  readonly url: string;
  /** Says goodbye to every socket (Close 1001) and frees the port. */
  stop(): void;
};

/** An example application as the command line knows it. */
export type Example = {
  readonly name: string;
  readonly defaultPort: number;
  start(listen: Listen, environment: Environment): RunningExample;
};

/** The address that a browser on this machine opens for a listening socket. */
export function pageUrl(listen: Listen): string {
  return `http://${reachableHost(listen.host)}:${listen.port}/`;
}

function reachableHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
