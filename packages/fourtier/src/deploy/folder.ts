/** A bundle's folder: one folder with everything that recognising needs and nothing that training needed. */

import { existsSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Bundle, type DetectionBundle, parseBundle, parseDetectionBundle } from "@fourtier/core/bundle"
import { FourtierError } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { isVideoName } from "../video/endings.ts"

export const modelPath = (folder: string) => join(folder, "model.onnx")
/** The parts for streams: see `Bundle.stream`. */
export const partPaths = (folder: string) => ({ frame: join(folder, "frame.onnx"), head: join(folder, "head.onnx") })
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
  if (!existsSync(path)) throw noBundle(folder)
  return parseBundle(await readJson(path), path)
}

/**
 * Reads and checks the `bundle.json` of a detector. @throws FourtierError that names the field, or says what else the folder is
 *
 * @example
 * ```ts
 * import { readDetectionBundle } from "fourtier/deploy"
 *
 * const { labels, window } = await readDetectionBundle("runs/company/detection/bundle")
 * ```
 */
export async function readDetectionBundle(folder: string): Promise<DetectionBundle> {
  const path = bundlePath(folder)
  if (!existsSync(path)) throw noBundle(folder)
  return parseDetectionBundle(await readJson(path), path)
}

/** What was given instead of a bundle's folder, and what to give. */
function noBundle(path: string): FourtierError {
  const expected = "the folder that `fourtier run` exported, with bundle.json and model.onnx"
  const of = (what: string, fix: string) => new FourtierError({ where: path, what, expected, fix })
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return of("no such folder", "give runs/<data>/bundle, or run `fourtier run <data>` first")
  const inside = join(path, "bundle")
  if (existsSync(bundlePath(inside))) return of("the folder of a run, not its bundle", `give ${inside}`)
  if (found.isFile() && existsSync(bundlePath(dirname(path)))) return of("a file of a bundle", `give ${dirname(path)}`)
  if (isVideoName(path)) return of("a video, not a bundle", "give the bundle first, and the video after it")
  if (existsSync(join(path, "trials"))) {
    return of("the folder of a run that has exported no bundle", "let it finish: `fourtier run`, or `fourtier export`")
  }
  return of("not a bundle: it has no bundle.json", "give runs/<data>/bundle")
}
