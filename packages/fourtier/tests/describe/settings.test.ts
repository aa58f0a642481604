/** Reading a config must stay fast: the schemas of prompts and providers load nothing but zod. */

import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, it } from "vitest"
import { providerSchema } from "../../src/describe/settings.ts"

/** Packages and modules of Node that a file loads, itself or through files that it imports. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  const loaded = new Set<string>()
  if (seen.has(file)) return loaded
  seen.add(file)
  const statements = readFileSync(file, "utf8").matchAll(/^(?:import|export) (?!type )[^"\n]*? from "([^"]+)"/gm)
  for (const [, name] of statements) {
    if (!name.startsWith(".")) loaded.add(name)
    else for (const inner of loadedBy(join(dirname(file), name), seen)) loaded.add(inner)
  }
  return loaded
}

it("loads no provider", () => {
  const settings = join(import.meta.dirname, "../../src/describe/settings.ts")
  expect([...loadedBy(settings)]).toEqual(["zod"])
})

it("knows each kind of provider by its name", () => {
  const kinds = providerSchema.options.map(({ shape }) => shape.kind.value)
  expect(kinds).toEqual(["replay", "openai", "openai-batch", "http", "transformers", "llama"])
})
