import { CITIES, weatherOf } from "../climate.ts";
import { resource } from "../generated/mcp.ts";

export default resource(
  "forecast",
  ({ city }) => {
    const days = ["today", "tomorrow", "the day after"].map((day, i) => {
      const { celsius, conditions } = weatherOf(city, i);
      return `${day}: ${celsius} °C, ${conditions}`;
    });
    return `${city}\n${days.join("\n")}\n`;
  },
  {
    complete: { city: (typed) => CITIES.filter((city) => city.toLowerCase().startsWith(typed.toLowerCase())) },
    list: () => CITIES.map((city) => ({ uri: `weather://${city}/forecast`, name: `Forecast for ${city}` })),
  },
);
