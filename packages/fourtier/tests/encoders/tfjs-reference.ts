/** Runs a model in TensorFlow.js itself, for tests to compare with. */

import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as tf from "@tensorflow/tfjs"

/** A graph model in TensorFlow.js itself, on its CPU backend: what our importer is compared with. */
export async function loadReference(path: string): Promise<tf.GraphModel> {
  tf.env().set("IS_NODE", false) // silences the advice to install the native backend
  await tf.setBackend("cpu")
  const { modelTopology, weightsManifest, signature } = JSON.parse(await readFile(path, "utf8"))
  const groups: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[] = weightsManifest
  const shards = groups.flatMap((group) => group.paths)
  const bytes = Buffer.concat(await Promise.all(shards.map((shard) => readFile(join(dirname(path), shard)))))
  return tf.loadGraphModel({
    load: async () => ({
      modelTopology,
      signature,
      weightSpecs: groups.flatMap((group) => group.weights),
      weightData: new Uint8Array(bytes).buffer,
    }),
  })
}

/** Largest difference, in units of the reference's largest value (or of 1, if that is smaller). */
export function relativeDifference(found: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (found.length !== reference.length) return Number.POSITIVE_INFINITY
  let difference = 0
  let scale = 1
  for (let i = 0; i < reference.length; i++) {
    difference = Math.max(difference, Math.abs(found[i] - reference[i]))
    scale = Math.max(scale, Math.abs(reference[i]))
    if (Number.isNaN(found[i])) return Number.NaN
  }
  return difference / scale
}
