import { expect, test } from "bun:test";
import { formatAuthority, parseAuthority } from "./host.ts";

const accepted: readonly [value: string, host: string, port?: number][] = [
  ["a.example", "a.example"],
  ["A.Example", "a.example"],
  ["a.example.", "a.example"],
  ["a.example.:80", "a.example", 80],
  ["a.example:8080", "a.example", 8080],
  ["a.example:", "a.example"],
  ["a.example:00080", "a.example", 80],
  ["localhost", "localhost"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["my_service", "my_service"],
  ["127.0.0.1:65535", "127.0.0.1", 65_535],
  ["[::1]", "::1"],
  ["[::1]:8080", "::1", 8080],
  ["[2001:DB8:0::1]:1", "2001:db8::1", 1],
  ["[::ffff:1.2.3.4]", "1.2.3.4"],
  ["a.example.evil", "a.example.evil"],
];
for (const [value, host, port] of accepted) {
  test(`"${value}" is the host ${host}${port === undefined ? "" : ` and port ${port}`}`, () => {
    expect(parseAuthority(value)).toEqual(port === undefined ? { host } : { host, port });
  });
}

test("anything else is refused", () => {
  const refused = [
    "",
    ".",
    "..",
    ":80",
    "a..b",
    ".a",
    "a b",
    " a",
    "a ",
    "a\t",
    "a,b c",
    "user@a",
    "user:pw@a",
    "@a",
    "a@",
  ];
  refused.push(
    "a/b",
    "a/",
    "/a",
    "a\\b",
    "a?b",
    "a#b",
    "a:b",
    "a:80:80",
    "a:-1",
    "a:+1",
    "a:65536",
    "a:0",
    "a:123456",
    "a:8 0",
  );
  refused.push(
    "a%2eb",
    "a%00",
    "a\0b",
    "a\r\nb",
    "b\u00fccher.example",
    "\xe9.example",
    "http://a",
    "a[::1]",
    "[::1]a",
    "[::1",
    "::1",
  );
  refused.push("[]", "[a]", "[1.2.3.4]", "[::1%25eth0]", "[v1.a]", "[:::]", '"a"', "<a>", "a|b", "a".repeat(254));
  for (const value of refused) expect([value, parseAuthority(value)]).toEqual([value, undefined]);
});

test("an authority is written as it is read", () => {
  for (const text of ["a.example", "a.example:8080", "[::1]", "[::1]:8080", "1.2.3.4:80"]) {
    const authority = parseAuthority(text);
    expect(authority && formatAuthority(authority)).toBe(text);
  }
});
