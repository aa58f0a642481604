/** Which bundles have been proven on which clips: what was once decoded, recognised and compared is not gone through again. */

import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Bundle } from "@fourtier/core/bundle"
import type { SessionOptions } from "@fourtier/tensor"
import { hashFile, hashJson, readJson, writeJson } from "@fourtier/tensor/node"
import { z } from "zod"
import { markUsed } from "../util/cache-folders.ts"
import { version } from "../util/version.ts"
import type { Clip } from "../video/manifest.ts"
import { modelPath, partPaths } from "./folder.ts"

const paritySchema = z.object({ clips: z.number(), largestDifference: z.number() })

/** A bundle's description without what is told of its making and its proof. */
export function timeless({ parity: _, provenance: { created: __, ...provenance }, ...bundle }: Bundle) {
  return { ...bundle, provenance }
}

/** A hash of a bundle's model and its parts, with the files of their weights where there are any. */
export async function hashModel(folder: string): Promise<string> {
  const { frame, head } = partPaths(folder)
  const files = [modelPath(folder), frame, head].flatMap((path) => [path, `${path}.data`])
  const hashes: (string | null)[] = []
  for (const path of files) hashes.push(existsSync(path) ? await hashFile(path) : null)
  return hashJson(hashes)
}

/** What a proof is about. */
interface ProofOptions {
  /** Clips with the trainer's probabilities [C]. */
  expected: readonly { clip: Clip; probabilities: ArrayLike<number> }[]
  /** Folder of all proofs; without it none is kept. */
  proofs?: string
  runtime?: SessionOptions
}

/** The proof of one bundle on certain clips. */
export class Proof {
  /** Hash of the model. */
  readonly model: string
  readonly #path: string | null

  private constructor(model: string, path: string | null) {
    this.model = model
    this.#path = path
  }

  static async of(folder: string, bundle: Bundle, { expected, proofs, runtime }: ProofOptions): Promise<Proof> {
    const model = await hashModel(folder)
    if (proofs === undefined) return new Proof(model, null)
    const clips = expected.map(({ clip: { hash, start, end }, probabilities }) => {
      return [hash, start, end, Array.from(probabilities)]
    })
    const provider = runtime?.provider ?? "auto"
    const { provenance: _, accuracy: __, ...described } = timeless(bundle)
    const key = hashJson({ version, model, described, clips, provider })
    return new Proof(model, join(proofs, `${key.slice(0, 32)}.json`))
  }

  /** What was found before; null where it has not been proven. */
  async recall(): Promise<Bundle["parity"] | null> {
    if (this.#path === null || !existsSync(this.#path)) return null
    const found = paritySchema.safeParse(await readJson(this.#path).catch(() => null))
    if (!found.success) return null
    await markUsed(this.#path)
    return found.data
  }

  async keep(parity: Bundle["parity"]): Promise<void> {
    if (this.#path !== null) await writeJson(this.#path, parity)
  }
}
