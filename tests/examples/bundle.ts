/** A bundle that tells bright clips from dark ones, written in no time. */

import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { FRAMES, PROBABILITIES, type Unknown } from "@fourtier/core/schemas"
import { concat, input, mean, mul, neg, reshape, softmax, sub } from "@fourtier/tensor"
import { writeJson, writeOnnx } from "@fourtier/tensor/node"
import { toOnnx } from "@fourtier/tensor/onnx"

/** Labels: dark, bright; four frames of 32×32. */
export async function writeBundle(folder: string, unknown: Unknown | null = null): Promise<void> {
  const shape = [1, 4, 32, 32, 3]
  const brightness = reshape(sub(mul(mean(input(FRAMES, shape)), 8 / 255), 4), [1, 1])
  const probabilities = softmax(concat([neg(brightness), brightness], 1))
  await mkdir(folder, { recursive: true })
  await writeOnnx(join(folder, "model.onnx"), toOnnx({ outputs: { [PROBABILITIES]: probabilities } }))
  await writeJson(join(folder, "bundle.json"), {
    format: "fourtier/bundle",
    version: 1,
    labels: ["dark", "bright"],
    input: { name: FRAMES, shape },
    output: { name: PROBABILITIES },
    sampling: { kind: "segments", frames: 4, clips: 1 },
    steps: [{ step: "stretch", width: 32, height: 32 }],
    provenance: {
      fourtier: "0.1.0",
      created: "2026-01-01T00:00:00Z",
      method: "brightness",
      encoder: { name: "none", id: "none" },
      prompts: [],
      config: "none",
      split: "none",
      seed: 0,
      trainingClips: 0,
    },
    unknown,
    accuracy: null,
    parity: { clips: 0, largestDifference: 0 },
  })
}
