/** A bundle's folder: one folder with everything that recognising needs and nothing that training needed. */

import { join } from "node:path"
import { type Bundle, parseBundle } from "@fourtier/core/bundle"
import { readJson } from "@fourtier/tensor/node"

export const modelPath = (folder: string) => join(folder, "model.onnx")
export const bundlePath = (folder: string) => join(folder, "bundle.json")

/**
 * Reads and checks `bundle.json`. @throws FourtierError that names the field
 *
 * @example
 * ```ts
 * import { readBundle } from "fourtier/deploy"
 *
 * const { labels, accuracy } = await readBundle("runs/mine/bundle")
 * ```
 */
export async function readBundle(folder: string): Promise<Bundle> {
  const path = bundlePath(folder)
  return parseBundle(await readJson(path), path)
}
