import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { clientAddress } from "../../templates/runtime/client-address.ts";

const from = (headers: Record<string, string>, header?: string) =>
  clientAddress({ headers, socket: { remoteAddress: "198.51.100.7" } } as unknown as IncomingMessage, header);

test("the client is who connects, unless a header of the nearest proxy names it", () => {
  const list = { "x-forwarded-for": "203.0.113.9, 192.0.2.1" };
  assert.equal(from(list), "198.51.100.7");
  assert.equal(from(list, "x-forwarded-for"), "192.0.2.1");
  assert.equal(from({}, "x-forwarded-for"), "198.51.100.7");
  assert.equal(from({ "x-forwarded-for": "203.0.113.9," }, "x-forwarded-for"), "198.51.100.7");
});

test("a port does not belong to an address", () => {
  for (const [value, address] of [["192.0.2.1:4711", "192.0.2.1"], ["[2001:db8::1]:443", "2001:db8::1"], ["[2001:db8::1]", "2001:db8::1"], ["2001:db8::1", "2001:db8::1"]] as const) {
    assert.equal(from({ "fly-client-ip": value }, "fly-client-ip"), address);
  }
});
