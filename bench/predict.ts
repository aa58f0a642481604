/**
 * What the head adds at inference: one view through the shipped graph (encoder, processors, integration, classifier)
 * against the same encoder alone. The two take turns; medians. The default encoder and the `small` preset; weights of the head
 * are fresh, which changes no time.
 *
 *     npm run bench && node .fourtier/bench/predict.js [rounds] [threads]
 *
 * Writes bench/predict.csv.
 */

import { join } from "node:path"
import { methodNamed, onRawMap, placesOf } from "@fourtier/core/model"
import { FRAMES } from "@fourtier/core/schemas"
import { input, Rng, Session } from "@fourtier/tensor"
import { initialize } from "@fourtier/tensor/nn"
import { encodeModel } from "@fourtier/tensor/onnx"
import { loadConfig } from "fourtier"
import { encoderShapes, openEncoder, openVisualEncoder } from "fourtier/encoders"
import { buildModel } from "../packages/fourtier/src/deploy/build.ts"
import { BENCH, median, ratios, Table, takeTurns, timed } from "./harness.ts"

const [rounds, threads] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 2)]
const WARMUP = 5
const CLASSES = 20

const { value: config } = await loadConfig()
const { model } = config
const encoder = await openVisualEncoder(config.encoder)
const space = { similarity: config.align.similarity, textWidth: 512 }
const build = methodNamed("full").build({ prompts: ["A", "B", "C", "D"], model, space })
const network = { build, width: model.width, pool: model.pool }
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

const milliseconds = async (session: Session) =>
  1000 * (await timed(() => session.run({ [FRAMES]: frames }))).cost.clock
const sides = [() => milliseconds(alone), () => milliseconds(whole)]
const [aloneMs, wholeMs] = await takeTurns(sides, rounds, WARMUP)
await alone.release()
await whole.release()

const columns = ["encoder", "frames", "threads", "rounds", "encoder_ms", "whole_ms", "median_ratio"]
const table = new Table(join(BENCH, "predict.csv"), columns)
const figures = [median(aloneMs).toFixed(2), median(wholeMs).toFixed(2), median(ratios(wholeMs, aloneMs)).toFixed(3)]
table.add([encoder.name, encoder.frames, threads, rounds, ...figures])
await table.write()
