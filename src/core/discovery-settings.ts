/** How endpoints are found by asking DNS. Times in milliseconds. */
export type DnsDiscovery = {
  /** Without a dot at its end, in lower case. */
  readonly name: string;
  /** Where the addresses of the name listen; absent: SRV records say where. */
  readonly port?: number;
  readonly family: "any" | "ipv4" | "ipv6";
  /** Whom to ask, and where they listen; empty: what the machine says. */
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  /** An answer is used for as long as it says, but no shorter and no longer than this. */
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  /** How long one server has for one answer. */
  readonly timeoutMs: number;
  /** True if what is found speaks TLS. */
  readonly isSecure: boolean;
};
