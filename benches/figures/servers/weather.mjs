// The tool of the weather example, as the peers register it.
import { z } from "zod";

const units = z.enum(["celsius", "fahrenheit"]);

export const description = "Get the current weather for a location.";
export const inputSchema = z.object({ location: z.string().min(1).describe("City name"), units: units.default("celsius").describe("Unit of the temperature") });
export const outputSchema = z.object({ location: z.string(), temperature: z.number(), units, conditions: z.string() });
export const annotations = { readOnlyHint: true, idempotentHint: true };

export async function run({ location, units }) {
  const structuredContent = { location, temperature: 22, units, conditions: "clear" };
  return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
}
