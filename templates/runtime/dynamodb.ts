// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The stack's table (McpTable in template.yaml): string keys `pk` and `sk`. DynamoDB deletes items some time after
// `expires` (in seconds).
import { aws, AwsError } from "./aws.ts";

export type Attribute = { S: string } | { N: string } | { BOOL: boolean };
export type Item = Record<string, Attribute>;
type Operation = "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query";
export interface Answer {
  Item?: Item;
  Items?: Item[];
  Attributes?: Item;
  LastEvaluatedKey?: Item;
}

/** One operation on the table. Fails with an AwsError, whose `type` says what happened. */
export async function dynamodb(operation: Operation, input: Record<string, unknown>, signal?: AbortSignal): Promise<Answer> {
  const table = process.env["MCP_TABLE"];
  if (!table) throw new Error("there is no table: MCP_TABLE is not set");
  return aws<Answer>("dynamodb", operation, { TableName: table, ...input }, signal);
}

/** Whether an operation was refused because of the condition that it sets. */
export function conditionFailed(error: unknown): boolean {
  return error instanceof AwsError && error.type === "ConditionalCheckFailedException";
}
