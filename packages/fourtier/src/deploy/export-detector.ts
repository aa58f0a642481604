/**
 * Export of a detector: writes a bundle, then proves it. Key frames that were tested go from their files through the finished bundle,
 * and the probabilities of every person must equal the trainer's; only then does the folder get its name.
 */

import { rename, rm } from "node:fs/promises"
import type { Reporter } from "@fourtier/core"
import { BOXES, type DetectionBundle, FrameDetector, PROBABILITIES } from "@fourtier/core/bundle"
import type { Corners, ViewRecipe } from "@fourtier/core/frames"
import type { RegionSpec } from "@fourtier/core/model"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { temporaryName, writeJson, writeOnnx, writeOnnxSharing } from "@fourtier/tensor/node"
import type { VisualEncoder } from "../encoders/encoder.ts"
import { buildDetector, buildDetectorStream, describeInput, describeViews, SHIPPED_BOXES } from "./build.ts"
import { detectAt, loadDetector } from "./detector.ts"
import { TOLERANCE } from "./export.ts"
import { bundlePath, modelPath, partPaths } from "./folder.ts"

/** People of a key frame, and what the trainer says of them. */
export interface ExpectedPeople {
  /** The video, and the key frame's time in the file. */
  path: string
  seconds: number
  /** Shares of the picture. */
  boxes: readonly Corners[]
  /** [C] of each box. */
  probabilities: readonly ArrayLike<number>[]
}

export interface ExportDetectorOptions {
  /** Folder to write; a bundle already there is replaced once the new one is proven. */
  folder: string
  encoder: VisualEncoder
  recipe: Pick<ViewRecipe, "sampling" | "steps">
  /** Seconds of the clip around a key frame. */
  window: number
  classes: readonly { id: number; name: string }[]
  network: Omit<RegionSpec, "size" | "classes">
  /** Every weight of the network. */
  weights: Weights
  provenance: DetectionBundle["provenance"]
  quality: DetectionBundle["quality"]
  /** To prove it with. */
  expected: readonly ExpectedPeople[]
  reporter: Reporter
  runtime?: SessionOptions
}

/**
 * Writes a bundle of action detection and proves it against the trainer.
 * @returns the bundle's description
 * @throws FourtierError, leaving nothing behind, when bundle and trainer disagree
 *
 * @example
 * ```ts
 * import { type ExportDetectorOptions, exportDetector } from "fourtier/deploy"
 *
 * async function ship(trained: Omit<ExportDetectorOptions, "folder">) {
 *   const { parity } = await exportDetector({ ...trained, folder: "runs/mine/detection/bundle" })
 *   return parity.largestDifference // 1e-4 at most
 * }
 * ```
 */
export async function exportDetector(options: ExportDetectorOptions): Promise<DetectionBundle> {
  const { folder, encoder, recipe, window, classes, weights, provenance, quality } = options
  const network = { ...options.network, classes: classes.length }
  const temporary = temporaryName(folder)
  try {
    const model = await buildDetector(encoder, network, weights)
    await writeOnnx(modelPath(temporary), model)
    const parts = await buildDetectorStream(encoder, network, weights)
    if (parts) {
      const paths = partPaths(temporary)
      await writeOnnxSharing(paths.frame, parts.frame, modelPath(temporary), model)
      await writeOnnxSharing(paths.head, parts.head, modelPath(temporary), model)
    }
    const bundle: DetectionBundle = {
      format: "fourtier/bundle",
      version: 1,
      task: "detection",
      labels: classes.map(({ name }) => name),
      classIds: classes.map(({ id }) => id),
      input: { frames: describeInput(encoder), boxes: { name: BOXES, shape: [SHIPPED_BOXES, 4] } },
      output: { name: PROBABILITIES },
      ...describeViews({ ...recipe, draws: null }),
      window,
      stream: parts && encoder.frameWise ? { rows: [encoder.frameWise.rows.N, encoder.frameWise.rows.D] } : null,
      provenance,
      quality,
      parity: { clips: 0, boxes: 0, largestDifference: 0 },
    }
    await writeJson(bundlePath(temporary), bundle)
    const parity = await prove(await loadDetector(temporary, options.runtime), options.expected, options.reporter)
    if (parts) {
      const whole = await FrameDetector.load(modelPath(temporary), bundle, options.runtime)
      await prove(whole, options.expected.slice(0, PROVING))
    }
    const proven = { ...bundle, parity }
    await writeJson(bundlePath(temporary), proven)
    await rm(folder, { recursive: true, force: true })
    await rename(temporary, folder)
    return proven
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
}

/** Key frames that the whole model is proven on, where there are parts: these are what is used. */
const PROVING = 3

/** @throws FourtierError where a probability differs by more than the tolerance */
async function prove(
  detector: FrameDetector,
  expected: readonly ExpectedPeople[],
  reporter?: Reporter,
): Promise<DetectionBundle["parity"]> {
  const progress = reporter?.task("check the bundle", expected.length, "key frames")
  const parity = { clips: 0, boxes: 0, largestDifference: 0 }
  try {
    for (const { path, seconds, boxes, probabilities } of expected) {
      const found = await detectAt(detector, path, seconds, boxes)
      for (const [k, own] of found.entries()) {
        for (const [c, p] of own.entries()) {
          const difference = Math.abs(p - probabilities[k][c])
          parity.largestDifference = Math.max(parity.largestDifference, difference)
          if (difference <= TOLERANCE) continue
          throw new FourtierError({
            where: `${path} at ${seconds} s, person ${k + 1}`,
            what: "the bundle does not match the trainer, so it was not written",
            expected: `probability ${probabilities[k][c]} of ${detector.labels[c]}, within ${TOLERANCE}`,
            found: String(p),
            fix: "if the video changed after its features were extracted, run again; otherwise please report this as a bug",
          })
        }
      }
      parity.clips++
      parity.boxes += boxes.length
      progress?.tick()
      // codecs give their memory back when the event loop turns
      await new Promise((turn) => setImmediate(turn))
    }
  } finally {
    await detector.release()
  }
  progress?.done()
  return parity
}
