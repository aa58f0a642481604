/**
 * The bundle: the folder that `fourtier predict` takes, made in the page and proven there: on a few clips, from their files, it must
 * say what the trainer says.
 */

import { type Bundle, FRAMES, FrameRecognizer, parseBundle } from "@fourtier/core/bundle"
import { leadingSize, transformOf } from "@fourtier/core/frames"
import { type NetworkSpec, placesOf, shippedHead } from "@fourtier/core/model"
import type { Calibration } from "@fourtier/core/schemas"
import { input } from "@fourtier/tensor"
import type { Weights } from "@fourtier/tensor/nn"
import {
  decodeModel,
  encodeModel,
  type ModelProto,
  mergeModels,
  placesInFile,
  shareWeights,
  type TensorProto,
} from "@fourtier/tensor/onnx"
import { get, put, type StoredClip } from "../store/database.ts"
import { erase, folder, read, write } from "../store/files.ts"
import { runtime } from "./device.ts"
import { type Encoder, encoderFile, recipesOf } from "./encoder.ts"
import { openVideo } from "./frames.ts"
import type { TrainingJob } from "./training-job.ts"

/** Largest difference of a probability between bundle and trainer. */
const TOLERANCE = 1e-4
/** Clips that a bundle is proven on. */
const PROVING = 3

export interface Shipped {
  encoder: Encoder
  job: TrainingJob
  clips: readonly StoredClip[]
  network: Pick<NetworkSpec, "build" | "width" | "pool">
  weights: Weights
  /** Names the training. */
  key: string
  /** The trainer's probabilities [C] of the clips. */
  expected: readonly Float32Array[]
  calibration: Calibration | null
  unknown: Bundle["unknown"]
  accuracy: Bundle["accuracy"]
}

/** Writes the bundle into a folder of its own, proves it, and only then makes it the one. */
export async function writeBundle(shipped: Shipped): Promise<void> {
  const { encoder, job, network, weights } = shipped
  const { size, rows } = encoder
  const spec = { size, classes: job.classes.length, ...network }
  const head = shippedHead(input("m", [1, size.T, placesOf(size), size.D]), spec, weights)
  const encoderBytes = await encoderFile("encoder.onnx")
  const whole = mergeModels(decodeModel(encoderBytes), head, { m: "m" })
  const places = placesInFile(whole, "model.onnx")
  const share = (model: typeof whole) => encodeModel(shareWeights(model, places))
  const files = {
    "model.onnx": encodeModel(whole),
    "frame.onnx": share(withWeights(decodeModel(await encoderFile("frame.onnx")), encoderBytes)),
    "head.onnx": share(mergeModels(decodeModel(await encoderFile("map.onnx")), head, { m: "m" })),
  }
  const bundle = describe(shipped, [rows.N, rows.D])
  const parity = await prove(files["model.onnx"], bundle, shipped)
  const next = String(Number((await currentBundle()) ?? "0") + 1)
  const directory = await folder("bundle", next)
  for (const [name, data] of Object.entries(files)) await write(directory, name, Uint8Array.from(data))
  const text = `${JSON.stringify({ ...bundle, parity }, null, 2)}\n`
  await write(directory, "bundle.json", new TextEncoder().encode(text))
  await put("notes", [["bundle", next]])
  await eraseOthers(next)
}

/** Bundles before this one, one as well that a killed page has left behind. */
async function eraseOthers(name: string): Promise<void> {
  const bundles = await folder("bundle")
  const others: string[] = []
  for await (const other of bundles.keys()) if (other !== name) others.push(other)
  for (const other of others) await erase(bundles, other)
}

/** A model whose weights lie in the bytes of another, with all of them inside. */
function withWeights(model: ModelProto, holder: Uint8Array): ModelProto {
  const initializers = model.graph.initializers.map((tensor): TensorProto => {
    if (!tensor.externalData) return tensor
    const { name, dims, dataType, externalData } = tensor
    const { offset, length } = externalData
    return { name, dims, dataType, rawData: holder.subarray(offset, offset + length) }
  })
  return { ...model, graph: { ...model.graph, initializers } }
}

/** Name of the folder of the bundle that holds; null: there is none. */
export async function currentBundle(): Promise<string | null> {
  const found = await get("notes", "bundle")
  return typeof found === "string" ? found : null
}

function describe(
  { encoder, job, clips, key, calibration, unknown, accuracy }: Shipped,
  rows: [number, number],
): Bundle {
  const { name, id, frames, resolution, fourtier, settings } = encoder
  const seconds = clips.flatMap((clip) => clip.seconds ?? []).sort((a, b) => a - b)
  return {
    format: "fourtier/bundle",
    version: 1,
    labels: job.classes,
    input: { name: FRAMES, shape: [1, frames, ...resolution, 3] },
    output: { name: "probabilities" },
    ...recipesOf(encoder).test,
    provenance: {
      fourtier,
      created: new Date().toISOString(),
      method: "baseline",
      encoder: { name, id },
      prompts: [],
      config: key,
      split: "all clips",
      seed: settings.seed,
      trainingClips: clips.length,
      pseudoLabelled: 0,
    },
    stream: { rows },
    clipSeconds: seconds[Math.floor(seconds.length / 2)] ?? null,
    calibration,
    unknown,
    accuracy,
    parity: { clips: 0, largestDifference: 0 },
  }
}

/** @throws Error where bundle and trainer disagree */
async function prove(model: Uint8Array, bundle: Bundle, { clips, expected }: Shipped): Promise<Bundle["parity"]> {
  const recognizer = await FrameRecognizer.load(
    model,
    parseBundle({ ...bundle, calibration: null }, "bundle.json"),
    runtime(),
  )
  const size = leadingSize(transformOf(bundle.steps))
  let largestDifference = 0
  const some = Math.min(PROVING, clips.length)
  try {
    for (let i = 0; i < some; i++) {
      const clip = clips[Math.floor((i * clips.length) / some)]
      const file = await read(await folder("clips"), clip.file)
      if (!file) throw new Error(`${clip.name}: its file is gone`)
      const video = await openVideo(file)
      try {
        const { probabilities } = await recognizer.recognize(video.clip(clip.start, clip.end, size))
        const own = expected[clips.indexOf(clip)]
        for (const [c, p] of probabilities.entries())
          largestDifference = Math.max(largestDifference, Math.abs(p - own[c]))
      } finally {
        video.close()
      }
    }
  } finally {
    await recognizer.release()
  }
  if (largestDifference > TOLERANCE) {
    throw new Error(
      `the recogniser differs from what was trained by ${largestDifference.toExponential(1)}: please report this`,
    )
  }
  return { clips: some, largestDifference }
}
