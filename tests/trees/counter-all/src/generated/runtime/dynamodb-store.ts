// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// State on AWS Lambda: items of the stack's DynamoDB table.
import { conditionFailed, dynamodb, type Item } from "./dynamodb.ts";
import { openLocalStore } from "./local-store.ts";
import type { Entry, Page, Store } from "./state.ts";
import { inTurn } from "./turns.ts";

export function dynamoDBStore(): Store {
  const file = process.env["MCP_LOCAL_STATE"];
  if (file) return openLocalStore(file);
  if (!process.env["MCP_TABLE"]) throw new Error("there is no store: set MCP_TABLE to a table, or MCP_LOCAL_STATE to a file on this machine");
  return store;
}

const store: Store = {
  async read(scope, key) {
    const { Item } = await dynamodb("GetItem", { Key: keyOf(scope, key), ConsistentRead: true });
    return Item && entryOf(Item);
  },

  async write(scope, key, { json, version, until }, over) {
    // DynamoDB deletes by whole seconds, and some time later.
    const expiry = until === null ? {} : { until: { N: `${until}` }, expires: { N: `${Math.ceil(until / 1000)}` } };
    const Item = { ...keyOf(scope, key), json: { S: json }, version: { S: version }, ...expiry };
    try {
      await dynamodb("PutItem", { Item, ...conditionOf(over) });
      return true;
    } catch (error) {
      if (conditionFailed(error)) return false;
      throw error;
    }
  },

  async remove(scope, key) {
    const { Attributes } = await dynamodb("DeleteItem", { Key: keyOf(scope, key), ReturnValues: "ALL_OLD" });
    return Attributes && entryOf(Attributes);
  },

  async page(scope, prefix, after, limit) {
    const { Items = [], LastEvaluatedKey } = await dynamodb("Query", {
      KeyConditionExpression: prefix ? "pk = :pk AND begins_with(sk, :prefix)" : "pk = :pk",
      ExpressionAttributeValues: { ":pk": { S: partition(scope) }, ...(prefix && { ":prefix": { S: prefix } }) },
      ...(after && { ExclusiveStartKey: keyOf(scope, after) }),
      // One item more shows whether there is another page; DynamoDB itself ends a page at 1 MB.
      Limit: limit + 1,
      ConsistentRead: true,
    });
    const entries: Page["entries"] = Items.slice(0, limit).map((item) => ({ key: text(item, "sk"), ...entryOf(item) }));
    return { entries, more: Items.length > limit || LastEvaluatedKey !== undefined };
  },

  inTurn,
};

const partition = (scope: string) => `state ${scope}`;
const keyOf = (scope: string, key: string): Item => ({ pk: { S: partition(scope) }, sk: { S: key } });

function conditionOf(over: string | null | undefined): Record<string, unknown> {
  if (over === undefined) return {};
  if (over === null) return { ConditionExpression: "attribute_not_exists(pk)" };
  return { ConditionExpression: "#version = :over", ExpressionAttributeNames: { "#version": "version" }, ExpressionAttributeValues: { ":over": { S: over } } };
}

function entryOf(item: Item): Entry {
  const until = item["until"];
  return { json: text(item, "json"), version: text(item, "version"), until: until && "N" in until ? Number(until.N) : null };
}

function text(item: Item, name: string): string {
  const attribute = item[name];
  if (!attribute || !("S" in attribute)) throw new Error(`an item of the state has no ${name}`);
  return attribute.S;
}
