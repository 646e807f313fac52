import assert from "node:assert/strict";
import { test } from "node:test";
import { UriTemplate as Official } from "@modelcontextprotocol/server";
import { UriTemplate } from "../../templates/runtime/uri.ts";

const TABLE: Readonly<Record<string, readonly string[]>> = {
  "a://{x}": ["a://", "a://b", "a://b/c", "a://b,c", "a://b?c", "b://b", "a://b%20c", "a:/b", "a://é"],
  "a://{x}/b": ["a://x/b", "a:///b", "a://x/y/b", "a://x/b/", "a://x/c", "a://b/b"],
  "a://{x}/{y}": ["a://1/2", "a://1", "a://1/2/3", "a:///", "a://1/", "a://1,2/3"],
  "a://{x}-{y}": ["a://1-2", "a://1-2-3", "a://-", "a://1", "a://1-", "a://--"],
  "a://{x}{y}": ["a://12", "a://1", "a://123", "a://"],
  "a://{x}.{y}.c": ["a://1.2.c", "a://1.2.3.c", "a://1.c", "a://...c"],
  "a:///{+path}": ["a:///", "a:///b", "a:///b/c/d", "a:///b?c=d", "a:///b,c", "a:////"],
  "a:///{+path}/end": ["a:///b/end", "a:///b/end/end", "a:///end", "a:////end", "a:///b/end/"],
  "a:///{+x}/m/{+y}": ["a:///1/m/2", "a:///1/m/2/m/3", "a:///m/m/m", "a:///1/m/"],
  "a://{/x}": ["a:///b", "a://b", "a:///b/c", "a:///"],
  "a://b{.x}": ["a://b.c", "a://b", "a://b.", "a://b.c.d"],
  "a://{x*}": ["a://1", "a://1,2", "a://1,2,3", "a://", "a://1/2"],
  "a://b": ["a://b", "a://c", "a://bb", ""],
  "a://(x)+{y}": ["a://(x)+1", "a://xx1", "a://(x)+"],
};

test("addresses match as they do in the official SDK, decoded", () => {
  for (const [template, addresses] of Object.entries(TABLE)) {
    for (const address of addresses) {
      const found = new Official(template).match(address);
      const expected = found && Object.fromEntries(Object.entries(found).map(([name, value]) => [name, Array.isArray(value) ? value.map(decodeURIComponent) : decodeURIComponent(value)]));
      assert.deepEqual(new UriTemplate(template).match(address) ?? null, expected, `${template} ${address}`);
    }
  }
});

test("each variable of a query may be absent, and none may be misspelt", () => {
  const template = new UriTemplate("logs://{app}{?offset,limit}");
  assert.deepEqual(template.match("logs://a"), { app: "a" });
  assert.deepEqual(template.match("logs://a?"), { app: "a" });
  assert.deepEqual(template.match("logs://a?limit=2&offset=1"), { app: "a", limit: "2", offset: "1" });
  assert.deepEqual(template.match("logs://a?limit=a%26b=c"), { app: "a", limit: "a&b=c" });
  for (const query of ["limit", "page=1", "limit=1&limit=2", "limit=%zz", "app=b", "__proto__=1", "&", "limit=1&"]) assert.equal(template.match(`logs://a?${query}`), undefined, query);
});

test("a malformed escape names nothing", () => assert.equal(new UriTemplate("a://{x}").match("a://%zz"), undefined));

// An exponential or a quadratic match of these would not end in time.
test("hostile addresses are matched in linear time", { timeout: 20_000 }, () => {
  const templates = ["a://{x}-{y}-{z}-{u}-{v}!", "a://{+a}/{+b}/{+c}/{+d}/{+e}!", "a://{x*}{y*}{z*}!", `a://${"{+x}-".repeat(20)}!`, "a://{a}{b}{c}{d}{e}{f}{g}!"].map((template) => new UriTemplate(template));
  for (const length of [2_000, 8_000]) {
    for (const text of ["-", "/", "a", ",", "a,", "a-", "%2d", "a/-,"]) {
      const address = `a://${text.repeat(Math.ceil(length / text.length))}`.slice(0, 8190);
      for (const template of templates) for (let round = 0; round < 5; round++) template.match(address);
    }
  }
  assert.equal(templates[0]!.match(`a://${"a".repeat(9_000)}`), undefined);
});
