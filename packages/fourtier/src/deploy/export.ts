/**
 * Export: writes a bundle, then proves it. The held-out clips go from their files through the finished bundle, and their
 * probabilities must equal the trainer's; only then does the folder get its name.
 */

import { rename, rm } from "node:fs/promises"
import type { Reporter } from "@fourtier/core"
import type { Bundle } from "@fourtier/core/bundle"
import { transformOf, type ViewRecipe } from "@fourtier/core/frames"
import type { NetworkSpec } from "@fourtier/core/model"
import { outputsOf } from "@fourtier/core/schemas"
import { FourtierError, type SessionOptions } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import { hashJson, temporaryName, writeJson, writeOnnx, writeOnnxSharing } from "@fourtier/tensor/node"
import type { VisualEncoder } from "../encoders/encoder.ts"
import type { Clip } from "../video/manifest.ts"
import { loadViews } from "../video/views.ts"
import { buildModel, buildStream, describeInput, describeViews } from "./build.ts"
import { bundlePath, modelPath, partPaths, readBundle } from "./folder.ts"
import { hashModel, Proof, timeless } from "./proof.ts"
import { Recognizer } from "./recognizer.ts"
import { loadForStream } from "./stream.ts"

/** Largest difference of a probability between bundle and trainer. */
export const TOLERANCE = 1e-4

export interface ExportOptions {
  /** Folder to write; a bundle already there is replaced once the new one is proven. */
  folder: string
  encoder: VisualEncoder
  recipe: ViewRecipe
  labels: readonly string[]
  network: Pick<NetworkSpec, "build" | "width" | "pool">
  /** Every weight of the network. */
  weights: Weights
  provenance: Bundle["provenance"]
  clipSeconds: Bundle["clipSeconds"]
  calibration: Bundle["calibration"]
  unknown: Bundle["unknown"]
  accuracy: Bundle["accuracy"]
  /** Clips with the trainer's probabilities [C], calibrated alike. */
  expected: readonly { clip: Clip; probabilities: ArrayLike<number> }[]
  /** Folder in which it is kept which bundles have been proven on which clips: those are not proven again. */
  proofs?: string
  reporter: Reporter
  runtime?: SessionOptions
  workers?: number
}

/**
 * Writes a bundle and proves it against the trainer. One that is there already and proven on the same clips stays as it is.
 * @returns the bundle's description
 * @throws FourtierError, leaving nothing behind, when bundle and trainer disagree
 *
 * @example
 * ```ts
 * import { type ExportOptions, exportBundle } from "fourtier/deploy"
 *
 * async function ship(trained: Omit<ExportOptions, "folder">) {
 *   const { parity } = await exportBundle({ ...trained, folder: "runs/mine/bundle" })
 *   return parity.largestDifference // 1e-4 at most
 * }
 * ```
 */
export async function exportBundle(options: ExportOptions): Promise<Bundle> {
  const { folder, encoder, recipe, labels, network, weights, provenance, clipSeconds, calibration, unknown, accuracy } =
    options
  const temporary = temporaryName(folder)
  try {
    const outputs = outputsOf({ labels: [...labels], unknown })
    const model = await buildModel(encoder, outputs, network, weights)
    await writeOnnx(modelPath(temporary), model)
    const parts = await buildStream(encoder, outputs, network, weights)
    if (parts) {
      const paths = partPaths(temporary)
      await writeOnnxSharing(paths.frame, parts.frame, modelPath(temporary), model)
      await writeOnnxSharing(paths.head, parts.head, modelPath(temporary), model)
    }
    const bundle: Bundle = {
      format: "fourtier/bundle",
      version: 1,
      labels: [...labels],
      input: describeInput(encoder),
      output: { name: "probabilities" },
      ...describeViews(recipe),
      provenance,
      stream: parts && encoder.frameWise ? { rows: [encoder.frameWise.rows.N, encoder.frameWise.rows.D] } : null,
      clipSeconds,
      calibration,
      unknown,
      accuracy,
      parity: { clips: 0, largestDifference: 0 },
    }
    await writeJson(bundlePath(temporary), bundle)
    const proof = await Proof.of(temporary, bundle, options)
    const known = await proof.recall()
    const present = known && (await sameBundle(folder, { ...bundle, parity: known }, proof.model))
    if (present) {
      await rm(temporary, { recursive: true, force: true })
      return present
    }
    const parity = known ?? (await compare(temporary, options))
    if (!known) {
      if (parts) await compareParts(temporary, options)
      await proof.keep(parity)
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

/** Clips that the parts are proven on. */
const PROVING = 3

/** Whether frame by frame gives what the trainer gave. */
async function compareParts(folder: string, { expected, runtime }: ExportOptions): Promise<void> {
  const recognizer = await loadForStream(folder, runtime)
  const { sampling, steps } = recognizer.bundle
  try {
    for (const { clip, probabilities } of expected.slice(0, PROVING)) {
      const job = { clip, sampling, transform: transformOf(steps), seed: null, scaleWhileDecoding: true }
      const rows: Float32Array[] = []
      for (const view of loadViews(job).views) rows.push(await recognizer.predictView(view))
      checkEqual(clip, recognizer.labels, recognizer.average(rows, 1, 0).probabilities, probabilities)
    }
  } finally {
    await recognizer.release()
  }
}

/** @returns the largest difference. Throws FourtierError where it is beyond the tolerance. */
function checkEqual(clip: Clip, labels: readonly string[], own: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let largest = 0
  for (let c = 0; c < own.length; c++) {
    const difference = Math.abs(own[c] - theirs[c])
    largest = Math.max(largest, difference)
    if (difference <= TOLERANCE) continue
    throw new FourtierError({
      where: clip.path,
      what: "the bundle does not match the trainer, so it was not written",
      expected: `probability ${theirs[c]} of ${labels[c]}, within ${TOLERANCE}`,
      found: String(own[c]),
      fix: "if the video changed after its features were extracted, run again; otherwise please report this as a bug",
    })
  }
  return largest
}

/** The bundle in a folder, if it is this one but for the time of its making. */
async function sameBundle(folder: string, bundle: Bundle, model: string): Promise<Bundle | null> {
  const present = await readBundle(folder).catch(() => null)
  if (!present || hashJson(timeless(present)) !== hashJson(timeless(bundle))) return null
  const found = await hashModel(folder).catch(() => null)
  return found === model ? present : null
}

async function compare(
  folder: string,
  { expected, reporter, runtime, workers }: ExportOptions,
): Promise<Bundle["parity"]> {
  const recognizer = await Recognizer.load(folder, { ...runtime, workers })
  const progress = reporter.task("check the bundle", expected.length, "clips")
  let largestDifference = 0
  let done = 0
  try {
    const clips = expected.map(({ clip }) => clip)
    for await (const outcome of recognizer.predictAll(clips, { workers })) {
      if ("error" in outcome) throw outcome.error
      const { probabilities } = expected[done++]
      const found = checkEqual(outcome.clip, recognizer.labels, outcome.recognition.probabilities, probabilities)
      largestDifference = Math.max(largestDifference, found)
      progress.tick()
    }
  } finally {
    await recognizer.release()
  }
  progress.done()
  return { clips: done, largestDifference }
}
