/** An address to listen on: an IP literal without brackets, and a port. */
export type ListenAddress = { readonly host: string; readonly port: number };

/** Do two addresses stand for the same port of the same interface? A wildcard of either family may take both. */
export function overlaps(a: ListenAddress, b: ListenAddress): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host);
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** Why an address could not be bound, in words for the operator, and what to do about it. */
export function explainListenFailure(cause: unknown): { readonly says: string; readonly try: string } {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return reasons.get(code) ?? { says: cause instanceof Error ? cause.message : String(cause), try: elsewhere };
}

const elsewhere = "choose another address or port";

const reasons: ReadonlyMap<string, { readonly says: string; readonly try: string }> = new Map([
  ["EADDRINUSE", { says: "somebody else listens there", try: "choose another port, or end the program that has it" }],
  ["EADDRNOTAVAIL", { says: "this machine has no such address", try: "write an address that it has" }],
  [
    "EACCES",
    { says: "this user may not use this port", try: "choose a port from 1024, or allow it (CAP_NET_BIND_SERVICE)" },
  ],
  ["EMFILE", { says: "this process has too many files open", try: "raise the limit of open files" }],
]);
