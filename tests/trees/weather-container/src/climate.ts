// A stand-in for a weather service. It computes the weather from the name, so that every cloud gives the same answer
// without a network.
const CONDITIONS = ["clear", "cloudy", "rain", "wind"] as const;

export const CITIES = ["Berlin", "Lagos", "Lima", "London", "Oslo", "Paris", "Quito", "Rome", "Tokyo", "Toronto"];

export function weatherOf(city: string, day = 0): { celsius: number; conditions: string } {
  let seed = day * 7;
  for (const character of city.toLowerCase()) seed = (seed * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return { celsius: (seed % 36) - 3, conditions: CONDITIONS[seed % CONDITIONS.length] ?? "clear" };
}
