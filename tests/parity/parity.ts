/** Fixtures of reference implementations: small random weights with inputs, outputs and intermediates. */

import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { readJson, readNpy } from "@fourtier/tensor/node"
import { z } from "zod"
import { checkpointSource, joinSources } from "../../packages/fourtier/src/encoders/checkpoint/source.ts"
import { networkSchema } from "../../packages/fourtier/src/encoders/families/index.ts"
import type { EncoderNetwork } from "../../packages/fourtier/src/encoders/family.ts"
import { type Encoded, type EncodedArray, encodeArrays } from "../../packages/fourtier/src/encoders/run.ts"
import { hasShared, shared } from "../shared.ts"

export const PARITY = shared("parity")

/** Folders of fixtures of the networks that a family has; none where they are not beside the repository. */
export function fixtureNames(): string[] {
  if (!hasShared("outputs of the reference implementations", "parity")) {
    return []
  }
  const names = readdirSync(PARITY).sort()
  const unknown = names.filter((name) => !hasFamily(name))
  if (unknown.length > 0) console.log(`skipped: no family has the networks ${unknown.join(", ")}`)
  return names.filter(hasFamily)
}

/** Whether the schema of all families knows a fixture's `encoder`. */
function hasFamily(name: string): boolean {
  const { encoder } = z.object({ encoder: z.string() }).parse(JSON.parse(readFileSync(configOf(name), "utf8")))
  const { error } = networkSchema.safeParse({ encoder })
  return !error?.issues.some(({ path }) => path.join(".") === "encoder")
}

const configOf = (name: string) => join(PARITY, name, "config.json")

const fixtureSchema = z.object({
  inputs: z.record(z.string(), z.unknown()),
  outputs: z.record(z.string(), z.unknown()),
  intermediates: z.record(z.string(), z.unknown()),
  tolerance: z.object({ max_abs: z.record(z.string(), z.number()) }),
})

export interface Fixture {
  network: EncoderNetwork
  expected: z.infer<typeof fixtureSchema>
  inputs: Map<string, Awaited<ReturnType<typeof readNpy>>>
}

export async function openFixture(name: string): Promise<Fixture> {
  const config = await readJson(configOf(name))
  const expected = fixtureSchema.parse(config)
  const inputs: Fixture["inputs"] = new Map()
  for (const key of Object.keys(expected.inputs)) inputs.set(key, await readNpy(join(PARITY, name, `${key}.npy`)))
  return { network: networkSchema.parse(config), expected, inputs }
}

/** Ways to read a fixture's weights: each a file, or several that hold parts of the network. */
export function checkpointsOf(name: string): string[][] {
  return [["weights.safetensors"], ["checkpoint.pth", "probe_checkpoint.pth"]]
    .map((files) => files.map((file) => join(PARITY, name, file)).filter(existsSync))
    .filter((files) => files.length > 0)
}

export async function encodeFixture(
  { network, inputs }: Pick<Fixture, "network" | "inputs">,
  checkpoints: readonly string[],
): Promise<Encoded> {
  const source = joinSources(await Promise.all(checkpoints.map((path) => checkpointSource(path, network))))
  try {
    return await encodeArrays({ network, source, inputs })
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
