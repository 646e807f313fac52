// Packages that the runtime's sources import are those of this folder: the sources stand where no package is.
import { registerHooks } from "node:module";

const here = import.meta.url;
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "cloudflare:workers") return next("./cloudflare.ts", { ...context, parentURL: here });
    return next(specifier, /^(\.|\/|node:|file:)/.test(specifier) ? context : { ...context, parentURL: here });
  },
});
