/** Fixtures of reference implementations: small random weights with inputs, outputs and intermediates. */

import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { readJson, readNpy } from "@fourtier/tensor/node"
import { checkpointSource, type Dimensions, dimensionsSchema, type EncodedArray, encodeArrays } from "fourtier/encoders"
import { z } from "zod"

export const PARITY = join(import.meta.dirname, "../../../shared/parity")

/** Folders of fixtures; none where they are not on this machine. */
export function fixtureNames(): string[] {
  if (!existsSync(PARITY)) {
    console.log(`skipped: no parity fixtures in ${PARITY}`)
    return []
  }
  return readdirSync(PARITY).sort()
}

const fixtureSchema = z.object({
  inputs: z.record(z.string(), z.unknown()),
  outputs: z.record(z.string(), z.unknown()),
  intermediates: z.record(z.string(), z.unknown()),
  tolerance: z.object({ max_abs: z.record(z.string(), z.number()) }),
})

export interface Fixture {
  dimensions: Dimensions
  expected: z.infer<typeof fixtureSchema>
  inputs: Map<string, Awaited<ReturnType<typeof readNpy>>>
}

export async function openFixture(name: string): Promise<Fixture> {
  const config = await readJson(join(PARITY, name, "config.json"))
  const expected = fixtureSchema.parse(config)
  const inputs: Fixture["inputs"] = new Map()
  for (const key of Object.keys(expected.inputs)) inputs.set(key, await readNpy(join(PARITY, name, `${key}.npy`)))
  return { dimensions: dimensionsSchema.parse(config), expected, inputs }
}

/** Files of weights of a fixture. */
export function checkpointsOf(name: string): string[] {
  return ["weights.safetensors", "checkpoint.pth"].map((file) => join(PARITY, name, file)).filter(existsSync)
}

export async function encodeFixture(
  { dimensions, inputs }: Pick<Fixture, "dimensions" | "inputs">,
  checkpoint: string,
) {
  const source = await checkpointSource(checkpoint, dimensions)
  try {
    return await encodeArrays({ dimensions, source, inputs })
  } finally {
    await source.close()
  }
}

/** Largest |difference| from the array in a file; infinite for another shape. */
export async function distance(found: EncodedArray | undefined, path: string): Promise<number> {
  const { shape, data } = await readNpy(path, "f32")
  if (!found || String(found.shape) !== String(shape)) return Number.POSITIVE_INFINITY
  return data.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0)
}
