import type { Random } from "../../support/random.ts";

/** What is put in where it hurts: separators, framing, and values that parsers disagree about. */
const tokens: readonly string[] = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "\xff",
  "%00",
  "%2e%2e/",
  "//",
  "?",
  "#",
  "\r\n\r\n",
  "\r\n ",
  "0\r\n\r\n",
  "Host: other.example\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 99999999999999999999\r\n",
  "Content-Length: +1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  "Connection: close\r\n",
  "Connection: Host, Upgrade\r\n",
  "Upgrade: websocket\r\n",
  "Upgrade: h2c\r\n",
  "Expect: 100-continue\r\n",
  "Sec-WebSocket-Extensions: permessage-deflate\r\n",
  "Sec-WebSocket-Protocol: a, a\r\n",
  "GET / HTTP/1.1\r\n",
  "HTTP/1.1 101 Switching Protocols\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "FFFFFFFFFFFFFFFFF\r\n",
  "a".repeat(300),
  "b".repeat(20_000),
];

/** Changes bytes in up to four places. */
export function mutate(bytes: Uint8Array, random: Random): Buffer {
  let changed: Buffer = Buffer.from(bytes);
  for (let count = 1 + random.below(4); count > 0; count--) changed = mutateOnce(changed, random);
  return changed;
}

function mutateOnce(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(random.pick([2, 8, 60])));
  const before = bytes.subarray(0, at);
  switch (random.below(6)) {
    case 0:
      return Buffer.concat([before, random.bytes(end - at), bytes.subarray(end)]);
    case 1:
      return Buffer.concat([before, bytes.subarray(end)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    case 3:
      return Buffer.from(before);
    default:
      return Buffer.concat([before, Buffer.from(random.pick(tokens), "latin1"), bytes.subarray(at)]);
  }
}
