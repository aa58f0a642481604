/**
 * What the head adds at inference: one view through the shipped graph (encoder, processors, integration, classifier)
 * against the same encoder alone. The two take turns; medians. The default encoder and the `small` preset; weights of the head
 * are fresh, which changes no time.
 *
 *     npx tsc -p bench/tsconfig.json && node .fourtier/bench/bench/predict.js [rounds] [threads]
 *
 * Writes bench/predict.csv.
 */

import { writeFile } from "node:fs/promises"
import { networkOf, placesOf } from "@fourtier/core/model"
import { onRawMap } from "@fourtier/core/train"
import { input, Rng, Session } from "@fourtier/tensor"
import { initialize } from "@fourtier/tensor/nn"
import { encodeModel } from "@fourtier/tensor/onnx"
import { loadConfig } from "fourtier"
import { buildModel } from "fourtier/deploy"
import { encoderShapes, FRAMES, openEncoder, openVisualEncoder } from "fourtier/encoders"

const [rounds, threads] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 2)]
const CLASSES = 20

const { value: config } = await loadConfig()
const encoder = await openVisualEncoder(config.encoder)
const space = { similarity: config.align.similarity, textWidth: 512 }
const network = { build: networkOf("full", ["A", "B", "C", "D"], config.model, space), width: config.model.width }
const m = input("m", [1, encoder.size.T, placesOf(encoder.size), encoder.size.D])
const { trained, finalFrozen } = onRawMap(m, { size: encoder.size, classes: CLASSES, ...network }, null)
const weights = initialize([...trained, ...finalFrozen], (name) => Rng.fork(0, name))

const shapes = encoderShapes(encoder, 1)
const frames = Float32Array.from({ length: shapes.frames.reduce((a, b) => a * b, 1) }, (_, i) => (i * 7919) % 256)
const alone = await openEncoder(encoder, 1, { threads })
const whole = await Session.load(
  encodeModel(await buildModel(encoder, CLASSES, network, weights)),
  {
    inputs: new Map([[FRAMES, { shape: shapes.frames, dtype: "f32" as const }]]),
    outputs: new Map([["probabilities", { shape: [1, CLASSES], dtype: "f32" as const }]]),
  },
  { threads },
)

const times: Record<"alone" | "whole", number[]> = { alone: [], whole: [] }
for (let round = -5; round < rounds; round++) {
  for (const [name, session] of [["alone", alone] as const, ["whole", whole] as const]) {
    const begun = performance.now()
    await session.run({ [FRAMES]: frames })
    if (round >= 0) times[name].push(performance.now() - begun)
  }
}
await alone.release()
await whole.release()

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
const ratio = median(times.whole.map((time, i) => time / times.alone[i]))
const row = [
  encoder.name,
  encoder.frames,
  threads,
  rounds,
  median(times.alone).toFixed(2),
  median(times.whole).toFixed(2),
]
const csv = `encoder,frames,threads,rounds,encoder_ms,whole_ms,median_ratio\n${[...row, ratio.toFixed(3)].join(",")}\n`
await writeFile(new URL("../../../bench/predict.csv", import.meta.url), csv)
process.stdout.write(csv)
