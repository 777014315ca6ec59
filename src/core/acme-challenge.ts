/**
 * What a listener shows while a certificate is ordered, to prove that a host name is ours (RFC 8555 §8.3, RFC 8737): the answer to a
 * request for a path with the token, or a certificate for a handshake that wants to speak `acme-tls/1`.
 */
export type AcmeChallenge =
  | { readonly type: "http-01"; readonly name: string; readonly token: string; readonly answer: string }
  | { readonly type: "tls-alpn-01"; readonly name: string; readonly cert: string; readonly key: string };

/** Where authorities look for the answers to `http-01`, before the token. */
export const challengePath = "/.well-known/acme-challenge/";

/** What authorities want to speak when they look for the answer to `tls-alpn-01`. */
export const challengeProtocol = "acme-tls/1";
