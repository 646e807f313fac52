// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The rate limit on AWS Lambda: exact counters in the stack's table, whatever the number of instances.
import { conditionFailed, dynamodb } from "./dynamodb.ts";
import type { Variables } from "./env.ts";
import type { Fields } from "./http.ts";
import { countedOnce, PATIENCE_MS } from "./rate-limit.ts";
import type { Counter, Counting } from "./rate-limit.ts";

export function inDynamoDB(variables: Variables): Counting {
  return { counter: countedOnce(variables, tableCounter), addressOf };
}

/** DynamoDB removes expired items. */
const tableCounter: Counter = async (key, window, { calls }) => {
  const count = {
    Key: { pk: { S: `rate#${key}` }, sk: { S: `${window.start}` } },
    UpdateExpression: "ADD calls :one SET expires = :end",
    ConditionExpression: "attribute_not_exists(calls) OR calls < :calls",
    ExpressionAttributeValues: { ":one": { N: "1" }, ":calls": { N: `${calls}` }, ":end": { N: `${window.end}` } },
  };
  try {
    await dynamodb("UpdateItem", count, AbortSignal.timeout(PATIENCE_MS));
    return true;
  } catch (error) {
    if (conditionFailed(error)) return false;
    throw error;
  }
};

/** From the event of a function URL or a REST API. The adapter replaces any header of this name that a client sends. */
function addressOf(headers: Fields): string | null {
  type RequestContext = { http?: { sourceIp?: string }; identity?: { sourceIp?: string } } | null;
  const context = JSON.parse(headers.get("x-amzn-request-context") ?? "null") as RequestContext;
  return context?.http?.sourceIp ?? context?.identity?.sourceIp ?? null;
}
