// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// AWS's JSON APIs, called with the function's role.
import { AwsClient } from "aws4fetch";

const SERVICES = {
  dynamodb: { variable: "AWS_ENDPOINT_URL_DYNAMODB", target: "DynamoDB_20120810", version: "1.0" },
  secretsmanager: { variable: "AWS_ENDPOINT_URL_SECRETS_MANAGER", target: "secretsmanager", version: "1.1" },
} as const;
export type Service = keyof typeof SERVICES;

export class AwsError extends Error {
  override readonly name = "AwsError";
  /** AWS's name for the error, such as `ConditionalCheckFailedException`. */
  readonly type: string;
  constructor(operation: string, type: string, message: string) {
    super(`${operation}: ${type}: ${message}`);
    this.type = type;
  }
}

const THROTTLED = ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"];
const ATTEMPTS = 4;

/** One request, repeated for a moment while AWS is too busy for it. */
export async function aws<T>(service: Service, operation: string, input: object, signal: AbortSignal = AbortSignal.timeout(8000)): Promise<T> {
  const { variable, target, version } = SERVICES[service];
  const { client, region } = signer();
  const endpoint = process.env[variable] ?? process.env["AWS_ENDPOINT_URL"] ?? `https://${service}.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
  for (let attempt = 1; ; attempt++) {
    const response = await client.fetch(endpoint, {
      method: "POST",
      headers: { "content-type": `application/x-amz-json-${version}`, "x-amz-target": `${target}.${operation}` },
      body: JSON.stringify(input),
      signal,
      aws: { service, region },
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as T;
    const error = errorOf(operation, response.status, text);
    if (attempt === ATTEMPTS || !(THROTTLED.includes(error.type) || response.status >= 500)) throw error;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 50 * 2 ** attempt));
  }
}

let signed: { client: AwsClient; region: string } | undefined;

/** The credentials of an environment never change. */
function signer() {
  if (signed) return signed;
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = process.env;
  if (!region || !accessKeyId || !secretAccessKey) throw new Error("there are no AWS credentials: AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set");
  // By itself it would retry only errors of the server, and for up to a minute.
  signed = { client: new AwsClient({ accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }), retries: 0 }), region };
  return signed;
}

function errorOf(operation: string, status: number, text: string): AwsError {
  try {
    const { __type, message, Message } = JSON.parse(text) as { __type?: string; message?: string; Message?: string };
    // `com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException`
    if (__type) return new AwsError(operation, __type.replace(/^.*#/, ""), message ?? Message ?? "");
  } catch {
    // not JSON: something between the server and AWS has answered
  }
  return new AwsError(operation, `HTTP ${status}`, text.slice(0, 500));
}
