/** True for an address literal of this machine alone: 127.0.0.0/8, `::1`, and the former inside IPv6. */
export function isLoopbackAddress(address: string): boolean {
  const bare = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
  if (bare === "::1" || bare === "0:0:0:0:0:0:0:1") return true;
  return /^127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(bare);
}

/** True for a Host or an Origin's host that names this machine: `localhost`, `*.localhost` or a loopback address, with any port. */
export function isLoopbackAuthority(authority: string): boolean {
  const host = hostOf(authority);
  return host === "localhost" || host.endsWith(".localhost") || isLoopbackAddress(host);
}

/** The host of `host:port`, in lower case, without brackets and trailing dot. */
function hostOf(authority: string): string {
  const bracketed = /^\[([^\]]*)\](:\d*)?$/.exec(authority);
  if (bracketed !== null) return (bracketed[1] ?? "").toLowerCase();
  const plain = /^([^:]*)(:\d*)?$/.exec(authority);
  return (plain?.[1] ?? "").toLowerCase().replace(/\.$/, "");
}
