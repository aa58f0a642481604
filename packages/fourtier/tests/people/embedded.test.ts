/** Protects the embedded detectors: heads equal to TensorFlow.js's, boxes where the heads say, and people found in real pictures. */

import { area, overlap } from "@fourtier/core/metrics"
import { evaluate, input, Rng } from "@fourtier/tensor"
import * as tf from "@tensorflow/tfjs"
import { describe, expect, it } from "vitest"
import { hasShared, shared } from "../../../../tests/shared.ts"
import { loadTfjsModel } from "../../src/encoders/tfjs.ts"
import { detectorHeads, EMBEDDED, openEmbeddedDetector } from "../../src/people/embedded.ts"
import { openDetector } from "../../src/people/open.ts"
import { decodeFrames } from "../../src/video/decode.ts"
import { loadReference } from "../encoders/tfjs-reference.ts"

const picture = (side: number) => {
  const rng = new Rng(11)
  return Float32Array.from({ length: side * side * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / (3 * side))]
    return Math.round(128 + 60 * Math.sin(x / 9) * Math.cos(y / 7) + 40 * (rng.next() - 0.5))
  })
}

describe("MoveNet MultiPose", () => {
  it("gives the boxes and scores that TensorFlow.js gives of the whole network", async () => {
    const { path, side } = { path: detectorHeads("movenet").path, side: 128 }
    const frames = picture(side)
    const reference = await loadReference(path)
    const image = tf.tensor4d(Int32Array.from(frames), [1, side, side, 3], "int32")
    const names = ["Sigmoid", "box_scale_0/conv2d_5/BiasAdd", "box_offset_0/conv2d_6/BiasAdd"]
    const outputs = await reference.executeAsync(
      image,
      names.map((name) => `StatefulPartitionedCall/${name}`),
    )
    if (!Array.isArray(outputs)) throw new Error("three outputs expected")
    const [heat, scale, offset] = outputs.map((output) => output.dataSync())
    const model = await loadTfjsModel(path)
    const heads = detectorHeads("movenet").graph(model, input("frames", [1, side, side, 3]))
    const { boxes, scores } = await evaluate({ outputs: { ...heads } }, { frames })
    const cells = side / 4
    let peaks = 0
    for (let i = 0; i < cells * cells; i++) {
      const [y, x] = [Math.floor(i / cells), i % cells]
      const near = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [y + dy, x + dx]))
      const inside = near.filter(([a, b]) => a >= 0 && b >= 0 && a < cells && b < cells)
      const isPeak = inside.every(([a, b]) => heat[a * cells + b] <= heat[i])
      if (isPeak) peaks++
      expect(Math.abs(Number(scores[i]) - (isPeak ? heat[i] : 0))).toBeLessThan(1e-4)
      const [height, width] = [Math.max(0, scale[2 * i]), Math.max(0, scale[2 * i + 1])]
      const [middleY, middleX] = [y + offset[2 * i], x + offset[2 * i + 1]]
      const corners = [middleX - width / 2, middleY - height / 2, middleX + width / 2, middleY + height / 2]
      for (const [side, value] of corners.entries())
        expect(Math.abs(Number(boxes[4 * i + side]) - 4 * value)).toBeLessThan(0.02)
    }
    expect(peaks).toBeGreaterThan(3)
  })
})

const clip = shared("data", "ut_interaction", "hand_shake")

describe.skipIf(!hasShared("people in real pictures", "data", "ut_interaction", "hand_shake"))(
  "people in real pictures",
  () => {
    it.each(EMBEDDED)("are found by %s: two who shake hands", async (name) => {
      const { readdirSync } = await import("node:fs")
      const path = `${clip}/${readdirSync(clip).sort()[0]}`
      const { data, width, height } = decodeFrames(
        { path, start: null, end: null, frames: 0, fps: 0 },
        { indices: [0] },
      )
      const detector = await openEmbeddedDetector(name, { threads: 1 })
      const found = (await detector.find({ data, width, height })).filter(({ score }) => score >= detector.sure)
      await detector.release()
      expect(found).toHaveLength(2)
      expect(found.every(({ box }) => area(box) > 0.05)).toBe(true)
      expect(overlap(found[0].box, found[1].box)).toBeLessThan(0.3)
    })
  },
)

it("nobody is found in an empty picture", async () => {
  const detector = await openDetector(undefined, { threads: 1 })
  const grey = { data: new Uint8Array(90 * 160 * 3).fill(110), width: 160, height: 90 }
  expect((await detector.find(grey)).filter(({ score }) => score >= detector.sure)).toEqual([])
  await detector.release()
})
