import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** What a request for a certificate asks for. */
export type ReadRequest = { readonly names: readonly string[]; readonly publicKey: KeyObject };

const alternativeNames = Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x11]);

/** Reads a request (PKCS #10) and checks its signature. Throws if it is not right. */
export function readRequest(der: Uint8Array): ReadRequest {
  const [body, , signature] = membersOf(read(Buffer.from(der)).content);
  const [, , key, attributes] = membersOf(body?.content);
  if (body === undefined || signature === undefined || key === undefined) throw new Error("this is no request");
  const publicKey = createPublicKey({ key: key.whole, format: "der", type: "spki" });
  if (!verify("sha256", body.whole, publicKey, signature.content.subarray(1)))
    throw new Error("the signature is wrong");
  const at = attributes?.whole.indexOf(alternativeNames) ?? -1;
  if (attributes === undefined || at < 0) return { names: [], publicKey };
  const octets = read(attributes.whole.subarray(at + alternativeNames.length));
  const names = membersOf(read(octets.content).content).map(({ content }) => content.toString("latin1"));
  return { names, publicKey };
}

type Value = { readonly whole: Buffer; readonly content: Buffer };

function read(bytes: Buffer): Value {
  const first = bytes[1] ?? 0;
  const extra = first < 0x80 ? 0 : first & 0x7f;
  const length = extra === 0 ? first : bytes.readUIntBE(2, extra);
  const begin = 2 + extra;
  if (begin + length > bytes.length) throw new Error("this is cut off");
  return { whole: bytes.subarray(0, begin + length), content: bytes.subarray(begin, begin + length) };
}

function membersOf(content: Buffer = Buffer.alloc(0)): readonly Value[] {
  const members: Value[] = [];
  for (let rest = content; rest.length > 0; ) {
    const member = read(rest);
    members.push(member);
    rest = rest.subarray(member.whole.length);
  }
  return members;
}
