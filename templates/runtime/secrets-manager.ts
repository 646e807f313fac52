// Part of the runtime of mcp-deploy; edits are reported as conflicts.
// The secrets of mcp.toml, from AWS Secrets Manager.
import { aws } from "./aws.ts";

/** Reads them into the environment, once per process. In a local run they are there already. */
export async function readSecrets(env: NodeJS.ProcessEnv): Promise<void> {
  const id = env["MCP_SECRET_ID"];
  if (!id) return;
  const { SecretString } = await aws<{ SecretString: string }>("secretsmanager", "GetSecretValue", { SecretId: id });
  // A variable of the function itself wins, so that an operator can override one value.
  for (const [name, value] of Object.entries(JSON.parse(SecretString) as Record<string, string>)) env[name] ??= value;
}
