/**
 * What the page trains on: the default encoder as ONNX, and the settings of the default preset, as `fourtier` has them.
 *
 * ```
 * encoder.onnx   frames [1,T,H,W,3] -> m [1,T,N,D]     goes into bundles
 * frame.onnx     a frame [1,1,H,W,3] -> rows [1,N,D']  weights in encoder.onnx
 * map.onnx       rows [1,T,N,D'] -> m [1,T,N,D]
 * encoder.json   sizes, names, settings
 * describe.json  prompts, strips, prices
 * ```
 */

import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { input } from "@fourtier/tensor"
import { writeJson, writeOnnx, writeOnnxSharing } from "@fourtier/tensor/node"
import { storeAsFloat16, toOnnx } from "@fourtier/tensor/onnx"
import { loadConfig } from "fourtier"
import { checksSchema, listPrices, resolvePrompts } from "fourtier/describe"
import { openVisualEncoder } from "fourtier/encoders"
import manifest from "fourtier/package.json" with { type: "json" }
import type { Plugin } from "vite"

/** The longest answer, as the provider `openai` has it. */
const MAX_TOKENS = 300

export function encoderAssets(): Plugin {
  return {
    name: "encoder-assets",
    async writeBundle({ dir }) {
      if (dir !== undefined) await writeEncoder(join(dir, "encoder"))
    },
  }
}

async function writeEncoder(folder: string): Promise<void> {
  const { value: config } = await loadConfig()
  const encoder = await openVisualEncoder(config.encoder)
  const { name, id, frames, resolution, size, frameWise } = encoder
  if (!frameWise) throw new Error(`the page needs an encoder of single frames, and ${name} sees clips`)
  await mkdir(folder, { recursive: true })
  // the weights come in half precision: nothing is lost
  const whole = storeAsFloat16(await encoder.model(1))
  await writeOnnx(join(folder, "encoder.onnx"), whole)
  const frame = storeAsFloat16(await frameWise.model())
  await writeOnnxSharing(join(folder, "frame.onnx"), frame, join(folder, "encoder.onnx"), whole)
  const { N, D } = frameWise.rows
  const rows = input("rows", [1, size.T, N, D])
  await writeOnnx(join(folder, "map.onnx"), toOnnx({ outputs: { m: frameWise.toMap(rows) } }))
  const { system, prompts } = resolvePrompts(config.prompts)
  await writeJson(join(folder, "describe.json"), {
    system,
    prompts,
    keyFrames: config.keyFrames,
    maxTokens: MAX_TOKENS,
    checks: checksSchema.parse({}),
    prices: listPrices,
  })
  const { model, finetune, linearProbe, views, seed, falseAlarmRate } = config
  await writeJson(join(folder, "encoder.json"), {
    fourtier: manifest.version,
    name,
    id,
    frames,
    resolution,
    size,
    rows: frameWise.rows,
    settings: { model, finetune, linearProbe, views, seed, falseAlarmRate },
  })
}
