import assert from "node:assert/strict";
import { test } from "node:test";
import { callTool, getPrompt, readResource } from "../src/generated/testing.ts";

test("get_weather answers in the units that were asked for", async () => {
  const { value, progress } = await callTool("get_weather", { location: "Oslo" });
  assert.deepEqual(value, { location: "Oslo", temperature: -3, units: "celsius", conditions: "clear" });
  assert.equal(progress[0]?.message, "asking about Oslo");
  const { value: other } = await callTool("get_weather", { location: "Oslo", units: "fahrenheit" });
  assert.equal(other.temperature, 26.6);
});

test("get_weather tells the model what is wrong with a location", async () => {
  await assert.rejects(callTool("get_weather", { location: " " }), { name: "ToolError", message: "location must name a city" });
  await assert.rejects(callTool("get_weather", {}), /location/);
});

test("the forecast and the prompt name the city", async () => {
  const [forecast] = await readResource("weather://Oslo/forecast");
  assert.match((forecast as { text: string }).text, /^Oslo\ntoday: -3 °C, clear\n/);
  const [message] = await getPrompt("plan_trip", { city: "Oslo" });
  assert.match((message?.content as { text: string }).text, /to Oslo for 3 days/);
});
