import { expect, test } from "bun:test";
import { DnsServer, type ZoneAnswer } from "../../../test/support/dns-server.ts";
import type { DnsDiscovery } from "../../core/discovery-settings.ts";
import type { EndpointSettings } from "../../core/snapshot.ts";
import { lookUp } from "./dns-lookup.ts";

type Case = {
  readonly says: string;
  readonly zone: Readonly<Record<string, ZoneAnswer>>;
  readonly asks?: Partial<DnsDiscovery>;
  readonly gives: readonly string[];
  readonly ttl?: number;
};

const service = "_ws._tcp.app.test";

const cases: readonly Case[] = [
  {
    says: "every address of a name is an endpoint, in one order whatever the server's is",
    zone: {
      "app.test": [
        { type: "A", value: "127.0.0.2", ttl: 9 },
        { type: "A", value: "127.0.0.1", ttl: 7 },
        { type: "AAAA", value: "0:0:0:0:0:0:0:1", ttl: 8 },
      ],
    },
    gives: ["127.0.0.1:80 100", "127.0.0.2:80 100", "::1:80 100"],
    ttl: 7,
  },
  {
    says: "one family alone may be asked for",
    zone: {
      "app.test": [
        { type: "A", value: "127.0.0.2" },
        { type: "AAAA", value: "0:0:0:0:0:0:0:1" },
      ],
    },
    asks: { family: "ipv4" },
    gives: ["127.0.0.2:80 100"],
  },
  {
    says: "an alias is followed, and the shortest time of the way counts",
    zone: {
      "app.test": [{ type: "CNAME", value: "b.test", ttl: 3 }],
      "b.test": [{ type: "A", value: "127.0.0.2", ttl: 60 }],
    },
    gives: ["127.0.0.2:80 100"],
    ttl: 3,
  },
  {
    says: "services have ports, weights in relation to the heaviest, and a priority",
    zone: {
      [service]: [
        { type: "SRV", value: [1, 30, 81, "a.test"], ttl: 20 },
        { type: "SRV", value: [1, 10, 82, "b.test"], ttl: 20 },
        { type: "SRV", value: [2, 30, 83, "b.test"], ttl: 20 },
      ],
      "a.test": [{ type: "A", value: "127.0.0.1", ttl: 30 }],
      "b.test": [{ type: "A", value: "127.0.0.2", ttl: 10 }],
    },
    asks: { name: service },
    gives: ["127.0.0.1:81 100", "127.0.0.2:82 33", "127.0.0.2:83 100 stands by"],
    ttl: 10,
  },
  {
    says: "an answer that does not fit is asked for over TCP",
    zone: { "app.test": "cut", "whole.app.test": [{ type: "A", value: "127.0.0.2" }] },
    gives: ["127.0.0.2:80 100"],
  },
  {
    says: "addresses that lead nowhere are left out",
    zone: {
      "app.test": ["0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.2"].map((value) => ({ type: "A", value })),
    },
    gives: ["127.0.0.2:80 100"],
  },
];

function textOf({ host, port, weight, isStandby }: EndpointSettings): string {
  return `${host}:${port} ${weight}${isStandby === true ? " stands by" : ""}`;
}

function discovery(server: DnsServer, { name = "app.test", ...asks }: Partial<DnsDiscovery> = {}): DnsDiscovery {
  const servers = [{ host: "127.0.0.1", port: server.port }];
  const usual = { family: "any", servers, minTtlMs: 100, maxTtlMs: 1000, timeoutMs: 200, isSecure: false } as const;
  return { ...usual, name, ...(name === service ? {} : { port: 80 }), ...asks };
}

for (const { says, zone, asks, gives, ttl } of cases) {
  test(says, async () => {
    await using server = await DnsServer.open();
    for (const [name, answer] of Object.entries(zone)) server.zone.set(name, answer);
    const found = await lookUp(discovery(server, asks));
    expect(found.endpoints.map(textOf)).toEqual([...gives]);
    if (ttl !== undefined) expect(found.ttl).toBe(ttl);
  });
}

const failures: readonly (readonly [string, ZoneAnswer, string])[] = [
  ["no such name", { code: 3 }, "has no address"],
  ["a name without addresses", [], "has no address"],
  ["a server that fails", { code: 2 }, "answers with code 2"],
  ["a server that refuses", { code: 5 }, "answers with code 5"],
  ["a server that says nothing", "silence", "no answer within 200 ms"],
  ["an answer that ends too soon", "garbage", "ends too soon"],
];

test.each(failures)("%s is no answer", async (_, answer, why) => {
  await using server = await DnsServer.open();
  server.zone.set("app.test", answer);
  await expect(lookUp(discovery(server))).rejects.toThrow(why);
});

test("the next server is asked when one has no answer", async () => {
  await using silent = await DnsServer.open();
  await using good = await DnsServer.open();
  silent.zone.set("app.test", "silence");
  good.zone.set("app.test", [{ type: "A", value: "127.0.0.2" }]);
  const servers = [silent, good].map(({ port }) => ({ host: "127.0.0.1", port }));
  const { endpoints } = await lookUp(discovery(good, { servers }));
  expect(endpoints.map(({ host }) => host)).toEqual(["127.0.0.2"]);
});
