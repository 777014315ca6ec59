import { closeContent, makeFrame, someMask } from "../../support/frames.ts";
import { handshake, request } from "../../support/handshake.ts";
import type { Random } from "../../support/random.ts";

/** What a client may send over one connection, before anything is changed in it. */
export function sampleRequest(target: string, random: Random): Buffer {
  const text = random.pick([
    handshake({ target }),
    handshake({ target, headers: { "Sec-WebSocket-Protocol": "chat, superchat" } }),
    request({ target }),
    request({ target }) + request({ target, method: "HEAD" }) + handshake({ target }),
    request({ target, method: "POST", headers: { "Content-Length": "5" } }, "hello") + request({ target }),
    request(
      { target, method: "POST", headers: { "Transfer-Encoding": "chunked" } },
      "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
    ),
    request({ target, method: "PUT", headers: { Expect: "100-continue", "Content-Length": "3" } }, "abc"),
    request({ target: "*", method: "OPTIONS" }),
    request({ target: `http://app.example${target}` }),
    request({ target, version: "HTTP/1.0", headers: { Connection: "keep-alive" } }),
  ]);
  return Buffer.from(text, "latin1");
}

/** What an application may answer to a request, before anything is changed in it. */
export function sampleResponse(random: Random): Buffer {
  const text = random.pick([
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100000\r\n\r\nshort",
  ]);
  return Buffer.from(text, "latin1");
}

const sizes = [0, 1, 2, 125, 126, 127, 1000, 65_535, 65_536] as const;

/** Frames, most of them as they should be, some wrong in one way. */
export function sampleFrames(role: "client" | "upstream", random: Random): Buffer {
  const frames = Array.from({ length: 1 + random.below(12) }, () => sampleFrame(role, random));
  return Buffer.concat(frames);
}

function sampleFrame(role: "client" | "upstream", random: Random): Buffer {
  const isWrong = random.below(12) === 0;
  const wrong = isWrong ? random.below(7) : -1;
  const opcode = wrong === 0 ? random.below(16) : random.pick([1, 2, 2, 2, 9, 10, random.below(30) === 0 ? 8 : 1]);
  const size = opcode >= 8 && wrong !== 1 ? random.below(100) : random.pick(sizes);
  const payload =
    opcode === 8 && wrong !== 2 ? closeContent(random.pick([1000, 1001, 3000, 4999])) : random.bytes(size);
  return makeFrame({
    opcode,
    payload,
    isFinal: wrong !== 3,
    reserved: wrong === 4 ? random.pick([0x10, 0x20, 0x40, 0x70]) : 0,
    ...((role === "client") !== (wrong === 5) ? { mask: someMask } : {}),
    ...(wrong === 6 ? { claims: random.pick([126n, 70_000n, 2n ** 40n, 2n ** 63n]), lengthForm: 64 as const } : {}),
    ...(wrong !== 6 && opcode < 8 && size < 126 && random.below(40) === 0
      ? { lengthForm: random.pick([16, 64] as const) }
      : {}),
  });
}
